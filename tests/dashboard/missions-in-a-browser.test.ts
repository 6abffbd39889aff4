/** The dashboard as a person uses it: a real Chromium against a real system, one of each for all of these. */
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { accessibilityFindings, openBrowser, overflow, type TestBrowser } from '../support/browser.ts';
import { calculator, fixedAdd } from '../support/repository.ts';
import { startSystem, type System } from '../support/system.ts';

const hostile = '<img src=x onerror="document.title=\'owned\'"><b>bold</b>';

let system: System;
let browser: TestBrowser;
let landed: string;
let waiting: string;
beforeAll(async () => {
  [system, browser] = await Promise.all([startSystem(), openBrowser()]);
  await system.startWorker();
  const repository = system.repository(calculator);
  const fix = repository.diff(fixedAdd);
  ({ mission_id: landed } = await system.send(repository, [fix]));
  await system.whenEnded(landed);
  const next = system.repository(calculator);
  ({ mission_id: waiting } = await system.send(next, [next.diff(fixedAdd)], {
    title: `Retry storm ${hostile}`, severity: 'critical', symptoms: [{ description: hostile }], trust_requirements: { requires_governance_approval: true },
  }));
  await system.whenWaiting(waiting, 'approval');
}, 120_000);
afterAll(async () => {
  await browser?.close();
  await system?.stop();
});

/** Its input has the focus once it is there. */
async function openPalette(page: Page): Promise<void> {
  await page.getByRole('button', { name: /Search or do anything/ }).waitFor();
  await page.keyboard.press('Control+k');
  await page.getByRole('dialog').getByRole('combobox').waitFor();
}

test('a link signs in once, its code leaves the address, and signing out ends it', async () => {
  const { code } = await (await system.as('ann', 'operator')).post<{ code: string }>('/mission-control/sign-in-codes', {});
  const { page } = await browser.open();
  await page.goto(`${system.url}/sign-in#${code}`);
  await page.getByRole('heading', { name: 'Overview' }).waitFor();
  expect(page.url()).toBe(`${system.url}/`);
  const again = await browser.open();
  await again.page.goto(`${system.url}/sign-in#${code}`);
  await again.page.getByText('the sign-in code is unknown, used or too old').waitFor();
  expect(again.page.url()).not.toContain(code);
  await page.getByRole('button', { name: 'sign out' }).click();
  await page.getByLabel('API key').waitFor();
  await page.goto(`${system.url}/missions/${landed}`);
  await page.getByLabel('API key').fill('mck_nonsense');
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByText('the API key is unknown, expired or revoked').waitFor();
  // Whoever signs in comes to where they wanted to go.
  await page.getByLabel('API key').fill((await system.headers('ann', 'operator')).authorization.replace('Bearer ', ''));
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByRole('heading', { name: 'Adding is wrong' }).waitFor();
});

test('the list follows what happens, without a reload', async () => {
  const { page, errors } = await browser.signedIn(system, 'ann', 'operator');
  await page.getByRole('navigation').getByRole('link', { name: /^Missions/ }).click();
  await page.getByRole('link', { name: 'Adding is wrong' }).first().waitFor();
  await page.evaluate('window.sameDocument = true');
  const agent = await system.as('agent', 'agent');
  const { mission_id: id } = await agent.post<{ mission_id: string }>('/mission-control/missions', {
    title: 'Arrived while somebody looked', subsystem_id: 'calculator', severity: 'low', symptoms: [{ description: 'late' }],
    acceptance_criteria: { observation_window: { metrics: 'none', reason: 'never started' } },
    workspace: { repo_path: (await system.mission(landed)).workspace!.repo_path, patch_candidates: [{ kind: 'branch', ref: 'main' }] }, execute: false,
  });
  const row = page.getByRole('listitem').filter({ hasText: id });
  await row.getByText('open', { exact: true }).waitFor();
  await (await system.as('ann', 'operator')).post(`/mission-control/missions/${id}/abort`, { reason: 'seen it arrive' });
  await row.getByText('cancelled').waitFor();
  expect(await page.evaluate('window.sameDocument')).toBe(true);
  expect(errors).toEqual([]);
});

