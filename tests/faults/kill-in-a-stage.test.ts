/** The quick part of the crash matrix (`npm run test:faults`): the worker killed in three stages of one mission, all at once in another. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { launchForCrashes, type CrashSystem } from '../support/crash-mission.ts';
import { stopLaunched } from '../support/launched.ts';
import { chance } from '../support/seed.ts';
import { killInEachStage } from './matrix/kill-in-each-stage.ts';

let system: CrashSystem;
const by = chance('kill in a stage');
beforeAll(async () => { system = await launchForCrashes(); }, 180_000);
afterAll(() => stopLaunched(system.launched), 30_000);

test.each([
  ['worker', ['fetch_context', 'branch_and_patch', 'merge_changes']],
  ['all', ['stress_tests']],
] as const)('%s killed in %s: one landing of the right tree, nothing twice, nothing left', async (victim, stages) => {
  const recovery = await killInEachStage(system, victim, stages, by);
  expect(recovery.size).toBe(stages.length);
}, 180_000);
