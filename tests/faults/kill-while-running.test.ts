/** `kill -9` of any process, or of all of them: the mission ends as if nothing had happened. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { codingStages, type StageRecord } from '../../src/domain/stages.ts';
import type { MissionDetail } from '../../src/domain/mission-view.ts';
import { calculator, fixedAdd, makeRepository, type TestRepository } from '../support/repository.ts';
import {
  eventually, identities, killHard, launch, makeGate, missionEnd, restarted, stopLaunched, type Gate, type Launched, type Part,
} from '../support/launched.ts';
import { forkServersOf, runningIn } from '../support/processes.ts';
import { missionBody } from '../support/system.ts';

let system: Launched;
beforeAll(async () => { system = await launch(); }, 180_000);
afterAll(() => stopLaunched(system), 30_000);

async function sendGated(more: Record<string, unknown> = {}): Promise<{ repository: TestRepository; gate: Gate; mission: MissionDetail }> {
  const gate = await makeGate(join(system.home, 'gates', Math.random().toString(36).slice(2)));
  const repository = makeRepository(join(system.home, 'repositories'), { ...calculator, 'test/gate.test.js': gate.source });
  const body = { ...missionBody(repository, [repository.diff(fixedAdd)]), execute: true, ...more };
  const mission = await system.api().post<MissionDetail>('/mission-control/missions', body);
  return { repository, gate, mission };
}

/** What must be true however often things died: every stage once, one merge, the tested tree on the branch. */
async function expectOneCleanLanding(mission: MissionDetail, repository: TestRepository): Promise<void> {
  expect(mission).toMatchObject({ status: 'resolved', outcome: 'landed' });
  expect(repository.log()).toHaveLength(2);
  expect(repository.tree()).toBe(mission.landed_tree);
  expect(repository.git('status', '--porcelain')).toBe('');
  const { items } = await system.api().get<{ items: StageRecord[] }>(`/mission-control/missions/${mission.mission_id}/stages`);
  expect(items.map((stage) => [stage.name, stage.attempt])).toEqual(expect.arrayContaining(codingStages.map((name) => [name, 1])));
  expect(items).toHaveLength(codingStages.length);
  expect(await endedStageEvents(mission.mission_id)).toBe(codingStages.length);
  expect(processesOf(mission.mission_id)).toEqual([]);
}

async function endedStageEvents(missionId: string): Promise<number> {
  const client = new pg.Client({ connectionString: readFileSync(system.run().database_url_file, 'utf8').trim() });
  await client.connect();
  try {
    const { rows } = await client.query<{ n: string }>("SELECT count(*) AS n FROM events WHERE mission_id = $1 AND type = 'stage.ended'", [missionId]);
    return Number(rows[0]!.n);
  } finally {
    await client.end();
  }
}

/** Commands of the mission that still run. */
const processesOf = (missionId: string): number[] => runningIn(system.home, missionId);

test.each<[Part, number]>([
  // What is killed, and how often the tests may have run: a dead worker's run is done again, anybody else's goes on.
  ['api', 1],
  ['postgres', 2],
  ['temporal', 2],
  ['worker', 2],
])('%s killed while the tests run', async (part, mostRuns) => {
  const { repository, gate, mission } = await sendGated();
  await gate.begun(1);
  const before = identities(system)[part];
  await killHard(before);
  await restarted(system, part, before);
  if (part === 'worker') await gate.begun(2);
  await gate.open();
  await expectOneCleanLanding(await missionEnd(system, mission.mission_id), repository);
  expect(gate.runs()).toBeLessThanOrEqual(mostRuns);
}, 90_000);

test("the worker's fork server killed while the tests run, and again and again until the landing", async () => {
  const { repository, gate, mission } = await sendGated();
  await gate.begun(1);
  const worker = identities(system).worker.pid;
  let killed = 0;
  const kill = (): void => {
    for (const server of forkServersOf(worker)) {
      // Already dead of the last time, maybe.
      try { process.kill(server, 'SIGKILL'); } catch { continue; }
      killed += 1;
    }
  };
  kill();
  const killing = setInterval(kill, 200);
  try {
    await gate.open();
    await expectOneCleanLanding(await missionEnd(system, mission.mission_id), repository);
  } finally {
    clearInterval(killing);
  }
  // The keeper of the tests does not need it; every git does.
  expect(gate.runs()).toBe(1);
  expect(killed).toBeGreaterThan(1);
}, 90_000);

