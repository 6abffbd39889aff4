/** One ledger entry: the audit record, the live message and the timeline row are this one type. */
import type { Actor } from './actor.ts';

export const eventTypes = [
  'mission.created', 'mission.execute_requested', 'mission.started', 'mission.status_changed', 'mission.waiting',
  'mission.wait_ended', 'mission.paused', 'mission.resumed', 'mission.abort_requested', 'mission.retried',
  'mission.progress', 'mission.stalled', 'mission.moved', 'template.added', 'template.removed',
  'lease.granted', 'lease.lost', 'patch.posted',
  'stage.started', 'stage.ended', 'tests.passed', 'candidates.bundled',
  'approval.requested', 'approval.decided', 'approval.automatic', 'approval.expired', 'approval.carried',
  'merge.landed', 'merge.reverted', 'merge.refused', 'merge.violation', 'queue.frozen', 'queue.unfrozen',
  'observation.decided', 'observation.ended', 'observation.confounded', 'observation.detector_blind',
  'budget.warning', 'budget.exhausted', 'control.stopped',
  'finding.opened', 'finding.state_changed', 'finding.recurred', 'finding.resolved', 'silence.added', 'silence.removed',
  'subsystem.health_changed',
  'healing.requested', 'healing.planned', 'healing.step_started', 'healing.step_ended', 'healing.verified', 'healing.ended',
  'healing.ineffective', 'playbook.quarantined', 'playbook.released',
  'capa.opened', 'capa.recurred', 'capa.edited', 'capa.transitioned', 'capa.overdue', 'capa.effectiveness_measured',
  'notification.delivered', 'notification.failed', 'notification.test_requested',
  'repository.registered', 'metric.defined', 'key.added', 'key.revoked', 'session.started', 'session.ended', 'signing_key.added',
  'log_key.added', 'payload.redacted',
] as const;
export type EventType = (typeof eventTypes)[number];

export interface EventSubject {
  mission_id: string | null;
  workflow_id: string | null;
  run_id: string | null;
  stage: string | null;
  attempt: number | null;
}

/** An event about to be written. Its idempotency key makes a second write of the same fact a no-op. */
export interface NewEvent {
  type: EventType;
  actor: Actor;
  subject: EventSubject;
  payload: Record<string, unknown>;
  idempotency_key: string;
}

/** An event as stored. `ts` is RFC 3339 UTC. */
export interface StoredEvent extends NewEvent {
  event_id: string;
  ts: string;
  payload_digest: string;
  /** What it points at: `sha256:<hex>` of an artefact, `git:<commit>`. Sealed with the record. */
  links: readonly string[];
}

/** An event in its place in the ledger: `seq` counts from 1 without gaps and is the cursor of every reader. */
export interface SealedEvent extends StoredEvent {
  seq: number;
  sealed_at: string;
  /** Of the payload or of the mission it is about; for filters, not part of the record. */
  subsystem_id: string | null;
}

export const noSubject: EventSubject = { mission_id: null, workflow_id: null, run_id: null, stage: null, attempt: null };

/** What a payload points at, so that the record still says it when the payload is redacted. */
export function linksOf(payload: Record<string, unknown>): string[] {
  const evidence = Array.isArray(payload['evidence']) ? payload['evidence'] as { sha256?: unknown }[] : [];
  return [
    ...evidence.flatMap((item) => (typeof item?.sha256 === 'string' ? [`sha256:${item.sha256}`] : [])),
    ...(typeof payload['commit'] === 'string' ? [`git:${payload['commit']}`] : []),
  ];
}
