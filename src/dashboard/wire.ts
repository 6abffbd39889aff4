/** What the live stream says: the messages of `/mission-control/ws`, and the session. */
import type { Permission, Principal } from '../domain/actor.ts';
import type { SealedEvent } from '../domain/event.ts';
import type { MissionSummary } from '../domain/mission-view.ts';

/** A mission as lists show it. */
export type MissionLine = Pick<MissionSummary,
  | 'mission_id' | 'mission_type' | 'title' | 'subsystem_id' | 'severity' | 'status' | 'outcome' | 'stage' | 'progress' | 'paused'
  | 'waiting_on' | 'assigned_to' | 'parent_mission_id' | 'labels' | 'tokens' | 'cost_micro_usd' | 'landed_commit' | 'capa_id'
  | 'ended_reason' | 'created_at' | 'started_at' | 'ended_at' | 'updated_at'>;

export interface StreamMetrics {
  missions: { open: number; in_progress: number; observing: number; resolved: number; escalated: number; aborted: number };
  waiting_for_person: number;
  pending_approvals: number;
  open_findings: number;
  open_capas: number;
  resolved_7d: number;
  ended_7d: number;
  rolled_back_7d: number;
  median_to_landed_ms: number | null;
  p95_to_landed_ms: number | null;
  cost_today_micro_usd: number;
  unreported_today: number;
  /** Events that are written and have no place in the ledger yet. */
  unsealed: number;
  sealed_at: string | null;
}

export type ServerMessage =
  | { type: 'initial_data'; seq: number; missions: MissionLine[]; metrics: StreamMetrics }
  | { type: 'data_update'; seq: number; events: SealedEvent[] }
  | { type: 'mission_update'; seq: number; missions: MissionLine[] }
  | { type: 'metrics_update'; seq: number; metrics: StreamMetrics }
  | { type: 'snapshot_required'; reason: string };

export interface Session {
  principal: Principal & { name?: string | null };
  permissions: Permission[];
  expires_at: string | null;
}
