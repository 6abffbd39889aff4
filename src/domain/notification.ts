/** What people are told of: events become notifications here, and only here. */
import type { EventType, StoredEvent } from './event.ts';
import { severities, type Severity } from './mission.ts';
import { oneLine } from './plain-text.ts';

export const notificationKinds = [
  'approval_waiting', 'parked', 'stalled', 'escalated', 'rolled_back', 'finding_opened', 'capa_overdue', 'budget', 'stopped', 'queue_frozen',
] as const;
export type NotificationKind = (typeof notificationKinds)[number];

/** Beside the kinds that can be routed: a message sent to try a channel, and one that sums up what went over its limit. */
export const deliveryKinds = [...notificationKinds, 'test', 'digest'] as const;
export type DeliveryKind = (typeof deliveryKinds)[number];

/** Events that may become a notification. The trigger that collects them holds the same list; a test compares. */
export const notifyingEventTypes = [
  'mission.waiting', 'mission.stalled', 'mission.status_changed', 'merge.violation', 'queue.frozen', 'finding.opened', 'capa.overdue',
  'budget.warning', 'budget.exhausted', 'control.stopped', 'notification.test_requested',
] as const satisfies readonly EventType[];
type NotifyingEventType = (typeof notifyingEventTypes)[number];

export interface Notification {
  event_id: string;
  at: string;
  kind: NotificationKind | 'test';
  severity: Severity;
  /** null: it concerns the whole system. */
  subsystem_id: string | null;
  mission_id: string | null;
  /** One line, capped: safe as a subject. */
  title: string;
  body: string;
  /** Path in our API, or null when there is nothing to look at. */
  link: string | null;
}

/** What the mission of an event says about itself. */
export interface MissionFacts { title: string; subsystem_id: string; severity: Severity }

export type NotifyingEvent = Pick<StoredEvent, 'event_id' | 'ts' | 'type' | 'payload'> & { subject: { mission_id: string | null } };

const maxTitle = 150;
const maxBody = 1_000;

/** How grave a kind is when neither event nor mission says so: an unknown severity is never a low one. */
const severityOf: Readonly<Record<NotificationKind | 'test', Severity>> = {
  approval_waiting: 'medium', parked: 'high', stalled: 'medium', escalated: 'high', rolled_back: 'high', finding_opened: 'high', capa_overdue: 'high',
  budget: 'high', stopped: 'critical', queue_frozen: 'critical', test: 'low',
};

/** Kinds that are grave whatever their mission's severity is: they hold up others too. */
const own: readonly (NotificationKind | 'test')[] = ['stopped', 'queue_frozen', 'test'];

const leadOf: Readonly<Record<NotificationKind | 'test', string>> = {
  approval_waiting: 'Approval waiting', parked: 'Waiting for an operator', stalled: 'No report', escalated: 'Escalated', rolled_back: 'Rolled back',
  finding_opened: 'Finding', capa_overdue: 'CAPA overdue', budget: 'Budget', stopped: 'Stopped', queue_frozen: 'Merge queue frozen', test: 'Test',
};

/**
 * The notification that an event is, or null for one that nobody needs to be told of. Everything in the payload may be
 * hostile or missing; what is missing is said in general words, never guessed.
 */
export function notificationFor(event: NotifyingEvent, mission: MissionFacts | null): Notification | null {
  const type = notifyingEventTypes.find((one) => one === event.type);
  const kind = type === undefined ? null : kindOf(type, event.payload);
  if (kind === null) return null;
  const said = (...names: string[]): string | null => textAt(event.payload, names);
  const missionId = event.subject.mission_id ?? said('mission_id');
  const what = mission?.title ?? said('title', 'rule', 'capa_id', 'target_branch', 'budget', 'scope') ?? missionId ?? '';
  return {
    event_id: event.event_id, at: event.ts, kind,
    severity: (own.includes(kind) ? undefined : severityIn(said('severity')) ?? mission?.severity) ?? severityOf[kind],
    subsystem_id: said('subsystem_id') ?? mission?.subsystem_id ?? null,
    mission_id: missionId,
    title: oneLine(what === '' ? leadOf[kind] : `${leadOf[kind]}: ${what}`, maxTitle),
    body: oneLine(said('reason', 'problem_statement', 'description', 'summary', 'message') ?? 'no reason was given', maxBody),
    link: linkTo(kind, missionId, said('capa_id')),
  };
}

function kindOf(type: NotifyingEventType, payload: Record<string, unknown>): Notification['kind'] | null {
  switch (type) {
    case 'mission.waiting': return waitKind(payload['kind']);
    case 'mission.stalled': return 'stalled';
    case 'mission.status_changed':
      if (payload['status'] !== 'escalated') return null;
      return payload['outcome'] === 'rolled_back' ? 'rolled_back' : 'escalated';
    case 'merge.violation': case 'queue.frozen': return 'queue_frozen';
    case 'finding.opened': return 'finding_opened';
    case 'capa.overdue': return 'capa_overdue';
    case 'budget.warning': case 'budget.exhausted': return 'budget';
    case 'control.stopped': return 'stopped';
    case 'notification.test_requested': return 'test';
  }
}

/** Only the waits that a person ends. An observation window waits visibly when it could not judge and is held for one. */
function waitKind(kind: unknown): NotificationKind | null {
  switch (kind) {
    case 'approval': return 'approval_waiting';
    case 'operator': case 'observation': return 'parked';
    case 'budget': return 'budget';
    default: return null;
  }
}

function linkTo(kind: Notification['kind'], missionId: string | null, capaId: string | null): string | null {
  if (kind === 'capa_overdue' && capaId !== null) return `/mission-control/capa/${encodeURIComponent(capaId)}`;
  return missionId === null ? null : `/mission-control/missions/${encodeURIComponent(missionId)}`;
}

/** The first of these fields that holds a text. */
function textAt(payload: Record<string, unknown>, names: readonly string[]): string | null {
  for (const name of names) {
    const value = payload[name];
    if (typeof value === 'string' && value.trim() !== '') return value;
  }
  return null;
}

const severityIn = (text: string | null): Severity | undefined => severities.find((severity) => severity === text);
