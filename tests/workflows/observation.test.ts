import { afterAll, beforeAll, expect, test } from 'vitest';
import type { MissionDetail } from '../../src/domain/mission-view.ts';
import { calculator, fixedAdd, type TestRepository } from '../support/repository.ts';
import { startSystem, testMetric, type System } from '../support/system.ts';

let system: System;
beforeAll(async () => {
  system = await startSystem();
  await system.startWorker();
});
afterAll(() => system.stop());

const target = { metric_id: testMetric, comparator: '<', target: 1 };

/** A mission that landed and is being watched for `seconds`. */
async function observed(seconds: number, window: Record<string, unknown> = {}): Promise<{ repository: TestRepository; mission: MissionDetail }> {
  const repository = system.repository(calculator);
  const { mission_id } = await system.send(repository, [repository.diff(fixedAdd)], {
    acceptance_criteria: {
      must_pass_tests: ['adds'], metric_targets: [target], observation_window_minutes: seconds / 60,
      // Ticks far enough apart that a busy machine misses none of importance.
      observation_window: { initial_delay_seconds: 0.5, interval_seconds: 0.75, min_samples: 2, min_coverage: 0.4, ...window },
    },
  });
  return { repository, mission: await system.whenStatus(mission_id, (mission) => mission.status === 'observing') };
}

const push = async (value: number, more: Record<string, unknown> = {}, who = 'monitor') =>
  (await system.as(who, 'operator', 'service')).post(`/mission-control/metrics/${testMetric}/observations`, { value, ...more });

test('a metric that holds for the whole window resolves the mission', async () => {
  const { mission } = await observed(4);
  await push(0, { observed_revision: mission.landed_commit });
  const ended = await system.whenEnded(mission.mission_id);
  expect(ended).toMatchObject({ status: 'resolved', ended_reason: 'every metric held for the whole window' });
  const [table] = system.stage(ended, 'observation_window').evidence;
  const { samples } = JSON.parse((await system.artifacts.read(table!.sha256)).toString()) as { samples: { kind: string }[] };
  expect(samples).toHaveLength(5);
});

test('a metric that goes bad: a revert commit, the tree from before, a CAPA', async () => {
  const { repository, mission } = await observed(600);
  const before = repository.tree('main^1');
  await push(0);
  await push(7);
  const ended = await system.whenEnded(mission.mission_id);
  expect(ended).toMatchObject({ status: 'escalated', outcome: 'rolled_back' });
  expect(ended.ended_reason).toContain('7 is not < 1');
  expect(repository.tree()).toBe(before);
  expect(repository.log()).toHaveLength(3);
  expect(repository.git('log', '-1', '--format=%B')).toContain(`This reverts commit ${mission.landed_commit}`);
  expect(repository.git('status', '--porcelain')).toBe('');
  expect(await system.capa(ended.capa_id!)).toMatchObject({ source: 'rollback', state: 'OPENED' });
});

test('a rollback after another landing undoes only its own change', async () => {
  const { repository, mission } = await observed(600);
  repository.commit({ 'later.js': 'export const later = 1;\n' });
  await push(7);
  const ended = await system.whenEnded(mission.mission_id);
  expect(ended).toMatchObject({ outcome: 'rolled_back' });
  expect(repository.git('show', 'main:later.js')).toContain('later = 1');
  expect(repository.git('show', 'main:add.js')).toContain('a - b');
});

test('no sample at all: held for a person, and at the deadline rolled back, never resolved by itself', async () => {
  const { repository, mission } = await observed(3, { decision_deadline_minutes: 0.05 });
  const held = await system.whenWaiting(mission.mission_id, 'observation');
  expect(held.waiting_on!.reason).toMatch(/^INCONCLUSIVE: .*without a usable sample/);
  expect(held.waiting_on).toMatchObject({ on_deadline: 'rollback' });
  const ended = await system.whenEnded(mission.mission_id);
  expect(ended).toMatchObject({ status: 'escalated', outcome: 'rolled_back' });
  expect(repository.git('show', 'main:add.js')).toContain('a - b');
});

