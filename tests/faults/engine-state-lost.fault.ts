/** F4: Temporal killed, its file deleted or damaged: what it ran is ended and says so, nothing is run again, and work goes on. */
import { readdirSync, statSync, truncateSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Capa } from '../../src/domain/capa.ts';
import type { MissionDetail } from '../../src/domain/mission-view.ts';
import { expectWholeLedger } from '../support/aftermath.ts';
import { createCrashMission, launchForCrashes, type CrashMission, type CrashSystem } from '../support/crash-mission.ts';
import { eventually, identities, killHard, missionEnd, restarted, stopLaunched } from '../support/launched.ts';
import { runningIn } from '../support/processes.ts';

let system: CrashSystem;
beforeAll(async () => { system = await launchForCrashes(); }, 180_000);
afterAll(() => stopLaunched(system.launched), 30_000);

const missionOf = ({ mission_id }: CrashMission): Promise<MissionDetail> => system.launched.api().get(`/mission-control/missions/${mission_id}`);
const engineFile = (): string => join(system.launched.home, 'temporal.sqlite');

const setAside = (): string[] => readdirSync(system.launched.home).filter((name) => /\.damaged-[\dTZ-]+$/.test(name));

async function killEngine(meanwhile: () => void | Promise<void>): Promise<void> {
  const before = identities(system.launched).temporal;
  // The file goes first: between kill and restart there is no time.
  await meanwhile();
  await killHard(before);
  await restarted(system.launched, 'temporal', before);
}

async function heldByItsTests(): Promise<CrashMission> {
  const mission = await createCrashMission(system, { trust_requirements: { requires_governance_approval: false } });
  await mission.execute();
  for (const door of ['setup', 'agent'] as const) mission.open(door);
  await mission.begun('tests');
  return mission;
}

async function expectLost(mission: CrashMission): Promise<void> {
  const ended = await missionEnd(system.launched, mission.mission_id);
  expect(ended).toMatchObject({ status: 'escalated', outcome: 'failed', waiting_on: null });
  expect(ended.ended_reason).toMatch(/^ENGINE_STATE_LOST: Temporal does not know its workflow/);
  expect(ended.stages.find((stage) => stage.name === 'run_tests')).toMatchObject({ status: 'failed', attempt: 1 });
  const capa = await system.launched.api().get<Capa>(`/mission-control/capa/${ended.capa_id}`);
  expect(capa).toMatchObject({ mission_id: mission.mission_id, source: 'escalation' });
  // Its tests are let go, and nothing comes of it.
  mission.open('tests');
  await eventually(() => runningIn(system.launched.home, mission.mission_id).length === 0);
  expect(mission.repository.log()).toHaveLength(1);
}

async function expectWorkGoesOn(): Promise<void> {
  const next = await createCrashMission(system, { trust_requirements: { requires_governance_approval: false } });
  await next.execute();
  for (const door of ['setup', 'agent', 'tests', 'stress'] as const) next.open(door);
  expect(await missionEnd(system.launched, next.mission_id)).toMatchObject({ status: 'resolved', outcome: 'landed' });
  await expectWholeLedger(system);
}

test('the file deleted: a started mission is ended with ENGINE_STATE_LOST and a CAPA, one that waits to be started is not harmed', async () => {
  const mission = await heldByItsTests();
  const unstarted = await createCrashMission(system);
  await killEngine(async () => { for (const end of ['', '-wal', '-shm']) await rm(`${engineFile()}${end}`, { force: true }); });
  await expectLost(mission);
  expect(await missionOf(unstarted)).toMatchObject({ status: 'open', outcome: null });
  await expectWorkGoesOn();
}, 180_000);

test.each([['to half of it', 0.5], ['to nothing', 0]])('the file truncated %s: set aside, and the same', async (_, share) => {
  const before = setAside().length;
  const mission = await heldByItsTests();
  await killEngine(async () => {
    await rm(`${engineFile()}-wal`, { force: true });
    truncateSync(engineFile(), Math.floor(statSync(engineFile()).size * share));
  });
  await expectLost(mission);
  await expectWorkGoesOn();
  expect(setAside()).toHaveLength(before + 1);
}, 180_000);
