/**
 * F23: a mission cancelled in Temporal, or aborted, twice, in each of its stages: whatever it had is freed, and the ledger
 * and the branch say the same. Messages that come twice, late, or to the wrong one change nothing.
 */
import type { Client } from '@temporalio/client';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Approval } from '../../src/domain/approval.ts';
import type { MissionDetail } from '../../src/domain/mission-view.ts';
import { codingStages } from '../../src/domain/stages.ts';
import { expectNothingLeft, expectOneCleanLanding, expectWholeLedger } from '../support/aftermath.ts';
import { createCrashMission, doorOf, doors, launchForCrashes, type CrashMission, type CrashSystem } from '../support/crash-mission.ts';
import { engineOf, eventually, missionEnd, stopLaunched } from '../support/launched.ts';
import { turnstile } from '../support/turnstile.ts';
import { approve } from './matrix/kill-in-each-stage.ts';

let system: CrashSystem;
let temporal: Client;
beforeAll(async () => {
  system = await launchForCrashes();
  temporal = await engineOf(system.launched);
}, 180_000);
afterAll(async () => {
  await temporal.connection.close();
  await stopLaunched(system.launched);
}, 30_000);

/** Brings a new mission into the stage and leaves it there. */
async function heldIn(stage: (typeof codingStages)[number]): Promise<CrashMission> {
  const mission = await createCrashMission(system);
  const gate = turnstile(() => system.databaseUrl(), mission.mission_id);
  await gate.take();
  const executed = mission.execute();
  for (const name of codingStages.slice(0, codingStages.indexOf(stage) + 1)) {
    expect(await gate.untilStage(name)).toBe('running');
    const door = doorOf(name);
    if (name === stage) {
      if (door !== undefined) await mission.begun(door);
      break;
    }
    if (door !== undefined) mission.open(door);
    if (name !== 'governance_approval') continue;
    await approve(mission, gate);
  }
  await executed;
  await gate.release();
  return mission;
}

const hasLanded = (mission: CrashMission): boolean => mission.repository.tree() === mission.expectedTree;

test.each(codingStages)('cancelled twice in %s: it ends once, frees everything, and says what is on the branch', async (stage) => {
  const mission = await heldIn(stage);
  const handle = temporal.workflow.getHandle(mission.mission_id);
  await Promise.all([handle.cancel(), handle.cancel()]);
  // What was handed to the merge queue is brought to its end; everything else ends with its door closed.
  if (stage === 'merge_changes') mission.open('merged');
  const ended = await missionEnd(system.launched, mission.mission_id);
  const landed = codingStages.indexOf(stage) >= codingStages.indexOf('merge_changes');
  // The last stages may be over before the cancellation arrives.
  if (stage !== 'resolve_or_rollback' && stage !== 'collect_metrics') expect(ended).toMatchObject({ status: 'aborted', outcome: 'cancelled' });
  expect(hasLanded(mission)).toBe(landed);
  expect(ended.landed_tree).toBe(landed ? mission.expectedTree : null);
  const { items } = await system.launched.api().get<{ items: Approval[] }>(`/mission-control/approvals?status=waiting&mission_id=${mission.mission_id}`);
  expect(items).toEqual([]);
  await expectNothingLeft(system, [mission.mission_id]);
  await expectWholeLedger(system);
}, 120_000);

test('messages that come twice, too late, early, or for somebody else change nothing', async () => {
  const mission = await heldIn('run_tests');
  const handle = temporal.workflow.getHandle(mission.mission_id);
  const answer = { kind: 'landed', request_id: `${mission.mission_id}:land:9:9`, commit: 'f'.repeat(40), tree: 'f'.repeat(40), parents: [], onto: { commit: '', tree: '' }, carried: false, tested: true, evidence: [] };
  // An answer of a landing that nobody asked for, and the end of a mission that it does not depend on.
  for (let n = 0; n < 3; n += 1) {
    await handle.signal('landingResult', answer);
    await handle.signal('dependencyEnded', 'mission_20000101_001');
  }
  const late = { principal: { id: 'late', kind: 'person', role: 'admin' }, reason: 'late', mode: 'now', valid_until: new Date(Date.now() - 1_000).toISOString() };
  for (const name of ['abort', 'pause', 'resume', 'retry']) {
    const refused = await handle.executeUpdate(name, { args: [late] }).then(() => 'taken', (error: { cause?: { type?: string } }) => error.cause?.type);
    expect(refused, name).toBe('MESSAGE_EXPIRED');
  }
  for (const door of Object.values(doors)) mission.open(door);
  await eventually(() => mission.waitsForApproval());
  mission.moveTarget();
  const [approval] = (await system.launched.api().get<{ items: Approval[] }>(`/mission-control/approvals?status=waiting&mission_id=${mission.mission_id}`)).items;
  const decide = async (who: string, verb: 'approve' | 'reject'): Promise<string> => (await system.person(who, 'approver'))
    .post(`/mission-control/approvals/${approval!.approval_id}/${verb}`, { reason: 'at once', digests: approval!.digests })
    .then(() => verb, (error: { code: string }) => error.code);
  for (const who of ['ann', 'bob', 'cat']) await system.person(who, 'approver');
  // Approvals only, so that it lands whoever is first: the others are told that it is decided.
  const answers = await Promise.all(['ann', 'bob', 'cat', 'ann', 'bob', 'cat'].map((who) => decide(who, 'approve')));
  expect(answers.filter((said) => said === 'approve')).toHaveLength(1);
  expect(answers.filter((said) => said !== 'approve').every((said) => ['APPROVAL_DECIDED', 'MISSION_NOT_WAITING', 'APPROVAL_STALE'].includes(said)), String(answers)).toBe(true);
  const request = await eventually(async () => {
    const { items } = await system.launched.api().get<{ items: { type: string; payload: Record<string, unknown> }[] }>(`/mission-control/missions/${mission.mission_id}/timeline`);
    return items.filter(({ type }) => type === 'approval.decided');
  });
  expect(request).toHaveLength(1);
  const ended: MissionDetail = await missionEnd(system.launched, mission.mission_id);
  await expectOneCleanLanding(system, mission, ended, 'one');
}, 120_000);
