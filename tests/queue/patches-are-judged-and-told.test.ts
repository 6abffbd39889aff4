import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { agentElsewhere, changingNoWork, queuedMission } from '../support/agents.ts';
import { call, expectProblem } from '../support/http.ts';
import { brokenAdd, calculator, fixedAdd } from '../support/repository.ts';
import { missionBody, startSystem, type System } from '../support/system.ts';

let system: System;
let ada: Awaited<ReturnType<typeof agentElsewhere>>;
let key: string;
beforeAll(async () => {
  system = await startSystem();
  await system.startWorker();
  ada = await agentElsewhere(system, 'ada');
  key = (await system.headers('ada', 'agent')).authorization.slice('Bearer '.length);
});
afterAll(() => system.stop());

const patchesOf = (id: string): string => `/mission-control/missions/${id}/patches`;

test('a patch that fails is told with names and output, the next one lands, and its author may not approve it', async () => {
  const repository = system.repository(calculator);
  const id = await queuedMission(system, repository, { trust_requirements: {} });
  const { lease } = await ada.claim(id);
  const first = await ada.post(lease, repository.diff(brokenAdd), { tokens: 100, cost_micro_usd: 5 });
  expect(first).toMatchObject({ number: 1, state: 'testing', agent_id: 'ada' });
  const told = await ada.result(id, 1, 25);
  expect(told).toMatchObject({ state: 'failed', again: true, reason: expect.stringContaining('required test failed: adds') });
  expect(told.stages.map(({ name, status }) => [name, status])).toEqual([['branch_and_patch', 'passed'], ['run_tests', 'failed']]);
  expect(told.stages[1]!.log_excerpt).toContain('✖ adds');
  await ada.post(lease, repository.diff(fixedAdd), { tokens: 50 });
  expect(await ada.result(id, 2, 25)).toMatchObject({ state: 'proved', again: false });

  const approval = await system.approval(id);
  await expect(system.decide(approval, 'approve', 'ada')).rejects.toMatchObject({ status: 403, code: 'SELF_APPROVAL' });
  await (await system.as('approver', 'approver')).post(`/mission-control/approvals/${approval.approval_id}/reject`, { reason: 'say why in a comment', send_back: true, digests: approval.digests });
  await system.whenWaiting(id, 'agent');
  await expect(ada.keep(lease), 'what was proved is nobody\'s any more').rejects.toMatchObject({ code: 'LEASE_LOST' });
  const again = await ada.claim(id);
  expect(again).toMatchObject({ attempt: 3, max_attempts: 3 });
  expect(again.brief).toContain('say why in a comment');
  await ada.post(again.lease, repository.diff({ 'add.js': `// A sum.\n${fixedAdd['add.js']}` }));
  await system.decide(await system.approval(id));
  expect(await system.whenEnded(id)).toMatchObject({ status: 'resolved', outcome: 'landed', tokens: 150, cost_micro_usd: 5, usage_unreported: 2 });
  expect(repository.git('show', 'main:add.js')).toContain('// A sum.');
  expect(await system.reader.get('/mission-control/trust-scores/ada')).toMatchObject({ inputs: [expect.objectContaining({ mission_id: id, outcome: 'landed' })] });
});

test('the same failure twice in a row ends the loop; a lease of an ended mission is over', async () => {
  const repository = system.repository(calculator);
  const id = await queuedMission(system, repository);
  const { lease } = await ada.claim(id);
  await ada.post(lease, repository.diff(brokenAdd));
  await ada.result(id, 1, 25);
  await ada.post(lease, repository.diff({ ...brokenAdd, 'notes.md': 'other bytes\n' }));
  expect(await ada.result(id, 2, 25)).toMatchObject({ state: 'failed', again: false });
  expect(await system.whenEnded(id)).toMatchObject({ status: 'escalated', ended_reason: expect.stringContaining('ada failed the same way twice in a row') });
  await expect(ada.post(lease, repository.diff(fixedAdd))).rejects.toMatchObject({ code: 'LEASE_LOST' });
});

