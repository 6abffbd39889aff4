/** What the workflow asks to be written: state and events that belong together, in one transaction. */
import type { Approval } from './approval.ts';
import type { MissionContext, RemediationEvent } from './mission-package.ts';
import type { MissionState } from './mission-view.ts';
import type { EventType, NewEvent } from './event.ts';
import type { StageRecord } from './stages.ts';
import type { AgentWorkChange } from './agent-work.ts';
import type { ReportedDetails, ReportKey } from './tracked.ts';

/** Only what changed; a field that is absent keeps its value. */
export type StateChange = Partial<Omit<MissionState, 'updated_at'>>;

export interface MissionRecord {
  mission_id: string;
  /** Counts the workflow's records from 1. A record that is not newer than the last one written changes nothing. */
  seq: number;
  /** State, stages, remediation and approval as the workflow has them, not only what changed: they replace what is there. */
  whole?: true;
  state: StateChange;
  context?: MissionContext;
  remediation?: RemediationEvent[];
  stages: StageRecord[];
  events: NewEvent[];
  /** Of a tracked mission: what was reported since the record before, and the keys it came with. */
  report?: { details: ReportedDetails; keys: ReportKey[]; at: string };
  /** Of a mission in the queue for agents. */
  agent_work?: AgentWorkChange;
}

/** What was written when another record had its number: the number of the last one. */
export interface Overtaken { last: number }

const time = /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z/g;

/**
 * What a record says, less when: times, how long things took, and the digests of evidence, which has times in it. A
 * workflow that comes to the same point a second time, with the same messages behind it, says the same there.
 */
export const sayingOf = (record: MissionRecord, approval: Approval | null): string =>
  JSON.stringify([record, approval], (key, value: unknown) => {
    if (key === 'duration_ms') return undefined;
    if (key === 'evidence' && Array.isArray(value)) return (value as { kind?: unknown }[]).map(({ kind }) => kind);
    return typeof value === 'string' ? value.replace(time, '') : value;
  });

/** An event that is not written yet. */
export type Noted = Omit<NewEvent, 'idempotency_key'>;

const inShort = (reason: unknown): string => (typeof reason === 'string' ? reason.replace(time, '').slice(0, 100) : '');

/** What a mission has or does once, by what tells it from others of its kind. */
const facts: Partial<Record<EventType, (event: Noted) => unknown[]>> = {
  'mission.started': () => [],
  'mission.status_changed': ({ payload }) => [payload['status'], payload['outcome'], inShort(payload['reason'])],
  'stage.started': ({ payload }) => [payload['stage'], payload['attempt']],
  'stage.ended': ({ payload }) => [payload['stage'], payload['attempt'], payload['outcome'], payload['outcome'] === 'failed' ? inShort(payload['reason']) : ''],
  'approval.requested': ({ payload }) => [payload['approval_id']],
  'approval.decided': ({ payload, actor }) => [payload['approval_id'], actor.id, payload['decision']],
  'lease.granted': ({ payload, actor }) => [payload['lease_id'], actor.id],
  'lease.lost': ({ payload }) => [payload['lease_id'], payload['end_reason']],
  'patch.posted': ({ payload }) => [payload['lease_id'], payload['number']],
  'merge.landed': ({ payload }) => [payload['commit']],
  'merge.reverted': ({ payload }) => [payload['commit']],
};

/**
 * An event's idempotency key, the same on every replay and retry: of a fact what it is, of everything else its place among
 * the mission's records. Never the clock.
 * @param at the record's number and the event's place in it, from 1
 */
export function eventKey(missionId: string, event: Noted, at: { seq: number; place: number }): string {
  const fact = facts[event.type];
  return [missionId, ...(fact === undefined ? [at.seq, at.place] : fact(event)), event.type].join(':');
}