test('samples of another revision, of before the landing and of the author do not count', async () => {
  await push(0);
  const { mission } = await observed(3, { on_inconclusive: 'rollback' });
  await push(0, { observed_revision: '0'.repeat(40) });
  await push(0, {}, 'agent');
  const ended = await system.whenEnded(mission.mission_id);
  expect(ended).toMatchObject({ status: 'escalated', outcome: 'rolled_back' });
  const [table] = system.stage(ended, 'observation_window').evidence;
  const { samples } = JSON.parse((await system.artifacts.read(table!.sha256)).toString()) as { samples: { kind: string }[] };
  const kinds = new Set(samples.map((sample) => sample.kind));
  expect(kinds).toContain('WRONG_REVISION');
  expect(kinds).not.toContain('PASS');
}, 60_000);

const decide = async (id: string, decision: string, who = 'operator') =>
  (await system.as(who, 'operator')).post<{ takes_effect: string }>(`/mission-control/missions/${id}/observation`, { decision, reason: 'looked at the graphs' });

test('a held window is resolved by a person, not by the author; before its end nobody can resolve it', async () => {
  const { mission } = await observed(2);
  await expect(decide(mission.mission_id, 'resolve')).rejects.toMatchObject({ status: 409, code: 'MISSION_NOT_WAITING' });
  await system.whenWaiting(mission.mission_id, 'observation');
  await expect(decide(mission.mission_id, 'resolve', 'agent')).rejects.toMatchObject({ status: 403, code: 'SELF_APPROVAL' });
  await decide(mission.mission_id, 'resolve');
  const ended = await system.whenEnded(mission.mission_id);
  expect(ended).toMatchObject({ status: 'resolved', outcome: 'landed' });
  expect(ended.ended_reason).toMatch(/^decided by operator: resolve: looked at the graphs \(the window: INCONCLUSIVE: /);
});

test('a person rolls back in the middle of the window', async () => {
  const { repository, mission } = await observed(600);
  await decide(mission.mission_id, 'rollback');
  const ended = await system.whenEnded(mission.mission_id);
  expect(ended).toMatchObject({ outcome: 'rolled_back' });
  expect(ended.ended_reason).toContain('decided by operator: rollback');
  expect(repository.git('show', 'main:add.js')).toContain('a - b');
});

test('a held window that is extended is watched once more, and what it shows then counts', async () => {
  const { mission } = await observed(3);
  await system.whenWaiting(mission.mission_id, 'observation');
  await push(0);
  await decide(mission.mission_id, 'extend');
  expect(await system.whenStatus(mission.mission_id, (m) => m.waiting_on === null)).toMatchObject({ status: 'observing' });
  const ended = await system.whenEnded(mission.mission_id);
  expect(ended).toMatchObject({ status: 'resolved', ended_reason: 'every metric held for the whole window' });
});

test('on_inconclusive: extend watches again by itself, as often as it may', async () => {
  const { mission } = await observed(2, { on_inconclusive: 'extend', max_extensions: 1, decision_deadline_minutes: 0.02 });
  const ended = await system.whenEnded(mission.mission_id);
  expect(ended).toMatchObject({ outcome: 'rolled_back' });
  const windows = await system.db.database.query<{ window_no: number }>('SELECT DISTINCT window_no FROM window_samples WHERE mission_id = $1 ORDER BY 1', [mission.mission_id]);
  expect(windows.map((row) => row.window_no)).toEqual([1, 2]);
});

test('an abort in the window ends the watching and says that the change stays', async () => {
  const { repository, mission } = await observed(600);
  await (await system.as('operator', 'operator')).post(`/mission-control/missions/${mission.mission_id}/abort`, { reason: 'enough' });
  const ended = await system.whenEnded(mission.mission_id);
  expect(ended).toMatchObject({ status: 'aborted', landed_commit: mission.landed_commit });
  expect(ended.ended_reason).toContain('stays landed');
  expect(repository.tip()).toBe(mission.landed_commit);
});