test('what is no patch costs no attempt; what leaves the tree or does not apply is refused by name', async () => {
  await system.configure('agents.yaml', 'agents: {ada: {kind: queue, max_attempts: 9}}\n');
  const repository = system.repository(calculator);
  const id = await queuedMission(system, repository, { assigned_to: 'ada' });
  const { lease, max_attempts } = await ada.claim(id);
  expect(max_attempts).toBe(9);
  const bytes = (raw: string | Uint8Array, type = 'text/x-diff') => call(system.url, `${patchesOf(id)}?lease_id=${lease.lease_id}`, { key, raw, headers: { 'content-type': type } });
  const json = (body: object) => call(system.url, patchesOf(id), { key, json: { lease_id: lease.lease_id, ...body } });
  await changingNoWork(system, async () => {
    expectProblem(await bytes('x'.repeat(1_048_577)), 413, 'BODY_TOO_LARGE');
    expectProblem(await json({ diff: 'x'.repeat(1_048_577) }), 400, 'INVALID_REQUEST', 'diff');
    expectProblem(await bytes('please merge this'), 422, 'NOT_A_PATCH');
    expectProblem(await json({ diff: 'please merge this' }), 422, 'NOT_A_PATCH');
    expectProblem(await bytes('no bundle', 'application/x-git-bundle'), 422, 'NOT_A_PATCH');
    expectProblem(await bytes('<p>', 'text/html'), 415, 'UNSUPPORTED_MEDIA_TYPE');
    expectProblem(await json({}), 400, 'INVALID_REQUEST', 'diff');
    expectProblem(await json({ diff: 'x', argv: ['sh'] }), 400, 'UNKNOWN_FIELD', 'argv');
    expectProblem(await json({ artifact: '0'.repeat(64) }), 422, 'ARTIFACT_UNKNOWN', 'artifact');
    expectProblem(await json({ diff: '--- a\n', usage: { tokens: -1 } }), 400, 'INVALID_REQUEST', 'usage.tokens');
    expectProblem(await call(system.url, patchesOf(id), { key, raw: '--- a\n', headers: { 'content-type': 'text/x-diff' } }), 400, 'INVALID_REQUEST', 'lease_id');
  });
  const hostile: [string, string][] = [
    ['--- a/../../../tmp/mission-control-escape\n+++ b/../../../tmp/mission-control-escape\n@@ -0,0 +1 @@\n+out\n', 'does not apply'],
    ['diff --git a/link b/link\nnew file mode 120000\n--- /dev/null\n+++ b/link\n@@ -0,0 +1 @@\n+/etc/passwd\n\\ No newline at end of file\n', 'link: a symlink that leaves the tree'],
    ['diff --git a/nowhere b/nowhere\n--- a/nowhere\n+++ b/nowhere\n@@ -1 +1 @@\n-x\n+y\n', 'does not apply'],
  ];
  for (const [i, [diff, reason]] of hostile.entries()) {
    expect((await bytes(diff)).status).toBe(202);
    expect(await ada.result(id, i + 1, 25), diff).toMatchObject({ state: 'failed', again: true, reason: expect.stringContaining(reason) });
  }

  // A bundle made from the base's own bundle, as bytes.
  const folder = join(system.home, 'elsewhere');
  mkdirSync(folder);
  const file = join(folder, 'base.bundle');
  writeFileSync(file, Buffer.from(await (await fetch(`${system.url}/mission-control/missions/${id}/base.bundle`, { headers: { authorization: `Bearer ${key}` } })).arrayBuffer()));
  const git = (...args: string[]): string => execFileSync('git', ['-c', 'user.name=Ada', '-c', 'user.email=ada@localhost', ...args], { cwd: folder, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  git('clone', '-q', 'base.bundle', 'checkout');
  expect(git('-C', 'checkout', 'rev-parse', 'HEAD', 'HEAD^{tree}').trim().split('\n')).toEqual([repository.tip(), repository.tree()]);
  writeFileSync(join(folder, 'checkout', 'add.js'), fixedAdd['add.js']);
  git('-C', 'checkout', 'commit', '-qam', 'fix');
  git('-C', 'checkout', 'bundle', 'create', '-q', join(folder, 'fix.bundle'), 'origin/base..base');
  const posted = await bytes(new Uint8Array(readFileSync(join(folder, 'fix.bundle'))), 'application/x-git-bundle');
  expect(posted.status, posted.text).toBe(202);
  expectProblem(await bytes('--- a/x\n'), 409, 'PATCH_TESTING');
  expect(await ada.result(id, 4, 25)).toMatchObject({ kind: 'bundle', state: 'proved' });
  expect(await system.whenEnded(id)).toMatchObject({ status: 'resolved', outcome: 'landed' });
});

test('what conflicts with a target that went on comes back to the queue, to be made on the new tip', async () => {
  const repository = system.repository(calculator);
  const id = await queuedMission(system, repository, { trust_requirements: {} });
  const { lease } = await ada.claim(id);
  await ada.post(lease, repository.diff(fixedAdd));
  const approval = await system.approval(id);
  const tip = repository.commit({ 'add.js': 'export const add = (a, b) => b - a;\n' });
  await system.decide(approval);
  await system.whenWaiting(id, 'agent');
  const again = await ada.claim(id);
  expect(again.base).toEqual({ commit: tip, tree: repository.tree() });
  expect(again.brief).toContain('conflicts with the target in add.js');
  const bundle = Buffer.from(await (await fetch(`${system.url}${again.links.bundle}`, { headers: { authorization: `Bearer ${key}` } })).arrayBuffer());
  expect(bundle.subarray(0, 200).toString()).toContain(`${tip} refs/heads/base`);
  await ada.post(again.lease, repository.diff(fixedAdd));
  await system.decide(await system.approval(id));
  expect(await system.whenEnded(id)).toMatchObject({ status: 'resolved', outcome: 'landed' });
});

test('the archive of the base has every byte of it, whatever the repository says of archives', async () => {
  const repository = system.repository({ ...calculator, '.gitattributes': '* export-ignore export-subst text eol=crlf\n', 'version.txt': '$Format:%H$\n' });
  const id = await queuedMission(system, repository);
  const archive = Buffer.from(await (await fetch(`${system.url}/mission-control/missions/${id}/base.tar.gz`, { headers: await system.headers('root', 'admin') })).arrayBuffer());
  const folder = join(system.home, 'archive');
  mkdirSync(folder);
  execFileSync('tar', ['-xz'], { cwd: folder, input: archive });
  for (const [name, text] of Object.entries(calculator)) expect(readFileSync(join(folder, name), 'utf8')).toBe(text);
  expect(readFileSync(join(folder, 'version.txt'), 'utf8')).toBe('$Format:%H$\n');
});

test('a mission with given candidates and nobody named ends as ever; one assigned to a queue agent goes on in the queue', async () => {
  const repository = system.repository(calculator);
  expect(await system.whenEnded((await system.send(repository, [repository.diff(brokenAdd)])).mission_id)).toMatchObject({ status: 'escalated' });
  const { mission_id: id } = await system.send(repository, [], { ...missionBody(repository, [repository.diff(brokenAdd)]), assigned_to: 'ada' });
  await system.whenWaiting(id, 'agent');
  const { brief, lease } = await ada.claim(id);
  expect(brief).toContain('required test failed: adds');
  await ada.post(lease, repository.diff(fixedAdd));
  expect(await system.whenEnded(id)).toMatchObject({ status: 'resolved', outcome: 'landed' });
});
