import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { expectAccessible, openBrowser, type Seen, type TestBrowser } from '../support/browser.ts';
import { call, expectProblem } from '../support/http.ts';
import { calculator, fixedAdd } from '../support/repository.ts';
import { startSystem, type System } from '../support/system.ts';

vi.setConfig({ testTimeout: 180_000, hookTimeout: 120_000 });

let system: System;
let browser: TestBrowser;
let mission: string;
beforeAll(async () => {
  system = await startSystem();
  await system.configure('notifications.yaml', 'channels: {nowhere: {kind: slack, url: "http://127.0.0.1:9"}}\nroutes: []\n');
  await system.startWorker();
  browser = await openBrowser();
  const repository = system.repository(calculator);
  mission = (await system.whenEnded((await system.send(repository, [repository.diff(fixedAdd)])).mission_id)).mission_id;
});
afterAll(async () => {
  await browser.close();
  await system.stop();
});

interface Proved { record: { ts: string; actor: { id: string } } }
interface Exported { entries: { record: { seq: number; type: string; actor: { id: string } }; payload: object | null }[] }

/** Lets the server lie on one path: what it answers is changed on the way to the page. */
async function lie(
  { page }: Seen, path: string, change: (body: Exported & Proved) => void,
): Promise<() => Promise<void>> {
  const match = `**${path}`;
  await page.route(match, async (route) => {
    const response = await route.fetch();
    const body = await response.json() as Exported & Proved;
    change(body);
    await route.fulfill({ response, json: body });
  });
  return () => page.unroute(match);
}

test('the files of the page are for everybody behind one address', async () => {
  const page = await (await fetch(`${system.url}/`, { headers: { accept: 'text/html' } })).text();
  const file = /src="(\/assets\/[^"]+\.js)"/.exec(page)![1]!;
  const answers = await Promise.all(Array.from({ length: 150 }, () => fetch(`${system.url}${file}`).then(({ status }) => status)));
  expect(new Set(answers)).toEqual(new Set([200]));
});

