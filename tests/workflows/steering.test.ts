import { afterAll, beforeAll, expect, test } from 'vitest';
import { gatedMission } from '../support/gated-mission.ts';
import { runningIn } from '../support/processes.ts';
import { calculator, fixedAdd } from '../support/repository.ts';
import { startSystem, type System } from '../support/system.ts';

let system: System;
beforeAll(async () => {
  system = await startSystem();
  await system.startWorker();
});
afterAll(() => system.stop());

const running = (id: string): number[] => runningIn(system.home, id);

const steer = async (id: string, verb: string, body: object = {}) =>
  (await system.as('operator', 'operator')).post<{ takes_effect: string }>(`/mission-control/missions/${id}/${verb}`, body);

test('abort while tests run kills them, leaves the branch and no worktree held', async () => {
  const { repository, id } = await gatedMission(system);
  expect(running(id).length).toBeGreaterThan(0);
  expect(await steer(id, 'abort', { reason: 'wrong idea' })).toMatchObject({ takes_effect: 'at once' });
  const mission = await system.whenEnded(id);
  expect(mission).toMatchObject({ status: 'aborted', outcome: 'cancelled', ended_reason: 'wrong idea' });
  expect(system.stage(mission, 'run_tests')).toMatchObject({ status: 'failed', reason: 'interrupted by abort' });
  expect(running(id)).toEqual([]);
  expect(repository.log()).toHaveLength(1);
  await system.temporal.workflow.getHandle(id).result();
  expect(await system.db.database.query('SELECT 1 FROM worktrees WHERE holder LIKE $1', [`${id}%`])).toEqual([]);
  await expect(steer(id, 'abort', { reason: 'again' })).rejects.toMatchObject({ status: 409, code: 'MISSION_ENDED' });
});

test('pause now stops the run; the mission says why it waits; resume runs the stage again and lands', async () => {
  const { gate, id } = await gatedMission(system);
  await steer(id, 'pause', { mode: 'now', reason: 'release freeze' });
  const paused = await system.whenWaiting(id, 'pause');
  expect(paused).toMatchObject({ paused: true, waiting_on: { kind: 'pause', reason: 'paused before run_tests', deadline: null } });
  expect(paused.waiting_on!.who).toContain('operator');
  expect(running(id)).toEqual([]);
  await steer(id, 'resume');
  await gate.begun(2);
  await gate.open();
  const mission = await system.whenEnded(id);
  expect(mission).toMatchObject({ status: 'resolved', paused: false, waiting_on: null });
  expect(system.stage(mission, 'run_tests')).toMatchObject({ attempt: 2, status: 'passed' });
  expect(system.stage(mission, 'pull_code')).toMatchObject({ attempt: 1 });
});

test('pause at the boundary lets the stage end and holds before the next', async () => {
  const { gate, id } = await gatedMission(system);
  expect(await steer(id, 'pause')).toMatchObject({ takes_effect: 'before the next stage' });
  await gate.open();
  const paused = await system.whenWaiting(id, 'pause');
  expect(system.stage(paused, 'run_tests').status).toBe('passed');
  expect(paused.waiting_on!.reason).toBe('paused before stress_tests');
  await steer(id, 'abort', { reason: 'not today' });
  expect(await system.whenEnded(id)).toMatchObject({ status: 'aborted' });
});

test('resume of what is not paused, retry of what is not parked: refused, nothing changed', async () => {
  const { gate, id } = await gatedMission(system);
  await expect(steer(id, 'resume')).rejects.toMatchObject({ status: 409, code: 'MISSION_NOT_WAITING' });
  await expect(steer(id, 'retry')).rejects.toMatchObject({ status: 409, code: 'MISSION_NOT_WAITING' });
  await gate.open();
  expect(await system.whenEnded(id)).toMatchObject({ status: 'resolved' });
});

test('a stage that fails for reasons of its surroundings parks the mission until somebody retries', async () => {
  const repository = system.repository({ ...calculator, '.mission-control.yaml': 'commands: {test: {argv: npm test}}\n' });
  const { mission_id: id } = await system.send(repository, [repository.diff(fixedAdd)]);
  const parked = await system.whenWaiting(id, 'operator');
  expect(parked.waiting_on!.reason).toMatch(/^fetch_context: SETTINGS_INVALID: .mission-control.yaml: commands.test.argv/);
  expect(parked.waiting_on).toMatchObject({ who: 'an operator, by retry or abort', on_deadline: 'escalate' });
  expect(Date.parse(parked.waiting_on!.deadline!)).toBeGreaterThan(Date.now() + 23 * 3_600_000);

  repository.commit({ '.mission-control.yaml': null });
  await steer(id, 'retry', { reason: 'settings removed' });
  const mission = await system.whenEnded(id);
  expect(mission).toMatchObject({ status: 'resolved' });
  expect(system.stage(mission, 'fetch_context')).toMatchObject({ attempt: 2, status: 'passed' });
});

test('an approval that still waits is withdrawn when its mission is aborted', async () => {
  const repository = system.repository(calculator);
  const { mission_id: id } = await system.send(repository, [repository.diff(fixedAdd)], { trust_requirements: {} });
  const approval = await system.approval(id);
  await steer(id, 'abort', { reason: 'no longer wanted' });
  await system.whenEnded(id);
  const { items } = await system.reader.get<{ items: { status: string }[] }>(`/mission-control/approvals?mission_id=${id}`);
  expect(items.map((item) => item.status)).toEqual(['withdrawn']);
  await expect(system.decide(approval)).rejects.toMatchObject({ status: 409, code: 'APPROVAL_DECIDED' });
});

test('a workflow cancelled in Temporal itself ends the mission as aborted and says so', async () => {
  const { repository, id } = await gatedMission(system);
  await system.temporal.workflow.getHandle(id).cancel();
  const mission = await system.whenEnded(id);
  expect(mission).toMatchObject({ status: 'aborted', ended_reason: 'the workflow was cancelled in Temporal' });
  expect(running(id)).toEqual([]);
  expect(repository.log()).toHaveLength(1);
});