test('a page that lost its connection says so, and catches up by itself', async () => {
  const { page } = await browser.signedIn(system, 'ann', 'operator');
  await page.goto(`${system.url}/missions`);
  await page.getByText(/^live · seq/).waitFor();
  await page.context().setOffline(true);
  await page.getByText(/^Not live: what you see is from/).waitFor();
  const { mission_id: id } = await (await system.as('agent', 'agent')).post<{ mission_id: string }>('/mission-control/missions', {
    title: 'Arrived while nobody could see', subsystem_id: 'calculator', severity: 'low', symptoms: [{ description: 'unseen' }],
    acceptance_criteria: { observation_window: { metrics: 'none', reason: 'never started' } },
    workspace: { repo_path: (await system.mission(landed)).workspace!.repo_path, patch_candidates: [{ kind: 'branch', ref: 'main' }] },
  });
  await page.context().setOffline(false);
  await page.getByText(/^live · seq/).waitFor();
  await page.getByRole('listitem').filter({ hasText: id }).waitFor();
});

test.each(['abort', 'status'] as const)('what could not be loaded at first is loaded once it can be, by itself (%s)', async (how) => {
  const { page } = await browser.signedIn(system, 'ann', 'operator');
  await page.route(/mission-control\/missions\?/, (route) => (how === 'abort' ? route.abort() : route.fulfill({ status: 503, json: { detail: 'not now' } })));
  await page.goto(`${system.url}/missions`);
  await page.getByText('Not loaded').waitFor();
  await page.unrouteAll({ behavior: 'wait' });
  await page.getByRole('listitem').filter({ hasText: landed }).waitFor();
});

test('what outsiders wrote is text, wherever it stands', async () => {
  const { page, errors } = await browser.signedIn(system, 'ann', 'operator');
  for (const path of ['/', '/missions', '/missions?as=board', `/missions/${waiting}`]) {
    await page.goto(system.url + path);
    await page.getByText(`Retry storm ${hostile}`).first().waitFor();
    expect(await page.locator('main img, main b:text-is("bold")').count(), path).toBe(0);
  }
  await page.locator('.symptoms').getByText(hostile).waitFor();
  expect(await page.title()).not.toContain('owned');
  expect(errors).toEqual([]);
});

test('by keyboard alone: the palette finds a mission and a verb, the dialog asks, the answer is shown', async () => {
  const { page } = await browser.signedIn(system, 'ann', 'operator');
  await openPalette(page);
  await page.keyboard.type(landed);
  await page.getByRole('option').filter({ hasText: landed }).first().waitFor();
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { name: 'Adding is wrong' }).waitFor();

  await openPalette(page);
  await page.keyboard.type('pause retry');
  await page.getByRole('option', { name: /^Pause Retry storm/ }).waitFor();
  await page.keyboard.press('Enter');
  await page.getByLabel(/Reason/).fill('the palette');
  await page.keyboard.press('Tab');
  await page.keyboard.press('Tab');
  await page.keyboard.press('Enter');
  await page.getByText('Paused: takes effect before the next stage').waitFor();
  expect((await system.mission(waiting)).paused).toBe(true);
  await (await system.as('ann', 'operator')).post(`/mission-control/missions/${waiting}/resume`, {});

  // A viewer is offered nothing that would be refused.
  const viewer = await browser.signedIn(system, 'val', 'viewer');
  await openPalette(viewer.page);
  await viewer.page.keyboard.type('retry storm');
  await viewer.page.getByRole('option').filter({ hasText: waiting }).first().waitFor();
  expect(await viewer.page.getByRole('option', { name: /^(Pause|Retry) Retry|^Abort/ }).count()).toBe(0);
  await viewer.page.goto(`${system.url}/missions/${waiting}`);
  await viewer.page.getByRole('heading', { name: /^Retry storm/ }).waitFor();
  expect(await viewer.page.getByRole('button', { name: /Abort|Pause|Approve/ }).count()).toBe(0);
});

