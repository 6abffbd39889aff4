/**
 * A workflow task that is lost with its worker is done again, and messages that came meanwhile go first: the record that has
 * the number of a written one says something else. What a lost task wrote is written here by hand;
 * `tests/faults/cut-connections.fault.ts` loses a real one.
 */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { systemActor } from '../../src/domain/actor.ts';
import type { EventType } from '../../src/domain/event.ts';
import { eventKey, sayingOf, type MissionRecord, type Noted } from '../../src/domain/record.ts';
import { pendingStage, type StageName, type StageRecord } from '../../src/domain/stages.ts';
import { applyRecord } from '../../src/store/missions.ts';
import { gatedMission } from '../support/gated-mission.ts';
import { startSystem, type System } from '../support/system.ts';

let system: System;
beforeAll(async () => {
  system = await startSystem();
  await system.startWorker();
});
afterAll(() => system.stop());

const told = async (id: string): Promise<string[]> =>
  (await system.reader.get<{ items: { type: string; payload: Record<string, unknown> }[] }>(`/mission-control/missions/${id}/timeline`))
    .items.map(({ type, payload }) => [type, payload['stage'] ?? payload['reason'], payload['outcome']].filter(Boolean).join(' '));

/** Writes, under the number of the mission's next record, that its tests passed and it is about to land. */
async function writeAhead(id: string): Promise<void> {
  const [row] = await system.db.database.query<{ record_seq: number }>('SELECT record_seq FROM missions WHERE mission_id = $1', [id]);
  const seq = row!.record_seq + 1;
  const at = new Date().toISOString();
  const stage = (name: StageName, status: StageRecord['status']): StageRecord => ({ ...pendingStage(name), status, attempt: 1, started_at: at });
  const noted = (type: EventType, payload: Record<string, unknown>): Noted =>
    ({ type, payload, actor: systemActor('worker'), subject: { mission_id: id, workflow_id: id, run_id: null, stage: String(payload['stage']), attempt: 1 } });
  const events = [noted('stage.ended', { stage: 'run_tests', attempt: 1, outcome: 'passed', evidence: [] }), noted('stage.started', { stage: 'merge_changes', attempt: 1 })];
  const record: MissionRecord = {
    mission_id: id, seq, state: { stage: 'merge_changes', progress: 91 }, stages: [stage('run_tests', 'passed'), stage('merge_changes', 'running')],
    events: events.map((event, index) => ({ ...event, idempotency_key: eventKey(id, event, { seq, place: index + 1 }) })),
  };
  expect(await system.db.database.transaction((query) => applyRecord(query, record, sayingOf(record, null)))).toBe('written');
}

test('a message that is handled instead is written, the row is as the mission is, and no fact is told twice', async () => {
  const { id, gate } = await gatedMission(system);
  await writeAhead(id);
  const operator = await system.as('operator', 'operator');
  await operator.post(`/mission-control/missions/${id}/pause`, { reason: 'wait for me' });
  const paused = await system.mission(id);
  expect(paused).toMatchObject({ paused: true, stage: 'run_tests' });
  expect(paused.progress).toBeLessThan(91);
  expect(system.stage(paused, 'run_tests')).toMatchObject({ status: 'running', ended_at: null });
  expect(system.stage(paused, 'merge_changes')).toMatchObject({ status: 'pending' });
  expect(await told(id)).toContain('mission.paused wait for me');

  await gate.open();
  await system.whenWaiting(id, 'pause');
  await operator.post(`/mission-control/missions/${id}/resume`, {});
  expect(await system.whenEnded(id)).toMatchObject({ status: 'resolved', outcome: 'landed', paused: false });
  const all = await told(id);
  for (const fact of ['stage.ended run_tests passed', 'stage.started merge_changes', 'mission.paused wait for me']) {
    expect(all.filter((one) => one === fact), fact).toHaveLength(1);
  }
});
