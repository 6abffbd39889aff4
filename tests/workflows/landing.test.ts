import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { LandingRequest } from '../../src/domain/landing.ts';
import type { MissionDetail } from '../../src/domain/mission-view.ts';
import { makeGate } from '../support/launched.ts';
import { calculator, fixedAdd, type TestRepository } from '../support/repository.ts';
import { startSystem, type System } from '../support/system.ts';

let system: System;
beforeAll(async () => {
  system = await startSystem();
  await system.startWorker();
});
afterAll(() => system.stop());

/** A mission that waits for its approval: the moment in which the world can still change under it. */
async function atApproval(repository: TestRepository, diff: string): Promise<{ id: string; approve: () => Promise<void> }> {
  const { mission_id: id } = await system.send(repository, [diff], { trust_requirements: {} });
  const approval = await system.approval(id);
  return { id, approve: () => system.decide(approval) };
}

test('the target moved: the merged tree is tested, the approval carried, both changes are on the branch', async () => {
  const repository = system.repository(calculator);
  const { id, approve } = await atApproval(repository, repository.diff(fixedAdd));
  const moved = repository.commit({ 'notes.md': 'another change\n' });
  await approve();
  const mission = await system.whenEnded(id);
  expect(mission).toMatchObject({ status: 'resolved' });
  expect(system.stage(mission, 'merge_changes')).toMatchObject({ status: 'passed', reason: 'tested again on the merged tree' });
  expect(repository.git('show', 'main:notes.md')).toBe('another change\n');
  expect(repository.git('show', 'main:add.js')).toContain('a + b');
  expect(repository.log()[1]).toBe(moved);
  const events = await system.reader.get<{ items: { type: string; payload: Record<string, string> }[] }>(`/mission-control/missions/${id}/timeline`);
  const carried = events.items.find((event) => event.type === 'approval.carried')!;
  expect(carried.payload['to_tree']).toBe(repository.tree());
});

test('the target moved and the tests fail on the merged tree only: nothing lands, the test is named', async () => {
  const repository = system.repository(calculator);
  const { id, approve } = await atApproval(repository, repository.diff({ ...fixedAdd, 'flag.js': 'export const strict = true;\n' }));
  const moved = repository.commit({
    'test/flag.test.js': [
      "import assert from 'node:assert/strict';", "import { existsSync } from 'node:fs';", "import test from 'node:test';",
      "test('no flag file', () => assert.equal(existsSync('flag.js'), false));", '',
    ].join('\n'),
  });
  await approve();
  const mission = await system.whenEnded(id);
  expect(mission).toMatchObject({ status: 'escalated', landed_commit: null });
  expect(mission.ended_reason).toContain('tests fail on the merged tree');
  expect(mission.ended_reason).toContain('no flag file');
  expect(repository.tip()).toBe(moved);
});

test('what landed as it was tested is not tested again as the base of the next mission', async () => {
  const gate = await makeGate(join(system.home, 'gate'));
  await gate.open();
  const repository = system.repository({ ...calculator, 'test/gate.test.js': gate.source });
  const first = await system.send(repository, [repository.diff(fixedAdd)]);
  expect(await system.whenEnded(first.mission_id)).toMatchObject({ status: 'resolved' });
  expect(gate.runs()).toBe(1);
  const second = await system.send(repository, [repository.diff({ 'notes.md': 'a note\n' })]);
  const ended = await system.whenEnded(second.mission_id);
  expect(ended).toMatchObject({ status: 'resolved' });
  expect(gate.runs()).toBe(2);
  // The run of the first mission is the evidence of the second one's base.
  const digests = (mission: MissionDetail, kind: string): string[] => system.stage(mission, 'run_tests').evidence.filter((item) => item.kind === kind).map((item) => item.sha256);
  expect(digests(ended, 'base_test_run')).toEqual(digests(await system.mission(first.mission_id), 'test_run'));
});

test('a conflict is answered with the files, and nothing lands', async () => {
  const repository = system.repository(calculator);
  const { id, approve } = await atApproval(repository, repository.diff(fixedAdd));
  const moved = repository.commit({ 'add.js': 'export const add = (x, y) => x - y;\n' });
  await approve();
  const mission = await system.whenEnded(id);
  expect(mission).toMatchObject({ status: 'escalated' });
  expect(mission.ended_reason).toContain('conflicts with the target in add.js');
  expect(repository.tip()).toBe(moved);
});

