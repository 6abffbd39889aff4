import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { stringify } from 'yaml';
import type { Approval } from '../../src/domain/approval.ts';
import { expectAccessible, openBrowser, tabTo, type TestBrowser } from '../support/browser.ts';
import { calculator, fixedAdd, type TestRepository } from '../support/repository.ts';
import { startSystem, type System } from '../support/system.ts';

vi.setConfig({ testTimeout: 180_000, hookTimeout: 120_000 });

let system: System;
let browser: TestBrowser;
let repository: TestRepository;
beforeAll(async () => {
  system = await startSystem();
  await system.startWorker();
  browser = await openBrowser();
  repository = system.repository(calculator);
});
afterAll(async () => {
  await browser.close();
  await system.stop();
});

const asksForApproval = async (title: string): Promise<Approval> => {
  const { mission_id } = await system.send(repository, [repository.diff({ ...fixedAdd, [`${title}.md`]: '<img src=x onerror="document.title=1">\n' })], { title, trust_requirements: {} });
  return system.approval(mission_id);
};
const read = (id: string): Promise<Approval> => system.reader.get<Approval>(`/mission-control/approvals/${id}`);

test('an approver who never touches the mouse lets a mission land', async () => {
  const { page, errors } = await browser.signedIn(system, 'anna', 'approver', { to: '/approvals' });
  await page.getByText('Nothing waits for approval').waitFor();
  const approval = await asksForApproval('by-keyboard');

  // It came by itself: nothing was loaded anew.
  await tabTo(page, 'Review by-keyboard', 'link');
  await page.keyboard.press('Enter');
  await page.locator('tr.added').getByText('export const add = (a, b) => a + b;').waitFor();
  expect(await page.getByText('onerror="document.title=1"').count()).toBeGreaterThan(0);
  for (const text of [approval.digests.git_tree!, approval.digests.evidence_digest, approval.digests.policy_digest, 'the mission asks for approval', '2 passed · 0 failed']) {
    await page.getByText(text, { exact: false }).first().waitFor();
  }
  await tabTo(page, 'Approve');
  await page.keyboard.press('Enter');
  await page.getByRole('dialog').getByText(/Tree \w{8} and its evidence are approved, and nothing else/).waitFor();
  await page.keyboard.type('seen, all of it');
  await page.keyboard.press('Tab');
  await page.keyboard.press('Tab');
  await page.keyboard.press('Enter');
  await page.getByText('Approved; the mission goes on.').waitFor();

  const mission = await system.whenEnded(approval.mission_id);
  expect(mission).toMatchObject({ status: 'resolved', outcome: 'landed' });
  expect(await read(approval.approval_id)).toMatchObject({ status: 'approved', decisions: [{ by: { id: 'anna' }, reason: 'seen, all of it' }] });
  await page.getByText('anna').first().waitFor();
  expect(await page.title()).toContain('Approval');
  expect(errors).toEqual([]);
});

test('whoever loses the race is told who won, and sees it', async () => {
  const approval = await asksForApproval('race');
  const { page } = await browser.signedIn(system, 'berta', 'approver', { to: `/approvals/${approval.approval_id}` });
  await page.getByRole('button', { name: 'Reject' }).click();
  await page.getByRole('dialog').getByRole('textbox').fill('too late');
  // Between their last look and their word, somebody else is faster.
  await system.decide(approval, 'approve', 'carla');
  await page.getByRole('dialog').getByRole('button', { name: 'Reject' }).click();
  await page.locator('.answer.bad').getByText(/is approved, decided by carla|MISSION_ENDED|is resolved/).waitFor();
  await page.locator('.decision').getByText('carla').waitFor();
  expect(await page.getByRole('button', { name: 'Reject' }).count()).toBe(0);
  expect(await read(approval.approval_id)).toMatchObject({ status: 'approved' });
});

