/** Subsystems and metrics in a real browser: what is not known is never drawn as well. */
import { stringify } from 'yaml';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { expectAccessible, openBrowser, type Seen, type TestBrowser } from '../support/browser.ts';
import { startSystem, type System } from '../support/system.ts';

let system: System;
let browser: TestBrowser;
let anna: Seen;

beforeAll(async () => {
  [system, browser] = await Promise.all([startSystem(), openBrowser()]);
  await system.configure('subsystems.yaml', stringify({
    subsystems: {
      mesh: { name: 'The mesh', depends_on: ['postgres'], probes: [] },
      shop: { name: 'The shop', owner: 'team-shop', depends_on: ['mesh'], probes: [{ id: 'front', kind: 'command', argv: ['true'], interval_seconds: 1, symptom: 'service_down' }] },
    },
  }));
  await system.reader.put('/mission-control/metrics/shop.latency', { comparator: '<', target: 100, unit: 'ms', subsystem_id: 'shop', stale_after_seconds: 60 });
  await system.startWorker();
  anna = await signedIn();
});
afterAll(async () => {
  await browser?.close();
  await system?.stop();
});

/** Charts ask the browser for its language, and that of a test machine may be none. */
const signedIn = (): Promise<Seen> => browser.signedIn(system, 'anna', 'admin', { locale: 'en-US' });
const open = async (path: string, { page }: Seen = anna): Promise<void> => {
  await page.goto(`${system.url}${path}`);
  await page.locator('main .top h1').waitFor();
};
const push = (value: number, secondsAgo: number): Promise<unknown> =>
  system.reader.post('/mission-control/metrics/shop.latency/observations', { value, at: new Date(Date.now() - secondsAgo * 1_000).toISOString() });

test('unknown health is drawn as unknown, with its reason, and never green', async () => {
  const { page, errors } = anna;
  await open('/subsystems');
  const row = page.locator('[data-subsystem="mesh"]');
  await row.getByText('it has no probes').waitFor();
  await row.getByText('unknown', { exact: true }).waitFor();
  await row.getByText('never measured').waitFor();
  await page.locator('[data-subsystem="shop"]').getByText('healthy', { exact: true }).waitFor();
  const colour = (id: string) => page.evaluate(`getComputedStyle(document.querySelector('[data-node="${id}"] .tint')).fill`);
  const green = await colour('shop');
  expect(await colour('mesh')).not.toBe(green);
  expect(await page.locator('[data-node="mesh"]').textContent()).toContain('unknown · never measured');
  expect(await row.locator('.chip').getAttribute('class')).not.toContain('good');
  expect(errors).toEqual([]);
});

test('health that was not heard of for a while is unknown, whatever it was', async () => {
  const other = await signedIn();
  const { page } = other;
  await page.clock.install();
  await open('/subsystems', other);
  const shop = page.locator('[data-subsystem="shop"]');
  await shop.getByText('healthy', { exact: true }).waitFor();
  await page.route('**/mission-control/subsystems', (route) => route.abort());
  await page.clock.runFor(45_000);
  await shop.getByText('unknown', { exact: true }).waitFor();
  await shop.getByText('not known now').waitFor();
  expect(await page.locator('[data-subsystem] .chip.good').count()).toBe(0);
});

test('the map is walked with the keyboard through its list', async () => {
  const { page } = anna;
  await open('/subsystems');
  await page.locator('[data-subsystem="shop"]').focus();
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { level: 1, name: 'The shop' }).waitFor();
  expect(new URL(page.url()).pathname).toBe('/subsystems/shop');
  await page.getByText('team-shop').waitFor();
  await page.getByText(/^measured/).first().waitFor();
});

test('a metric shows its value with its age; a stale one shows no value, only what was last', async () => {
  const { page, errors } = anna;
  await push(71, 0);
  await open('/subsystems/shop');
  const row = page.locator('.metric', { hasText: 'shop.latency' });
  await row.getByText('71 ms', { exact: true }).waitFor();
  await row.getByText('on target').waitFor();
  await row.getByRole('img', { name: /shop\.latency: last 71 ms, between 71 and 71, target < 100/ }).locator('canvas').waitFor();
  expect(errors).toEqual([]);

  const other = await signedIn();
  await other.page.clock.install({ time: Date.now() + 90_000 });
  await open('/subsystems?tab=metrics', other);
  const stale = other.page.locator('.metric', { hasText: 'shop.latency' });
  await stale.getByText('stale', { exact: true }).waitFor();
  await stale.getByText(/^last 71 ms/).waitFor();
  expect(await stale.locator('.chip.good').count()).toBe(0);
  expect(await stale.locator('b').textContent()).toBe('–');
});

test('nothing stands in the way of a screen reader, and a phone never scrolls sideways', async () => {
  const { page, errors } = anna;
  for (const path of ['/subsystems', '/subsystems?tab=metrics', '/subsystems/shop', '/subsystems/mesh']) {
    await page.setViewportSize({ width: 1_440, height: 900 });
    await open(path);
    await page.locator('main .card').first().waitFor();
    await page.locator('main .loading').first().waitFor({ state: 'detached' });
    await expectAccessible(anna);
    await page.setViewportSize({ width: 390, height: 844 });
    expect(await page.evaluate('document.documentElement.scrollWidth - innerWidth'), path).toBeLessThanOrEqual(0);
  }
  expect(errors).toEqual([]);
}, 180_000);