describe('the ledger', () => {
  let seen: Seen;
  let landed: number;
  beforeAll(async () => {
    // The terminal event may still be on its way to its place.
    const { items } = await system.until(async () => {
      const page = await system.reader.get<{ items: { seq: number; type: string; payload: Record<string, unknown> }[] }>(`/mission-control/events?mission_id=${mission}&limit=500`);
      return page.items.some(({ payload }) => payload['status'] === 'resolved') && page;
    });
    landed = items.find(({ type }) => type === 'merge.landed')!.seq;
    seen = await browser.signedIn(system, 'viola', 'viewer', { to: '/ledger' });
  });

  test('tells every event in its order, goes on by itself, and is narrowed down by mission and type', async () => {
    const { page } = seen;
    await page.getByText(/^\d+ sealed$/).waitFor();
    await page.getByRole('button', { name: `Open record ${landed}` }).waitFor();
    const operator = await system.as('operator', 'operator');
    await operator.put('/mission-control/metrics/live.metric', { comparator: '<', target: 1 });
    await page.getByText('live.metric').waitFor();

    await page.getByLabel('Mission', { exact: true }).first().fill(mission);
    await page.getByLabel('Mission', { exact: true }).first().press('Enter');
    await page.getByText(/^\d+ found$/).waitFor();
    expect(await page.getByText('live.metric').count()).toBe(0);
    await page.getByLabel('Type').selectOption('merge.landed');
    await page.getByText('1 found').waitFor();
    expect(new URL(page.url()).searchParams.get('type')).toBe('merge.landed');
  });

  test('one record is proved by the browser itself; changed on its way, it is not', async () => {
    const { page } = seen;
    await page.getByRole('button', { name: `Open record ${landed}` }).click();
    const record = page.getByRole('region', { name: `Record ${landed}` });
    await record.getByText('idempotency_key').waitFor();
    await record.getByRole('button', { name: 'Verify here' }).click();
    await record.getByText('It holds.').waitFor();
    for (const what of ['Hash of the record', 'Path to the root', 'Signature of the checkpoint', 'Chain']) await record.locator('li', { hasText: what }).getByText('holds', { exact: true }).waitFor();

    const honest = await lie(seen, `/ledger/proof/${landed}`, (body) => { body.record.actor.id = 'mallory'; });
    await record.getByRole('button', { name: 'Verify here' }).click();
    await record.getByRole('alert').getByText('It does not hold.').waitFor();
    await honest();
    const broken = await lie(seen, `/ledger/proof/${landed - 1}`, (body) => { body.record.ts = '2020-01-01T00:00:00.000Z'; });
    await record.getByRole('button', { name: 'Verify here' }).click();
    await record.locator('li', { hasText: 'Chain' }).getByText('broken', { exact: true }).waitFor();
    await record.locator('li', { hasText: 'Path to the root' }).getByText('holds', { exact: true }).waitFor();
    await broken();

    const [file] = await Promise.all([page.waitForEvent('download'), record.getByRole('link', { name: 'Download proof' }).click()]);
    expect(file.suggestedFilename()).toBe(`record-${landed}.proof.json`);
  });

  test('a whole mission is proved; without one of its records, with another payload or under another key it is not', async () => {
    const { page } = seen;
    const verify = async (): Promise<void> => {
      await page.getByPlaceholder('mission_…').last().fill(mission);
      await page.getByRole('button', { name: 'Verify a mission' }).click();
    };
    const result = page.locator('[aria-live="polite"]', { has: page.getByText(mission) }).last();
    await verify();
    await result.getByText('It holds.').waitFor();
    const changes: [string, (file: Exported) => void][] = [
      ['Nothing left out', (file) => { file.entries.splice(2, 1); }], ['Payloads', (file) => { file.entries.find(({ record }) => record.type === 'merge.landed')!.payload = { commit: 'x' }; }],
    ];
    for (const [what, change] of changes) {
      const honest = await lie(seen, '/export', change);
      await verify();
      await result.locator('li', { hasText: what }).getByText('broken', { exact: true }).waitFor();
      await honest();
    }
    await page.getByLabel('Key that you trust, from elsewhere').fill('PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW');
    await verify();
    await result.locator('li', { hasText: 'Signature of the checkpoint' }).getByText('broken', { exact: true }).waitFor();
    await page.getByLabel('Key that you trust, from elsewhere').fill('');
  });

  test('a ledger that is no longer what this browser saw is told apart', async () => {
    const { page } = seen;
    const verify = () => page.getByRole('button', { name: 'Verify the checkpoint' }).click();
    await verify();
    await page.getByText('kept by this browser').waitFor();
    const operator = await system.as('operator', 'operator');
    await operator.put('/mission-control/metrics/more.metric', { comparator: '<', target: 1 });
    await page.waitForResponse(async (response) => response.url().endsWith('/ledger/checkpoint') && (await response.json() as { unsealed: number }).unsealed === 0);
    await verify();
    await page.locator('li', { hasText: 'Only grown since this browser looked' }).getByText('holds', { exact: true }).waitFor();
    // What this browser kept says that there was another past.
    await page.evaluate(() => {
      const storage = (globalThis as unknown as { localStorage: { getItem(name: string): string; setItem(name: string, value: string): void } }).localStorage;
      const [origin, , , ...rest] = storage.getItem('mission-control.checkpoint').split('\n');
      storage.setItem('mission-control.checkpoint', [origin, '3', 'AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=', ...rest].join('\n'));
    });
    await verify();
    await page.locator('li', { hasText: 'Only grown since this browser looked' }).getByText('broken', { exact: true }).waitFor();
    await page.locator('section', { hasText: 'Verify in this browser' }).getByRole('alert').getByText('It does not hold.').waitFor();
    expect(seen.errors).toEqual([]);
    await expectAccessible(seen);
  });
});

