import { afterAll, beforeAll, expect, test } from 'vitest';
import type { MissionDetail } from '../../src/domain/mission-view.ts';
import type { ObservationView } from '../../src/domain/observation-view.ts';
import { calculator, fixedAdd } from '../support/repository.ts';
import { keyFor } from '../support/http.ts';
import { startSystem, testMetric, type System } from '../support/system.ts';
import { tool } from '../cli/tool.ts';

let system: System;
let root: { url: string; key: string };
beforeAll(async () => {
  system = await startSystem();
  await system.startWorker();
  root = { url: system.url, key: await keyFor(system, 'root', 'admin') };
});
afterAll(() => system.stop());

const push = async (value: number) =>
  (await system.as('monitor', 'operator', 'service')).post(`/mission-control/metrics/${testMetric}/observations`, { value });
const observing = (seconds: number, window: object, targets: object[] = [{ metric_id: testMetric, comparator: '<', target: 1 }]) => ({
  acceptance_criteria: {
    must_pass_tests: ['adds'], metric_targets: targets, observation_window_minutes: seconds / 60,
    observation_window: { initial_delay_seconds: 0.5, interval_seconds: 0.75, min_samples: 2, min_coverage: 0.2, ...window },
  },
});
const viewOf = (id: string) => system.reader.get<ObservationView>(`/mission-control/missions/${id}/observation`);
const landed = (id: string): Promise<MissionDetail> => system.whenStatus(id, (mission) => mission.status === 'observing');

test('another landing in the window: with extend it is watched once more, alone, and then resolved; the samples give both verdicts again', async () => {
  const [repository, elsewhere] = [system.repository(calculator), system.repository(calculator)];
  // On the same subsystem, and ready to land the moment the first one is watched.
  const beside = await system.send(elsewhere, [elsewhere.diff(fixedAdd)], { trust_requirements: {} });
  const approval = await system.approval(beside.mission_id);
  const { mission_id: id } = await system.send(repository, [repository.diff(fixedAdd)], observing(12, {
    confounders: 'extend', max_extensions: 3, metrics: [{ metric_id: testMetric, comparator: '<', target: 1, stale_after_seconds: 600, inconclusive_limit: 10, consecutive_error_limit: 10 }],
  }, []));
  await landed(id);
  await push(0);
  await system.decide(approval);
  const other = await system.whenEnded(beside.mission_id);
  expect(other.status).toBe('resolved');
  expect(await system.whenEnded(id)).toMatchObject({ status: 'resolved', ended_reason: 'every metric held for the whole window' });

  const { windows } = await viewOf(id);
  expect(windows.map(({ state, verdict }) => [state, verdict!.verdict])).toEqual([['judged', 'INCONCLUSIVE'], ['judged', 'PASSED']]);
  expect(windows[0]!.confounders).toMatchObject([{ kind: 'landing', mission_id: other.mission_id }]);
  expect(windows[0]).toMatchObject({ revision: (await system.mission(id)).landed_commit });
  const timeline = await system.reader.get<{ items: { type: string }[] }>(`/mission-control/missions/${id}/timeline`);
  expect(timeline.items.filter((event) => event.type === 'observation.confounded')).toHaveLength(1);

  const same = await tool(['replay-window', id], root);
  expect(same).toMatchObject({ code: 0, err: '' });
  expect(same.out.match(/compared +the same/g)).toHaveLength(2);
  expect(same.out.match(/ PASS /g)!.length).toBe(windows.flatMap((one) => one.samples).filter((one) => one.kind === 'PASS').length);

  await system.db.database.query(`UPDATE window_samples SET kind = 'FAIL', reason = 'forged' WHERE mission_id = $1 AND window_no = 2 AND tick = 1`, [id]);
  const forged = await tool(['replay-window', id, '--json'], root);
  expect(forged.code).toBe(1);
  expect(forged.err).toContain('the samples of window 2 do not give the recorded verdict');
  expect(JSON.parse(forged.out)).toMatchObject({ windows: [{ same: true }, { same: false, verdict: { verdict: 'PASSED' }, rederived: { verdict: 'FAILED' } }] });
}, 120_000);

test('a window that a person ended, and a mission without a window, have nothing to compare: that is not the same as the same', async () => {
  const repository = system.repository(calculator);
  const { mission_id: id } = await system.send(repository, [repository.diff(fixedAdd)], observing(600, {}));
  await landed(id);
  expect((await tool(['replay-window', id], root)).code).toBe(1);
  await (await system.as('operator', 'operator')).post(`/mission-control/missions/${id}/observation`, { decision: 'rollback', reason: 'enough' });
  await system.whenEnded(id);
  expect((await viewOf(id)).windows).toMatchObject([{ state: 'decided', verdict: { verdict: 'FAILED', reason: 'decided by operator: rollback: enough' } }]);
  const ended = await tool(['replay-window', id], root);
  expect(ended).toMatchObject({ code: 1 });
  expect(ended.out).toContain('a person decided');
  expect((await tool(['replay-window', 'mission_20200101_001'], root)).code).toBe(2);
}, 120_000);

test('a window of more ticks than one run holds goes on in a second run, and its verdict is of every tick', async () => {
  const repository = system.repository(calculator);
  const { mission_id: id } = await system.send(repository, [repository.diff(fixedAdd)], observing(6.6, {
    initial_delay_seconds: 0, interval_seconds: 0.03, min_samples: 1, min_coverage: 0.005,
    metrics: [{ metric_id: testMetric, comparator: '<', target: 1, consecutive_error_limit: 500, inconclusive_limit: 500, stale_after_seconds: 60 }],
  }, []));
  // Nothing is measured: so the verdict is the same however many ticks a busy machine misses.
  await system.whenWaiting(id, 'observation');
  const [window] = (await viewOf(id)).windows;
  expect(window!.samples.map((sample) => sample.tick)).toEqual(Array.from({ length: 221 }, (_, tick) => tick));
  expect(window!.verdict).toMatchObject({ verdict: 'INCONCLUSIVE', metrics: [{ expected: 221, reason: '0 valid samples, 1 needed' }] });
  const workflow = `${id}:observation:1`;
  const last = await system.temporal.workflow.getHandle(workflow).describe();
  expect(last.raw.workflowExecutionInfo?.firstRunId).toBeTruthy();
  expect(last.raw.workflowExecutionInfo!.firstRunId).not.toBe(last.runId);
  const first = await system.temporal.workflow.getHandle(workflow, last.raw.workflowExecutionInfo!.firstRunId!).describe();
  expect([first.status.name, last.status.name]).toEqual(['CONTINUED_AS_NEW', 'COMPLETED']);
}, 120_000);