test('everything killed at once while the tests run, then started again', async () => {
  const { repository, gate, mission } = await sendGated();
  await gate.begun(1);
  const { home } = system;
  await Promise.all(Object.values(identities(system)).map(killHard));
  await system.ended;
  system = await launch(home);
  await gate.begun(2);
  await gate.open();
  await expectOneCleanLanding(await missionEnd(system, mission.mission_id), repository);
}, 120_000);

test('only the launcher killed: the next start stops what it left and goes on', async () => {
  const { repository, gate, mission } = await sendGated();
  await gate.begun(1);
  const { home } = system;
  const before = identities(system);
  await killHard(before.launcher);
  await system.ended;
  system = await launch(home);
  expect(system.output.join('\n')).toContain('stopping what an earlier start left running');
  const after = identities(system);
  for (const part of ['api', 'worker', 'temporal', 'postgres'] as const) expect(after[part].pid).not.toBe(before[part].pid);
  await gate.open();
  await expectOneCleanLanding(await missionEnd(system, mission.mission_id), repository);
}, 120_000);

test.each<[Part]>([['worker'], ['temporal']])('%s killed while the landing is observed', async (part) => {
  const metric = `fault.${part}`;
  await system.api().put(`/mission-control/metrics/${metric}`, { comparator: '<', target: 1 });
  const { repository, gate, mission } = await sendGated({
    acceptance_criteria: {
      must_pass_tests: ['adds'], observation_window_minutes: 0.15,
      observation_window: {
        // On a busy machine a new worker needs some of the window's nine ticks to come up; too few samples are held for a person.
        initial_delay_seconds: 1, interval_seconds: 1, min_coverage: 0.1, min_samples: 2,
        metrics: [{ metric_id: metric, comparator: '<', target: 1, stale_after_seconds: 120, consecutive_error_limit: 8 }],
      },
    },
  });
  await gate.open();
  await eventually(async () => (await system.api().get<MissionDetail>(`/mission-control/missions/${mission.mission_id}`)).status === 'observing');
  await system.api().post(`/mission-control/metrics/${metric}/observations`, { value: 0 });
  const before = identities(system)[part];
  await killHard(before);
  await restarted(system, part, before);
  const ended = await missionEnd(system, mission.mission_id);
  await expectOneCleanLanding(ended, repository);
  expect(ended.ended_reason).toBe('every metric held for the whole window');
}, 90_000);

test('abort, with the worker killed just before it can act: nothing runs on, nothing is held, nothing landed', async () => {
  const { repository, gate, mission } = await sendGated();
  await gate.begun(1);
  const before = identities(system).worker;
  const killed = killHard(before);
  const abort = () => system.api().post(`/mission-control/missions/${mission.mission_id}/abort`, { reason: 'fault test' });
  await killed;
  // Either nobody was there (503, and nothing happened) or the next worker read it in time; asked again it must take.
  await abort().catch((error: { code: string }) => expect(error.code).toBe('WORKER_UNAVAILABLE'));
  await restarted(system, 'worker', before);
  await eventually(async () => {
    const { status } = await system.api().get<MissionDetail>(`/mission-control/missions/${mission.mission_id}`);
    if (status !== 'aborted') await abort();
    return status === 'aborted';
  });
  await eventually(() => processesOf(mission.mission_id).length === 0);
  expect(repository.log()).toHaveLength(1);
  const again = await system.api().post<MissionDetail>('/mission-control/missions', { ...missionBody(repository, [repository.diff(fixedAdd)]), execute: true });
  await gate.open();
  await expectOneCleanLanding(await missionEnd(system, again.mission_id), repository);
}, 90_000);

test('pause now, with the worker killed right after: nothing runs on; resumed, it lands once', async () => {
  const { repository, gate, mission } = await sendGated();
  const path = `/mission-control/missions/${mission.mission_id}`;
  await gate.begun(1);
  const before = identities(system).worker;
  await system.api().post(`${path}/pause`, { mode: 'now', reason: 'fault test' });
  await killHard(before);
  await restarted(system, 'worker', before);
  await eventually(async () => (await system.api().get<MissionDetail>(path)).waiting_on?.kind === 'pause');
  await eventually(() => processesOf(mission.mission_id).length === 0);
  await gate.open();
  await eventually(() => system.api().post(`${path}/resume`, {}));
  const ended = await missionEnd(system, mission.mission_id);
  expect(ended).toMatchObject({ status: 'resolved', outcome: 'landed' });
  expect(repository.log()).toHaveLength(2);
  expect(repository.tree()).toBe(ended.landed_tree);
}, 90_000);
