/**
 * F13: a worker is stopped like a process on a machine that sleeps, past its heartbeat; a second one on the same data
 * directory takes over; then the first wakes up and goes on where it was. What it still brings is refused.
 */
import { spawn } from 'node:child_process';
import { closeSync, existsSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { identityOf, isAlive, type ProcessIdentity } from '../../src/processes.mjs';
import { projectRoot } from '../../src/project.ts';
import { expectOneCleanLanding } from '../support/aftermath.ts';
import { createCrashMission, doors, launchForCrashes, type CrashSystem } from '../support/crash-mission.ts';
import { eventually, identities, killHard, missionEnd, stopLaunched } from '../support/launched.ts';
import { stageState } from '../support/turnstile.ts';

let system: CrashSystem;
beforeAll(async () => { system = await launchForCrashes(); }, 180_000);
afterAll(() => stopLaunched(system.launched), 30_000);

/** A worker beside the launcher's, started as that one is. */
async function secondWorker(): Promise<ProcessIdentity> {
  const { home } = system.launched;
  const log = join(home, 'logs', 'second-worker.log');
  const fd = openSync(log, 'a', 0o600);
  const child = spawn(process.execPath, ['--enable-source-maps', join(projectRoot, 'dist', 'worker', 'main.js')], {
    detached: true, stdio: ['ignore', fd, fd], env: {
      ...process.env, MISSION_CONTROL_HOME: home, MISSION_CONTROL_CONFIG: join(home, 'config'), DATABASE_URL: system.databaseUrl(),
      TEMPORAL_ADDRESS: system.launched.run().temporal_address, TEMPORAL_NAMESPACE: system.launched.run().temporal_namespace,
    },
  });
  closeSync(fd);
  await eventually(() => existsSync(log) && readFileSync(log, 'utf8').includes('worker.ready'));
  return identityOf(child.pid!);
}

test.each(['run_tests', 'stress_tests'] as const)('a worker that slept through %s wakes up to a mission that another one goes on with: one landing', async (stage) => {
  const mission = await createCrashMission(system);
  await mission.execute();
  const earlier = stage === 'run_tests' ? ['setup', 'agent'] as const : ['setup', 'agent', 'tests'] as const;
  for (const door of earlier) mission.open(door);
  const command = identityOf(await mission.begun(doors[stage]));
  const sleeper = identities(system.launched).worker;
  process.kill(sleeper.pid, 'SIGSTOP');
  const second = await secondWorker();
  try {
    // The heartbeat times out, the second worker clears the worktree and begins again: another process at the same door.
    await eventually(async () => !isAlive(command) && await mission.begun(doors[stage]) !== command.pid);
    process.kill(sleeper.pid, 'SIGCONT');
    const { started, ended } = await stageState(system.databaseUrl(), mission.mission_id, stage);
    expect([started, ended]).toEqual([1, 0]);
    for (const door of Object.values(doors)) mission.open(door);
    await eventually(() => mission.waitsForApproval());
    mission.moveTarget();
    await mission.approve();
    const end = await missionEnd(system.launched, mission.mission_id);
    expect(isAlive(sleeper)).toBe(true);
    await expectOneCleanLanding(system, mission, end, 'one');
  } finally {
    process.kill(sleeper.pid, 'SIGCONT');
    await killHard(second);
  }
}, 180_000);