describe('settings', () => {
  test('a key is made, shown once, used, and revoked: whoever is signed in with it is cut off', async () => {
    const { page, errors } = await browser.signedIn(system, 'anna', 'admin', { to: '/settings?tab=keys' });
    await page.getByLabel('Holder').first().fill('otto');
    await page.getByLabel('Role').selectOption('operator');
    await page.getByLabel('Name of the key').fill('tablet');
    await page.getByRole('button', { name: 'Make the key' }).click();
    await page.getByText('Copy it now').waitFor();
    const key = (await page.locator('.fresh .copyable').textContent() ?? '').trim();
    expect((await call(system.url, '/mission-control/session', { key })).body['principal']).toMatchObject({ id: 'otto', role: 'operator', name: 'tablet' });
    await page.reload();
    await page.getByText('tablet').waitFor();
    expect(await page.content()).not.toContain(key);

    const other = await browser.open();
    await other.page.goto(`${system.url}/sign-in`);
    await other.page.getByLabel('API key').fill(key);
    await other.page.keyboard.press('Enter');
    await other.page.locator('.connection .live').waitFor();

    await page.getByTitle('Revoke tablet of otto').click();
    await page.getByRole('dialog').getByText('every browser that is signed in with it is cut off at once').waitFor();
    await page.getByRole('dialog').getByRole('button', { name: 'Revoke' }).click();
    await page.getByText('Revoked tablet of otto').waitFor();
    await other.page.waitForURL(/\/sign-in/);
    expect((await call(system.url, '/mission-control/session', { key })).status).toBe(401);
    expect(errors).toEqual([]);
  });

  test('say what the policy would rule, and try a channel', async () => {
    const { page } = await browser.signedIn(system, 'operator', 'operator', { to: '/settings' });
    expect(await page.getByRole('tab', { name: 'Keys' }).count()).toBe(0);
    await page.getByRole('tab', { name: 'Policy' }).click();
    await page.getByText('.gitlab-ci.yml').waitFor();
    const { policy_digest } = await system.reader.get<{ policy_digest: string }>('/mission-control/policy');
    await page.getByText(policy_digest).waitFor();
    await page.getByLabel('Paths that change, one a line').fill('src/a.ts\n.github/workflows/ci.yml\n');
    await page.getByRole('button', { name: 'Check' }).click();
    await page.getByText('1 approval needed').waitFor();
    await page.getByText('protected paths changed: .github/workflows/ci.yml').waitFor();

    await page.getByRole('tab', { name: 'Notifications' }).click();
    await page.getByRole('button', { name: 'Test' }).click();
    await page.getByText('A test message to nowhere is on its way').waitFor();
    await page.locator('.told-row').getByText('failed', { exact: true }).waitFor();
  });

  test('the theme stays as chosen, whatever the system says', async () => {
    const { page } = await browser.signedIn(system, 'operator', 'operator', { to: '/settings' });
    await page.getByLabel('light', { exact: true }).check();
    await page.reload();
    await page.locator('html[data-theme="light"]').waitFor();
  });

  test('every tab is accessible, and the last admin key stays', async () => {
    const seen = await browser.signedIn(system, 'anna', 'admin', { to: '/settings' });
    const { page } = seen;
    for (const [tab, shown] of [['You', 'What you may do'], ['Policy', 'In force now'], ['Notifications', 'Told lately'], ['System', 'OpenAPI document'], ['Keys', 'yours']] as const) {
      await page.getByRole('tab', { name: tab }).click();
      await page.getByText(shown, { exact: true }).first().waitFor();
      await expectAccessible(seen);
    }
    const anna = await system.as('anna', 'admin');
    const { items } = await anna.get<{ items: { key_id: string; principal_id: string; role: string }[] }>('/mission-control/keys');
    const idOf = (holder: string): string => items.find(({ principal_id, role }) => principal_id === holder && role === 'admin')!.key_id;
    expect((await fetch(`${system.url}/mission-control/keys/${idOf('root')}`, { method: 'DELETE', headers: await system.headers('anna', 'admin') })).status).toBe(200);
    await page.getByText('last admin key: stays').waitFor();
    const { authorization } = await system.headers('anna', 'admin');
    expectProblem(await call(system.url, `/mission-control/keys/${idOf('anna')}`, { method: 'DELETE', headers: { authorization } }), 409, 'LAST_ADMIN_KEY');
    expect(await page.getByTitle('Revoke test of anna').count()).toBe(0);
  });
});
