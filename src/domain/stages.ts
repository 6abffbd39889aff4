import type { MissionType } from './mission.ts';

/** The eleven stages of a coding mission: the same names in code, API, pages and ledger. */
export const codingStages = [
  'fetch_context',
  'pull_code',
  'branch_and_patch',
  'run_tests',
  'stress_tests',
  'publish_diagnostics',
  'collect_metrics',
  'governance_approval',
  'merge_changes',
  'observation_window',
  'resolve_or_rollback',
] as const;

/** The six stages of a healing mission. */
export const healingStages = ['detect', 'plan', 'execute', 'verify', 'observe', 'close_or_escalate'] as const;

export const stageNames = [...codingStages, ...healingStages] as const;
export type StageName = (typeof stageNames)[number];

const pipelines: Readonly<Record<MissionType, readonly StageName[]>> = { coding: codingStages, healing: healingStages, tracked: [] };

/** The pipeline that a mission of this type runs through, in order. A tracked one runs elsewhere and has none here. */
export const pipelineOf = (type: MissionType): readonly StageName[] => pipelines[type];

export const stageStatuses = ['pending', 'running', 'waiting', 'passed', 'failed', 'skipped'] as const;
export type StageStatus = (typeof stageStatuses)[number];

/** A stored, digested result of something we ran or measured. */
export interface EvidenceRef {
  kind: string;
  /** Hex sha256 of the artefact's bytes. */
  sha256: string;
  media_type: string;
  size_bytes: number;
  /** One line a person can read without opening the artefact. */
  summary: string;
}

/** One attempt of one stage. Times are RFC 3339 UTC. */
export interface StageRecord {
  name: StageName;
  status: StageStatus;
  attempt: number;
  started_at: string | null;
  ended_at: string | null;
  duration_ms: number | null;
  reason: string | null;
  evidence: EvidenceRef[];
}

/** How a stage ended. An expected negative (tests failed) is a value, never an exception. */
export interface StageOutcome {
  outcome: 'passed' | 'failed' | 'skipped';
  reason: string | null;
  evidence: EvidenceRef[];
}

export const stageProgress = (pipeline: readonly StageName[], stage: StageName): number =>
  Math.round((pipeline.indexOf(stage) / pipeline.length) * 100);

/** A stage that has not begun. */
export const pendingStage = (name: StageName): StageRecord => ({
  name, status: 'pending', attempt: 0, started_at: null, ended_at: null, duration_ms: null, reason: null, evidence: [],
});

/** The latest attempt of each stage, in pipeline order: one entry for every stage of the pipeline. */
export const latestAttempts = (pipeline: readonly StageName[], records: readonly StageRecord[]): StageRecord[] =>
  pipeline.map((name) =>
    records.filter((r) => r.name === name).reduce((a, b) => (b.attempt > a.attempt ? b : a), pendingStage(name)));
