/** What the merge queue does when a landing is not simply the next one: conflicts, another tree than approved, freezes, reverts. */
import { existsSync, writeFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { systemActor } from '../../src/domain/actor.ts';
import type { MissionDetail } from '../../src/domain/mission-view.ts';
import type { ListedQueue } from '../../src/store/merge-queues.ts';
import { registerRepository } from '../../src/store/repositories.ts';
import { eventually } from '../support/launched.ts';
import { calculator, fixedAdd, type TestRepository } from '../support/repository.ts';
import { startSystem, testMetric, type System } from '../support/system.ts';

let system: System;
beforeAll(async () => {
  system = await startSystem();
  await system.startWorker();
});
afterAll(() => system.stop());

const lines = (changes: Record<number, string> = {}): string =>
  Array.from({ length: 12 }, (_, i) => `${changes[i + 1] ?? `export const line${i + 1} = ${i + 1};`}\n`).join('');

const operator = () => system.as('operator', 'operator');
const queueOf = async (repository: string): Promise<ListedQueue> => {
  const { items } = await (await operator()).get<{ items: ListedQueue[] }>('/mission-control/queues');
  return items.find((queue) => queue.repository_id === repository)!;
};
const repositoryOf = async (id: string): Promise<string> => {
  const [row] = await system.db.database.query<{ repository_id: string }>('SELECT repository_id FROM missions WHERE mission_id = $1', [id]);
  return row!.repository_id;
};
const word = async (repository: string, verb: 'freeze' | 'unfreeze', reason: string) =>
  (await operator()).post<{ frozen: unknown }>(`/mission-control/queues/${repository}/${verb}`, { target_branch: 'main', reason });
const timeline = async (id: string) =>
  (await system.reader.get<{ items: { type: string; payload: Record<string, string> }[] }>(`/mission-control/missions/${id}/timeline?limit=200`)).items;

test('a conflict goes back to the agent with the list of files, on the new tip, and is approved anew', async () => {
  writeFileSync(join(system.config.configFolder, 'reader.mjs'), [
    "import { readFileSync, writeFileSync } from 'node:fs';",
    "const brief = readFileSync(process.env.MISSION_BRIEF, 'utf8');",
    "writeFileSync('add.js', readFileSync('add.js', 'utf8').replace(/- (b|y)/, '+ $1') + (brief.includes('conflicts with the target in add.js') ? '// told\\n' : ''));",
  ].join('\n'));
  await system.configure('agents.yaml', 'agents: {reader: {argv: [node, ./reader.mjs], timeout_seconds: 20}}\n');
  const repository = system.repository(calculator);
  const { mission_id: id } = await system.send(repository, [], {
    assigned_to: 'reader', trust_requirements: {}, workspace: { repo_path: repository.path, patch_candidates: [] },
  });
  const first = await system.approval(id);
  const moved = repository.commit({ 'add.js': 'export const add = (x, y) => x - y;\n' });
  await system.decide(first);
  const second = await system.until(async () => {
    const approval = await system.approval(id);
    return approval.approval_id !== first.approval_id && approval;
  });
  expect(second.digests.git_tree).not.toBe(first.digests.git_tree);
  await system.decide(second);
  const mission = await system.whenEnded(id);
  expect(mission).toMatchObject({ status: 'resolved', outcome: 'landed' });
  expect(mission.stages.slice(0, 4).map((stage) => stage.attempt)).toEqual([2, 2, 2, 2]);
  expect(mission.remediation_history[0]!.result).toBe('merge_changes: conflicts with the target in add.js');
  expect(repository.git('show', 'main:add.js')).toBe('export const add = (x, y) => x + y;\n// told\n');
  expect(repository.log()[1]).toBe(moved);
});

test('a target that was rewritten from its root on is built on anew, as after a conflict', async () => {
  const repository = system.repository(calculator);
  const { mission_id: id } = await system.send(repository, [repository.diff(fixedAdd), repository.diff(fixedAdd)], { trust_requirements: {} });
  const first = await system.approval(id);
  const root = repository.git('commit-tree', repository.tree(), '-m', 'history begins here').trim();
  repository.git('update-ref', 'refs/heads/main', root);
  await system.decide(first);
  await system.decide(await system.until(async () => {
    const approval = await system.approval(id);
    return approval.approval_id !== first.approval_id && approval;
  }));
  const mission = await system.whenEnded(id);
  expect(mission).toMatchObject({ status: 'resolved', outcome: 'landed' });
  expect(mission.remediation_history[0]!.result).toBe('merge_changes: shares no history with the target, which was rewritten');
  expect(repository.log()[1]).toBe(root);
});

test('a merge that changes something else than was approved is tested, approved again for its own tree, and lands', async () => {
  const repository = system.repository({ ...calculator, 'lines.js': lines() });
  const { mission_id: id } = await system.send(repository, [repository.diff({ ...fixedAdd, 'lines.js': lines({ 6: '// six' }) })], { trust_requirements: {} });
  const first = await system.approval(id);
  // Near enough to be in what the patch shows, far enough to merge.
  repository.commit({ 'lines.js': lines({ 8: '// eight' }) });
  await system.decide(first);
  const second = await system.until(async () => {
    const approval = await system.approval(id);
    return approval.approval_id !== first.approval_id && approval;
  });
  expect(repository.log()).toHaveLength(2);
  await system.decide(second);
  const mission = await system.whenEnded(id);
  expect(mission).toMatchObject({ status: 'resolved', landed_tree: second.digests.git_tree });
  expect(repository.tree()).toBe(second.digests.git_tree);
  expect((await timeline(id)).filter((event) => ['approval.carried', 'tests.passed'].includes(event.type)).map((event) => event.payload['tree']))
    .toContain(second.digests.git_tree);
});

test('where policy carries no approval, the same patch on a moved branch is approved again', async () => {
  const { policy } = await (await operator()).get<{ policy: Record<string, unknown> }>('/mission-control/policy');
  await system.configure('policy.yaml', JSON.stringify({ ...policy, landing: { carry_approval: false } }));
  const repository = system.repository(calculator);
  const { mission_id: id } = await system.send(repository, [repository.diff(fixedAdd)], { trust_requirements: {} });
  const first = await system.approval(id);
  repository.commit({ 'notes.md': 'meanwhile\n' });
  await system.decide(first);
  const second = await system.until(async () => {
    const approval = await system.approval(id);
    return approval.approval_id !== first.approval_id && approval;
  });
  await system.configure('policy.yaml', JSON.stringify(policy));
  await system.decide(second);
  expect(await system.whenEnded(id)).toMatchObject({ status: 'resolved', landed_tree: second.digests.git_tree });
});

test('an origin that puts something else on the branch freezes it: a CAPA, a person told, nothing more lands until it is opened', async () => {
  const source = system.repository(calculator);
  const bare = join(system.home, 'rewriting.git');
  source.git('clone', '-q', '--bare', source.path, bare);
  const before = source.tip();
  // What a merge service once did to its users: it took the push and put another commit there.
  const hook = join(bare, 'hooks', 'post-receive');
  await mkdir(join(bare, 'hooks'), { recursive: true });
  writeFileSync(hook, `#!/bin/sh\ngit update-ref refs/heads/main ${before}\n`, { mode: 0o755 });
  const { repository_id } = await registerRepository(system.db.database, {
    name: 'rewriting', origin: `file://${bare}`, kind: 'url', default_branch: 'main', settings: { commands: {}, stress_thresholds: [], protected_paths: [] },
  }, systemActor('test'));
  const send = (files: Record<string, string>) => system.send(source, [], { workspace: { repository: 'rewriting', patch_candidates: [{ kind: 'diff', text: source.diff(files) }] } });

  const first = await system.whenEnded((await send(fixedAdd)).mission_id);
  expect(first).toMatchObject({ status: 'escalated' });
  expect(first.ended_reason).toContain('LANDING_VIOLATION');
  expect(await system.capa(first.capa_id!)).toMatchObject({ source: 'landing_violation' });
  const queue = await queueOf(repository_id);
  expect(queue.frozen).toMatchObject({ code: 'violation', mission_id: first.mission_id });
  const told = await system.db.database.query("SELECT 1 FROM events WHERE type = 'queue.frozen' AND mission_id = $1", [first.mission_id]);
  expect(told).toHaveLength(1);

  const { mission_id: second } = await send(fixedAdd);
  const waiting = await system.whenStatus(second, (m) => m.waiting_on?.kind === 'landing' && m.waiting_on.reason.includes('frozen'));
  expect(waiting.waiting_on).toMatchObject({ who: 'an operator, by missionctl merge-queue unfreeze' });
  expect((await queueOf(repository_id)).waiting).toMatchObject([{ mission_id: second, kind: 'land' }]);
  writeFileSync(hook, '#!/bin/sh\nexit 0\n', { mode: 0o755 });
  await word(repository_id, 'unfreeze', 'the hook is gone');
  expect(await system.whenEnded(second)).toMatchObject({ status: 'resolved' });
  await expect(word(repository_id, 'unfreeze', 'again')).rejects.toMatchObject({ status: 409, code: 'QUEUE_NOT_FROZEN' });
});

/** Sends and watches over the metric; `fail` makes its window fail. */
async function observed(repository: TestRepository, diff: string): Promise<MissionDetail> {
  const { mission_id } = await system.send(repository, [diff], {
    acceptance_criteria: {
      must_pass_tests: ['adds'], observation_window_minutes: 10,
      observation_window: { initial_delay_seconds: 0, interval_seconds: 0.2, metrics: [{ metric_id: testMetric, comparator: '<', target: 1, failure_limit: 0 }] },
    },
  });
  return system.whenStatus(mission_id, (mission) => mission.status === 'observing');
}
const fail = async () => (await system.as('monitor', 'operator', 'service')).post(`/mission-control/metrics/${testMetric}/observations`, { value: 9 });

test('a revert that conflicts freezes the branch, names what came later, and still nothing is forced', async () => {
  const repository = system.repository(calculator);
  const landed = await observed(repository, repository.diff(fixedAdd));
  const later = repository.commit({ 'add.js': 'export const add = (a, b) => b + a;\n' });
  await fail();
  const ended = await system.whenEnded(landed.mission_id);
  expect(ended.ended_reason).toContain('could not be rolled back');
  expect(await system.capa(ended.capa_id!)).toMatchObject({ source: 'revert_conflict' });
  const repositoryId = await repositoryOf(landed.mission_id);
  const { frozen } = await queueOf(repositoryId);
  expect(frozen).toMatchObject({ code: 'revert_conflict' });
  expect(frozen!.reason).toContain(`conflicts with the target in add.js; changed later by ${later.slice(0, 12)}`);
  expect(repository.tip()).toBe(later);
  await word(repositoryId, 'unfreeze', 'mended by hand');
});

test('frozen by an operator: landings wait, a revert does not', async () => {
  const repository = system.repository(calculator);
  const landed = await observed(repository, repository.diff(fixedAdd));
  const repositoryId = await repositoryOf(landed.mission_id);
  expect(await word(repositoryId, 'freeze', 'release day')).toMatchObject({ frozen: { code: 'operator', by: 'operator' } });
  const { mission_id: waits } = await system.send(repository, [repository.diff({ 'other.js': 'export const other = 1;\n' })], {
    acceptance_criteria: { must_pass_tests: [], observation_window_minutes: 0.005, observation_window: { metrics: 'none', reason: 'test' } },
  });
  await system.whenStatus(waits, (m) => m.waiting_on?.reason.includes('release day') === true);
  await fail();
  expect(await system.whenEnded(landed.mission_id)).toMatchObject({ outcome: 'rolled_back' });
  expect((await system.mission(waits)).waiting_on).toMatchObject({ kind: 'landing' });
  await word(repositoryId, 'unfreeze', 'released');
  expect(await system.whenEnded(waits)).toMatchObject({ status: 'resolved' });
});

test('a revert does not wait for the tests of a landing: they are ended, and run again on what the revert left', async () => {
  const folder = join(system.home, 'door');
  await mkdir(folder);
  const repository = system.repository({
    ...calculator,
    // Waits for ever where both changes are together.
    'test/door.test.js': [
      "import { existsSync, writeFileSync } from 'node:fs';", "import test from 'node:test';", "import { add } from '../add.js';",
      `test('door', { skip: add(2, 2) !== 4 || !existsSync('other.js') }, () => new Promise(() => { writeFileSync(${JSON.stringify(join(folder, 'waits'))}, ''); setInterval(() => undefined, 1000); }));`, '',
    ].join('\n'),
  });
  const { mission_id: interrupted } = await system.send(repository, [repository.diff({ 'other.js': 'export const other = 1;\n' })], {
    acceptance_criteria: { must_pass_tests: [], observation_window_minutes: 0.005, observation_window: { metrics: 'none', reason: 'test' } },
    trust_requirements: {},
  });
  const approval = await system.approval(interrupted);
  const landed = await observed(repository, repository.diff(fixedAdd));
  await system.decide(approval);
  await eventually(() => existsSync(join(folder, 'waits')));
  await fail();
  expect(await system.whenEnded(landed.mission_id)).toMatchObject({ outcome: 'rolled_back' });
  expect(await system.whenEnded(interrupted)).toMatchObject({ status: 'resolved', outcome: 'landed' });
  expect(repository.git('show', 'main:add.js')).toContain('a - b');
  expect(repository.git('show', 'main:other.js')).toContain('other');
  expect(repository.log()).toHaveLength(4);
});
