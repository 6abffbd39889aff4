/** One mission as the API shows it: package and read model side by side in one flat object. */
import type { MissionPackage } from './mission-package.ts';
import type { MissionOutcome, MissionStatus, MissionType, Severity } from './mission.ts';
import type { StageName, StageRecord } from './stages.ts';
import type { WaitingOn } from './waiting.ts';

export interface MissionState {
  status: MissionStatus;
  outcome: MissionOutcome | null;
  stage: StageName | null;
  progress: number;
  paused: boolean;
  waiting_on: WaitingOn | null;
  tokens: number;
  cost_micro_usd: number;
  /** Attempts of agents that did not report all they used: the two sums leave those out. */
  usage_unreported: number;
  landed_commit: string | null;
  landed_tree: string | null;
  capa_id: string | null;
  /** Why the mission ended as it did, in one sentence. */
  ended_reason: string | null;
  started_at: string | null;
  ended_at: string | null;
  updated_at: string;
}

export interface MissionSummary extends MissionPackage, MissionState {
  links: { temporal: string | null; commit: string | null };
}

export interface MissionDetail extends MissionSummary {
  stages: StageRecord[];
}

/** A mission as lists and boards show it: what changes while it runs, and what it is called. */
export interface MissionLine extends Pick<MissionState, 'status' | 'outcome' | 'stage' | 'progress' | 'paused' | 'waiting_on' | 'tokens'
  | 'cost_micro_usd' | 'landed_commit' | 'capa_id' | 'ended_reason' | 'started_at' | 'ended_at' | 'updated_at'> {
  mission_id: string;
  mission_type: MissionType;
  title: string;
  subsystem_id: string;
  severity: Severity;
  assigned_to: string | null;
  parent_mission_id: string | null;
  labels: string[];
  created_at: string;
}
