/** What the live stream says, to pages and scripts alike. */
import type { SealedEvent } from './event.ts';
import type { MissionLine } from './mission-view.ts';
import type { MissionStatus } from './mission.ts';

/** The figures of the overview. Spans of days are to the moment; "today" began at 00:00 UTC. */
export interface StreamMetrics {
  missions: Record<MissionStatus, number>;
  /** Missions that go on only when a person does something. */
  waiting_for_person: number;
  pending_approvals: number;
  open_findings: number;
  open_capas: number;
  resolved_7d: number;
  ended_7d: number;
  rolled_back_7d: number;
  /** From the start of a mission to its landing, of those that landed in the last 7 days; null when none did. */
  median_to_landed_ms: number | null;
  p95_to_landed_ms: number | null;
  /** What missions that began today have cost so far. Attempts whose cost nobody reported are not in it, but counted beside it. */
  cost_today_micro_usd: number;
  unreported_today: number;
  /** Events that wait for their place in the ledger, and when the last one got it. */
  unsealed: number;
  sealed_at: string | null;
}

/** Everything up to `seq` is in it. */
export interface Overview {
  seq: number;
  missions: MissionLine[];
  metrics: StreamMetrics;
}

/** No message names a `seq` above what its client was told of already, so any of them is a cursor to come back with. */
export type ServerMessage =
  | { type: 'initial_data' } & Overview
  /** `seq` is the last one that was looked at: what the filter left out counts as seen. */
  | { type: 'data_update'; seq: number; events: SealedEvent[] }
  | { type: 'mission_update'; seq: number; missions: MissionLine[] }
  | { type: 'metrics_update'; seq: number; metrics: StreamMetrics }
  | { type: 'snapshot_required'; reason: string }
  | { type: 'error'; code: string; detail: string };

export const closeCodes = { internal: 1011, goingAway: 1012, tryAgain: 1013, tooManyMessages: 1008, signedOut: 4001, tooSlow: 4008 } as const;
