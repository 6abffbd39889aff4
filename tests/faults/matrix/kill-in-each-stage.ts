/** One mission that passes through its stages while one kind of process is killed in each of them. */
import { readdirSync, readFileSync } from 'node:fs';
import { expect } from 'vitest';
import { isAlive, identityOf, type ProcessIdentity } from '../../../src/processes.mjs';
import { codingStages, type StageName } from '../../../src/domain/stages.ts';
import { expectOneCleanLanding } from '../../support/aftermath.ts';
import { createCrashMission, doorOf, doors, type CrashMission, type CrashSystem } from '../../support/crash-mission.ts';
import { eventually, identities, killHard, missionEnd, restarted, type Part } from '../../support/launched.ts';
import type { Chance } from '../../support/seed.ts';
import { stageState, turnstile, type Turnstile } from '../../support/turnstile.ts';

/** What is killed. `command`: the setup, the agent, the tests or the stress run that the stage waits for; `all`: all five and the launcher. */
export const victims = ['api', 'worker', 'temporal', 'postgres', 'command', 'all'] as const;
export type Victim = (typeof victims)[number];

/** In other stages no command runs that could be killed. */
export const stagesOf = (victim: Victim): readonly StageName[] =>
  (victim === 'command' ? codingStages.filter((stage) => doorOf(stage) !== undefined) : codingStages);

/** Milliseconds from the process being back to the stage's recorded end. */
export type Recovery = Map<StageName, number>;

/**
 * Runs missions until the victim was killed in each of the stages, at most three: a record that slips through while the
 * database starts again can end a short stage before anybody could act in it.
 */
export async function killInEachStage(system: CrashSystem, victim: Victim, stages: readonly StageName[], by: Chance): Promise<Recovery> {
  const recovery: Recovery = new Map();
  for (let tries = 1; tries <= 3 && recovery.size < stages.length; tries += 1) {
    await oneMission(system, victim, stages.filter((stage) => !recovery.has(stage)), by, recovery);
  }
  expect([...recovery.keys()].sort(), 'stages that the fault fired in').toEqual([...stages].sort());
  return recovery;
}

async function oneMission(system: CrashSystem, victim: Victim, stages: readonly StageName[], by: Chance, recovery: Recovery): Promise<void> {
  const mission = await createCrashMission(system);
  const gate = turnstile(() => system.databaseUrl(), mission.mission_id);
  await gate.take();
  const fired = new Map<StageName, { back: number; died: number }>();
  // Answered only when its row can be written, which the turnstile sees to.
  const executed = mission.execute();
  for (const stage of codingStages) {
    if (await gate.untilStage(stage) === 'missed') continue;
    if (stages.includes(stage)) {
      await hold(mission, gate, stage);
      await new Promise((resolve) => { setTimeout(resolve, by.below(40)); });
      fired.set(stage, await kill(system, victim, mission, gate, stage, by));
    }
    const door = doorOf(stage);
    if (door !== undefined) mission.open(door);
    if (stage === 'governance_approval') await approve(mission, gate);
  }
  await executed;
  await gate.release();
  const ended = await missionEnd(system.launched, mission.mission_id);
  await expectOneCleanLanding(system, mission, ended, victim === 'command' ? 'any' : 'one');
  for (const [stage, { back, died }] of fired) {
    const { ended_at } = await stageState(system.databaseUrl(), mission.mission_id, stage);
    expect(ended_at, `${stage} ended after the kill`).toBeGreaterThanOrEqual(died);
    recovery.set(stage, Math.max(0, ended_at! - back));
  }
}

/** Brings the stage to where it is to be killed: at its door, or waiting for a person; a short one is held at its record. */
async function hold(mission: CrashMission, gate: Turnstile, stage: StageName): Promise<void> {
  const door = doorOf(stage);
  if (door !== undefined) await mission.begun(door);
  if (stage === 'governance_approval') await gate.until(() => mission.waitsForApproval());
}

/** Somebody approves; the landing meets another tip than the one that was tested. */
export async function approve(mission: CrashMission, gate: Turnstile): Promise<void> {
  await gate.until(() => mission.waitsForApproval());
  // The merged tree is tested, too.
  mission.moveTarget();
  let decided = false;
  const approved = mission.approve().then(() => { decided = true; });
  await gate.until(async () => decided);
  await approved;
}

/** Kills, having seen that the stage runs; what it finds afterwards is the fault that fired. */
async function kill(system: CrashSystem, victim: Victim, mission: CrashMission, gate: Turnstile, stage: StageName, by: Chance): Promise<{ back: number; died: number }> {
  const { started, ended } = await stageState(system.databaseUrl(), mission.mission_id, stage);
  expect(started - ended, `${stage} runs`).toBe(1);
  const killed = await dying(system, victim, mission, stage);
  expect(killed.map(isAlive), `${victim} alive in ${stage}`).toEqual(killed.map(() => true));
  const command = victim === 'command' ? await mission.begun(doors[stage as keyof typeof doors]) : 0;
  const died = Date.now();
  await Promise.all(by.shuffled(killed).map(killHard));
  const door = doorOf(stage);
  // Without its keeper the command lives on until the retry sweeps it away: that is what is waited for.
  if (victim === 'command' && stage === 'merge_changes') await eventually(async () => await mission.begun('merged') !== command);
  if (door !== undefined) mission.open(door);
  if (victim === 'all') {
    await gate.release();
    await system.launched.ended;
    const [relaunched] = await Promise.all([system.relaunch().then(() => Date.now()), gate.take()]);
    return { died, back: relaunched };
  }
  if (victim !== 'command') await restarted(system.launched, victim, killed[0]!);
  const back = Date.now();
  if (victim === 'postgres') await gate.take();
  return { died, back };
}

async function dying(system: CrashSystem, victim: Victim, mission: CrashMission, stage: StageName): Promise<ProcessIdentity[]> {
  if (victim === 'all') return Object.values(identities(system.launched));
  if (victim !== 'command') return [identities(system.launched)[victim satisfies Part]];
  const pid = await mission.begun(doors[stage as keyof typeof doors]);
  // Tests that die on the merged tree have failed there, and the mission ends; their keeper's death is the machine's fault.
  return [identityOf(stage === 'merge_changes' ? keeperOf(pid) : pid)];
}

/** The process that keeps the command: its nearest ancestor that runs our keeper. */
function keeperOf(pid: number): number {
  for (let at = pid; at > 1;) {
    if (readFileSync(`/proc/${at}/cmdline`, 'utf8').includes('keeper.js')) return at;
    const stat = readFileSync(`/proc/${at}/stat`, 'utf8');
    at = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
  }
  throw new Error(`no keeper above ${pid}; ${readdirSync('/proc').length} entries in /proc`);
}