test('a dirty working copy in the origin: the mission waits and says why, and lands once it is clean', async () => {
  const repository = system.repository(calculator);
  const base = repository.tip();
  const { id, approve } = await atApproval(repository, repository.diff(fixedAdd));
  writeFileSync(join(repository.path, 'add.js'), '// being edited\n');
  await approve();
  const waiting = await system.whenStatus(id, (m) => m.waiting_on?.kind === 'landing' && m.waiting_on.reason.includes('working copy'));
  expect(waiting.waiting_on!.reason).toBe('the branch is checked out in the origin and its working copy has changes; commit or stash them');
  expect(repository.tip()).toBe(base);
  expect(repository.git('diff')).toContain('being edited');
  repository.git('checkout', '--', 'add.js');
  await (await system.as('operator', 'operator')).post(`/mission-control/missions/${id}/retry`, {});
  expect(await system.whenEnded(id)).toMatchObject({ status: 'resolved' });
});

test('a bare origin and one with another branch checked out land the same way', async () => {
  const source = system.repository(calculator);
  const diff = source.diff(fixedAdd);
  const bare = join(system.home, 'repositories', 'bare.git');
  source.git('clone', '-q', '--bare', source.path, bare);
  const first = await system.send({ ...source, path: bare }, [diff]);
  expect(await system.whenEnded(first.mission_id)).toMatchObject({ status: 'resolved' });
  expect(source.git('--git-dir', bare, 'show', 'main:add.js')).toContain('a + b');

  source.git('checkout', '-q', '-b', 'elsewhere');
  const second = await system.send(source, [diff], {
    workspace: { repo_path: source.path, target_branch: 'main', patch_candidates: [{ kind: 'diff', text: diff }] },
  });
  expect(await system.whenEnded(second.mission_id)).toMatchObject({ status: 'resolved' });
  expect(source.git('show', 'main:add.js')).toContain('a + b');
  expect(source.git('show', 'HEAD:add.js')).toContain('a - b');
});

test('hooks of the origin are not run by a landing', async () => {
  const repository = system.repository(calculator);
  const diff = repository.diff(fixedAdd);
  const canary = join(system.home, 'canary');
  for (const hook of ['pre-receive', 'update', 'post-receive', 'post-update', 'push-to-checkout', 'post-checkout', 'reference-transaction']) {
    writeFileSync(join(repository.path, '.git', 'hooks', hook), `#!/bin/sh\necho ${hook} >> ${canary}\n`, { mode: 0o755 });
  }
  const mission = await system.whenEnded((await system.send(repository, [diff])).mission_id);
  expect(mission.status).toBe('resolved');
  expect(existsSync(canary)).toBe(false);
  // They do run for anybody else: the test would notice one.
  repository.commit({ 'own.txt': 'by hand' });
  expect(existsSync(canary)).toBe(true);
});

test('ten missions on one branch at once: all land, one after the other, every landed tree was tested', async () => {
  const repository = system.repository(calculator);
  const sent = await Promise.all(Array.from({ length: 10 }, (_, i) => i).map((i) =>
    system.send(repository, [repository.diff({ [`part-${i}.js`]: `export const part = ${i};\n` })], {
      acceptance_criteria: { must_pass_tests: [], observation_window_minutes: 0.005, observation_window: { metrics: 'none', reason: 'test' } },
    })));
  const ended = await Promise.all(sent.map(({ mission_id }) => system.whenEnded(mission_id)));
  expect(ended.map((mission) => mission.ended_reason)).toEqual(ended.map(() => 'unobserved: test'));
  expect(repository.log()).toHaveLength(11);
  for (const mission of ended) {
    expect(repository.git('rev-parse', `${mission.landed_commit}^{tree}`).trim()).toBe(mission.landed_tree);
    const trees = await Promise.all([...system.stage(mission, 'run_tests').evidence, ...system.stage(mission, 'merge_changes').evidence]
      .filter((item) => item.kind === 'test_run').map(async (item) => JSON.parse((await system.artifacts.read(item.sha256)).toString()).tree as string));
    expect(trees).toContain(mission.landed_tree);
  }
}, 120_000);

test('the same landing asked for twice, also later, is one commit', async () => {
  const repository = system.repository(calculator);
  const mission = await system.whenEnded((await system.send(repository, [repository.diff(fixedAdd)])).mission_id);
  const history = await system.temporal.workflow.getHandle(mission.mission_id).fetchHistory();
  const scheduled = history.events!.find((event) => event.activityTaskScheduledEventAttributes?.activityType?.name === 'queueLanding')!;
  const payload = scheduled.activityTaskScheduledEventAttributes!.input!.payloads![0]!;
  const request = JSON.parse(Buffer.from(payload.data!).toString()) as LandingRequest;
  const queue = await system.temporal.workflow.signalWithStart('mergeQueue', {
    workflowId: `merge-queue:${request.repository_id}:main`, taskQueue: 'mission-control',
    args: [{ repository_id: request.repository_id, target_branch: 'main', waiting: [], done: [] }],
    signal: 'enqueueLanding', signalArgs: [request],
  });
  await queue.result();
  expect(repository.tip()).toBe(mission.landed_commit);
  expect(repository.log()).toHaveLength(2);
});
