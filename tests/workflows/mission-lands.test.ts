import { existsSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { codingStages } from '../../src/domain/stages.ts';
import { brokenAdd, calculator, fixedAdd } from '../support/repository.ts';
import { startSystem, type System } from '../support/system.ts';

let system: System;
beforeAll(async () => {
  system = await startSystem();
  await system.startWorker();
});
afterAll(() => system.stop());

test('a good diff lands: eleven stages with evidence, the landed tree is the tested tree', async () => {
  const repository = system.repository(calculator);
  const base = repository.tip();
  const mission = await system.whenEnded((await system.send(repository, [repository.diff(fixedAdd)])).mission_id);

  expect(mission).toMatchObject({ status: 'resolved', outcome: 'landed', progress: 100, capa_id: null });
  expect(mission.stages.map((stage) => stage.name)).toEqual([...codingStages]);
  for (const stage of mission.stages) {
    expect(stage.evidence.length, stage.name).toBeGreaterThan(0);
    for (const item of stage.evidence) expect(existsSync(system.artifacts.pathOf(item.sha256))).toBe(true);
  }
  expect(repository.tip()).toBe(mission.landed_commit);
  expect(repository.tree()).toBe(mission.landed_tree);
  const tested = system.stage(mission, 'run_tests').evidence.find((item) => item.kind === 'test_run')!;
  expect(JSON.parse((await system.artifacts.read(tested.sha256)).toString())).toMatchObject({ tree: mission.landed_tree, exit_code: 0 });
  expect(repository.git('log', '-1', '--format=%P').trim().split(' ')[0]).toBe(base);
  // The user's checkout follows, and is clean.
  expect(repository.git('status', '--porcelain')).toBe('');
});

test('a diff that fails a named test is escalated with a CAPA, main untouched, the test named', async () => {
  const repository = system.repository(calculator);
  const base = repository.tip();
  const mission = await system.whenEnded((await system.send(repository, [repository.diff(brokenAdd)])).mission_id);

  expect(mission).toMatchObject({ status: 'escalated', outcome: 'failed', landed_commit: null });
  expect(mission.ended_reason).toContain('required test failed: adds');
  expect(repository.tip()).toBe(base);
  expect(system.stage(mission, 'merge_changes').status).toBe('pending');
  const capa = await system.capa(mission.capa_id!);
  expect(capa).toMatchObject({ state: 'OPENED', source: 'escalation', mission_id: mission.mission_id });
  expect(capa.problem_statement).toContain('adds');
  expect(capa.evidence.length).toBeGreaterThan(3);
});

test('the second candidate lands when the first fails', async () => {
  const repository = system.repository(calculator);
  const mission = await system.whenEnded(
    (await system.send(repository, [repository.diff(brokenAdd), repository.diff(fixedAdd)])).mission_id);
  expect(mission).toMatchObject({ status: 'resolved', outcome: 'landed' });
  expect(system.stage(mission, 'run_tests')).toMatchObject({ attempt: 2, status: 'passed' });
  expect(mission.remediation_history).toHaveLength(1);
  expect(repository.git('show', 'main:add.js')).toContain('a + b');
});

test('an approval is asked for, refused to the author, and lands the tree it was given for', async () => {
  const repository = system.repository(calculator);
  const { mission_id } = await system.send(repository, [repository.diff(fixedAdd)], { trust_requirements: {} });
  const approval = await system.approval(mission_id);
  expect(repository.log()).toHaveLength(1);

  const author = await system.as('agent', 'approver');
  const self = author.post(`/mission-control/approvals/${approval.approval_id}/approve`, { reason: 'mine' });
  await expect(self).rejects.toMatchObject({ status: 403, code: 'SELF_APPROVAL' });
  const other = { ...approval, digests: { ...approval.digests, git_tree: '0'.repeat(40) } };
  await expect(system.decide(other)).rejects.toMatchObject({ status: 409, code: 'APPROVAL_STALE' });

  const [one, two] = await Promise.allSettled([system.decide(approval, 'approve', 'anna'), system.decide(approval, 'approve', 'ben')]);
  expect([one, two].filter((result) => result.status === 'fulfilled')).toHaveLength(1);
  expect([one, two].find((result) => result.status === 'rejected')).toMatchObject({ reason: { status: 409, code: 'APPROVAL_DECIDED' } });
  const mission = await system.whenEnded(mission_id);
  expect(mission.status).toBe('resolved');
  expect(mission.landed_tree).toBe(approval.digests.git_tree);
});

test('a rejected change ends the mission and lands nothing', async () => {
  const repository = system.repository(calculator);
  const { mission_id } = await system.send(repository, [repository.diff(fixedAdd)], { severity: 'critical' });
  const approval = await system.approval(mission_id);
  expect(approval.rules).toContain('severity is critical');
  await system.decide(approval, 'reject');
  const mission = await system.whenEnded(mission_id);
  expect(mission).toMatchObject({ status: 'aborted', outcome: 'rejected' });
  expect(mission.ended_reason).toContain('rejected by approver');
  expect(repository.log()).toHaveLength(1);
});

test('what records rest on is in the history first: local activities are only those that answer the same when asked twice', async () => {
  const repository = system.repository(calculator);
  const first = await system.whenEnded((await system.send(repository, [repository.diff(fixedAdd)])).mission_id);
  const text = repository.diff({ 'more.js': 'export const more = 1;\n' });
  const then = await system.whenEnded((await system.send(repository, [], {
    acceptance_criteria: { observation_window_minutes: 0.01, observation_window: { metrics: 'none', reason: 'a test of the pipeline' } },
    workspace: { repo_path: repository.path, patch_candidates: [{ kind: 'diff', text }], dependencies: [first.mission_id] },
  })).mission_id);
  expect(then).toMatchObject({ outcome: 'landed' });
  const { events } = await system.temporal.workflow.getHandle(then.mission_id).fetchHistory();
  const durable = events!.map((event) => event.activityTaskScheduledEventAttributes?.activityType?.name);
  expect(durable).toEqual(expect.arrayContaining(['dependencies', 'collectMetrics']));
  const local = events!.flatMap((event) => event.markerRecordedEventAttributes?.details?.['data']?.payloads ?? [])
    .map((payload) => (JSON.parse(Buffer.from(payload.data!).toString('utf8')) as { activity_type?: string }).activity_type);
  const same = ['write', 'storeEvidence', 'digestForApproval', 'findAgent', 'chooseHost', 'hostState'];
  expect([...new Set(local)].filter((name) => name !== undefined && !same.includes(name))).toEqual([]);
  expect(local).toContain('write');
});
