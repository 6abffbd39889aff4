/** Tracked missions: work that somebody else does and reports on, in the words of the mission dashboard they come from. */
import type { Principal } from './actor.ts';
import type { Json } from './healing.ts';
import { missionStatuses, type MissionStatus, type MissionType, type Severity } from './mission.ts';
import type { WaitingOn } from './waiting.ts';

export const defaultStaleAfterMinutes = 15;

/** What a tracked mission is watched by; part of its package. */
export interface TrackedWork { stale_after_minutes: number }

/** What reports said so far. Null is "nobody said". */
export interface TrackedDetails {
  started_by: string | null;
  agent_type: string | null;
  model_used: string | null;
  /** 0–100, as it was reported: the mission's own `progress` is this in whole numbers. */
  progress: number;
  tokens_used: number | null;
  cost_micro_usd: number | null;
  result: Json;
  metadata: Record<string, Json> | null;
  message: string | null;
  last_report_at: string | null;
}

/** What one report says; what it leaves out stays as it was. Tokens and cost are the mission's so far, not the report's own. */
export type ReportedDetails = Partial<Omit<TrackedDetails, 'started_by' | 'last_report_at'>>;

/** An Idempotency-Key, kept in the same transaction as what it was sent with. */
export interface ReportKey { principal_id: string; key: string; body_digest: string }

export const trackedStatuses = ['pending', 'running', 'completed', 'failed', 'cancelled'] as const;
export type TrackedStatus = (typeof trackedStatuses)[number];

const words: Readonly<Record<MissionStatus, TrackedStatus>> = {
  open: 'pending', in_progress: 'running', observing: 'running', resolved: 'completed', escalated: 'failed', aborted: 'cancelled',
};

export const trackedStatusOf = (status: MissionStatus): TrackedStatus => words[status];

/** The statuses that a word stands for. */
export const statusesOf = (word: TrackedStatus): MissionStatus[] => missionStatuses.filter((status) => words[status] === word);

/** The mission object of the dashboard; the first 17 fields are the original's, in its order. */
export interface TrackedView {
  id: string;
  title: string;
  description: string | null;
  status: TrackedStatus;
  priority: Severity;
  created_at: string;
  started_at: string | null;
  completed_at: string | null;
  /** Seconds; null until it has ended, or when it never began. */
  duration: number | null;
  progress: number;
  error_message: string | null;
  result: Json;
  metadata: Record<string, Json> | null;
  agent_type: string | null;
  model_used: string | null;
  tokens_used: number | null;
  /** USD. */
  cost_estimate: number | null;
  mission_id: string;
  mission_type: MissionType;
  subsystem_id: string;
  assigned_to: string | null;
  created_by: string;
  message: string | null;
  waiting_on: WaitingOn | null;
  last_report_at: string | null;
  stale_after_minutes: number | null;
}

const microUsd = 1_000_000;
export const toMicroUsd = (usd: number): number => Math.round(usd * microUsd);
export const toUsd = (micro: number | null): number | null => (micro === null ? null : micro / microUsd);

/** Seconds between two moments. */
export const secondsBetween = (from: string | null, to: string | null): number | null =>
  (from === null || to === null ? null : (Date.parse(to) - Date.parse(from)) / 1_000);

/**
 * A sum of the read model as something known, or null. Sums there begin at 0, so a 0 is known only of a mission that
 * ended, was started, and left nothing unreported.
 */
export function knownSum(sum: number, { usage_unreported, started_at, ended_at }: { usage_unreported: number; started_at: string | null; ended_at: string | null }): number | null {
  if (sum > 0) return sum;
  return started_at !== null && ended_at !== null && usage_unreported === 0 ? 0 : null;
}

/** A person may report on any tracked mission; an agent on what it sent, what is assigned to it, and what it started. */
export function mayReport(principal: Principal, mission: { created_by: string; assigned_to: string | null }, startedBy: string | null): boolean {
  return principal.role !== 'agent' || [mission.created_by, mission.assigned_to, startedBy].includes(principal.id);
}

/** Whether this principal may start it: an agent not what is assigned to another. */
export const mayStart = (principal: Principal, mission: { created_by: string; assigned_to: string | null }): boolean =>
  mission.assigned_to === null || mayReport(principal, mission, null);
