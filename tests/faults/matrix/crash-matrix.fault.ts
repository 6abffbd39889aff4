/** F2: `kill -9` of each kind of process, and of all at once, in each of the eleven stages of a coding mission. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { launchForCrashes, type CrashSystem } from '../../support/crash-mission.ts';
import { stopLaunched } from '../../support/launched.ts';
import { chance } from '../../support/seed.ts';
import { killInEachStage, stagesOf, victims } from './kill-in-each-stage.ts';

let system: CrashSystem;
const by = chance('crash matrix');
beforeAll(async () => { system = await launchForCrashes(); }, 180_000);
afterAll(() => stopLaunched(system.launched), 30_000);

test.each(victims)('%s killed in every stage: one landing of the right tree, nothing twice, nothing left', async (victim) => {
  const recovery = await killInEachStage(system, victim, stagesOf(victim), by);
  expect(recovery.size).toBe(stagesOf(victim).length);
  const results = process.env['FAULTS_RESULTS'];
  if (results !== undefined) writeFileSync(join(results, `${victim}.json`), JSON.stringify({ [victim]: Object.fromEntries(recovery) }));
}, 600_000);