test('an approver reads the digests, agrees, and sees the mission land', async () => {
  const { page, errors } = await browser.signedIn(system, 'olga', 'approver');
  await page.getByRole('link', { name: 'Review' }).click();
  const [approval] = (await (await system.as('olga', 'approver')).get<{ items: { digests: { git_tree: string } }[] }>(`/mission-control/approvals?mission_id=${waiting}`)).items;
  await page.getByRole('tabpanel').getByText(approval!.digests.git_tree).waitFor();
  await page.getByRole('link', { name: 'Decide' }).click();
  await page.getByRole('button', { name: 'Approve', exact: true }).click();
  await page.getByRole('dialog').getByRole('textbox').fill('read it');
  await page.getByRole('dialog').getByRole('button', { name: 'Approve' }).click();
  // Whoever leaves the page before it has answered takes the request back.
  await page.getByText('Approved; the mission goes on.').waitFor();
  await page.goto(`${system.url}/missions/${waiting}`);
  await page.locator('.top').getByText('resolved').waitFor();
  await page.getByRole('tab', { name: 'Tests' }).click();
  await page.getByRole('cell', { name: /^adds/ }).waitFor();
  await page.getByRole('tab', { name: 'Diff' }).click();
  await page.locator('.diff tr.added').first().waitFor();
  expect(errors).toEqual([]);
}, 90_000);

test.each(['dark', 'light'] as const)('%s, on a phone and on a desk: no serious accessibility finding, no sideways scrolling', async (scheme) => {
  const { page } = await browser.signedIn(system, 'root', 'admin', { colorScheme: scheme });
  for (const [path, heading] of [['/', 'Overview'], ['/missions', 'Missions'], ['/missions?as=board', 'Missions'], ['/missions?new=1', 'Missions'], [`/missions/${landed}`, 'Adding is wrong'], [`/missions/${landed}?tab=evidence`, 'Adding is wrong']] as const) {
    await page.goto(system.url + path);
    await page.getByRole('heading', { name: heading, includeHidden: true }).waitFor({ state: 'attached' });
    await page.waitForLoadState('networkidle');
    expect(await accessibilityFindings(page), `${path} in ${scheme}`).toEqual([]);
    await page.setViewportSize({ width: 390, height: 844 });
    expect(await overflow(page), `${path} on a phone`).toBeLessThanOrEqual(0);
    await page.setViewportSize({ width: 1_280, height: 900 });
  }
  await page.goto(`${system.url}/missions`);
  await openPalette(page);
  expect(await accessibilityFindings(page), 'the palette').toEqual([]);
}, 120_000);

test('ten thousand missions are a list of some dozen rows that reaches its end', async () => {
  await system.db.database.query(
    `INSERT INTO missions (mission_id, package, mission_type, subsystem_id, severity, severity_rank, status, context, created_by, created_at, updated_at)
     SELECT 'mission_20200101_' || lpad(n::text, 5, '0'), package || jsonb_build_object('title', 'Old ' || n, 'subsystem_id', 'archive', 'mission_id', 'mission_20200101_' || lpad(n::text, 5, '0')), mission_type, 'archive', severity, severity_rank, 'aborted', context, created_by,
            '2020-01-01'::timestamptz + n * interval '1 second', '2020-01-01'::timestamptz
       FROM missions, generate_series(1, 10000) n WHERE mission_id = $1`, [landed]);
  const { page } = await browser.signedIn(system, 'ann', 'operator');
  await page.goto(`${system.url}/missions?subsystem_id=archive`);
  for (;;) {
    await page.evaluate('scrollTo(0, document.documentElement.scrollHeight)');
    if (await page.getByText('10,000 missions', { exact: true }).count() > 0) break;
    await page.waitForTimeout(20);
  }
  await page.evaluate('scrollTo(0, document.documentElement.scrollHeight)');
  await page.getByRole('link', { name: 'Old 1', exact: true }).waitFor();
  expect(await page.locator('.windowed > *').count()).toBeLessThan(120);
}, 120_000);