test('own work is not offered, and neither is what the role does not allow; both say why', async () => {
  repository = system.repository(calculator);
  const admin = await system.as('author', 'admin');
  const sent = await admin.post<{ mission_id: string }>('/mission-control/missions', {
    title: 'own', subsystem_id: 'calculator', severity: 'medium', symptoms: [{ description: '2 + 2 is 0' }], execute: true,
    acceptance_criteria: { must_pass_tests: ['adds'], observation_window_minutes: 0.005, observation_window: { metrics: 'none', reason: 'a test' } },
    workspace: { repo_path: repository.path, patch_candidates: [{ kind: 'diff', text: repository.diff(fixedAdd) }] },
  });
  const approval = await system.approval(sent.mission_id);
  const to = `/approvals/${approval.approval_id}`;
  for (const [id, role, why] of [['author', 'admin', /nobody approves their own work/], ['viola', 'viewer', /Your role, viewer, does not decide/]] as const) {
    const { page, context } = await browser.signedIn(system, id, role, { to });
    await page.getByText(why).waitFor();
    expect(await page.getByRole('button', { name: /^(Approve|Reject|Send back)$/ }).count()).toBe(0);
    await context.close();
  }

  const seen = await browser.signedIn(system, 'anna', 'approver', { to });
  await seen.page.getByText('2 passed · 0 failed').waitFor();
  await expectAccessible(seen);
  await seen.page.getByRole('button', { name: 'Send back' }).click();
  await seen.page.getByRole('dialog').getByRole('textbox').fill('another one, please');
  await seen.page.getByRole('dialog').getByRole('button', { name: 'Send back' }).click();
  await seen.page.getByText('Sent back; the mission goes on').waitFor();
  await seen.page.locator('.top .chip').getByText('sent back').waitFor();
  expect((await read(approval.approval_id)).decisions.at(0)).toMatchObject({ decision: 'reject', send_back: true, reason: 'another one, please' });

  await seen.page.goto(`${system.url}/approvals`);
  await seen.page.getByText('another one, please').waitFor();
  await expectAccessible(seen);
});

test('a healing plan is decided on step by step, exactly as it would be carried out', async () => {
  const folder = join(system.home, 'shop');
  mkdirSync(folder);
  const argv = ['touch', 'mended'];
  const service = { kind: 'service', manager: { kind: 'process', instances: [{ id: 'web', pid_file: join(folder, 'web.pid'), argv: ['sleep', '1'], cwd: folder }] } };
  await system.configure('subsystems.yaml', stringify({ subsystems: { shop: { name: 'The shop', resources: { web: service } } } }));
  await system.configure('playbooks.yaml', stringify({ playbooks: [{
    playbook: 'run_command', subsystem: 'shop', resource: 'web', approval: 'always',
    observe: { duration_minutes: 0.005, metrics: 'none', reason: 'a test of the page' },
    params: { cwd: folder, argv, check_argv: ['test', '-f', 'mended'], independent_argv: ['true'], regress_argv: ['true'] },
    limits: { cooldown_success_seconds: 0, cooldown_failure_seconds: 0, max_runs: 100 },
  }] }));
  const { mission_id } = await system.heal('shop', { symptom: 'needs_command', resource: 'web' });
  const approval = await system.approval(mission_id);

  const seen = await browser.signedIn(system, 'anna', 'approver', { to: `/approvals/${approval.approval_id}` });
  const { page } = seen;
  await page.getByText('run_command v').waitFor();
  await page.locator('.steps pre').first().getByText(/"touch",\s+"mended"/).waitFor();
  await page.getByText(approval.digests.plan_digest!).waitFor();
  // Sending back is for candidates; a plan has none.
  expect(await page.getByRole('button', { name: 'Send back' }).count()).toBe(0);
  await expectAccessible(seen);
  await page.getByRole('button', { name: 'Approve' }).click();
  await page.getByRole('dialog').getByText('Its steps are carried out next').waitFor();
  await page.getByRole('dialog').getByRole('textbox').fill('go ahead');
  await page.getByRole('dialog').getByRole('button', { name: 'Approve' }).click();
  await page.getByText('Enough people agreed.').waitFor();
  expect(await system.whenEnded(mission_id)).toMatchObject({ status: 'resolved', outcome: 'healed' });
  expect(seen.errors).toEqual([]);
});
