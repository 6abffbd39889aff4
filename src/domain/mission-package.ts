/** The stored mission package: defaults filled in, diffs moved to the artefact store. */
import type { MetricTarget, WindowSpec } from './observation.ts';
import type { HealingRequest } from './healing.ts';
import type { MissionType, Severity } from './mission.ts';
import type { TrackedWork } from './tracked.ts';

export interface MissionContext {
  git_sha: string | null;
  git_tree: string | null;
  config_hash: string | null;
  env: string | null;
  branch: string | null;
  version: string | null;
}

export interface Symptom {
  description: string;
  metric_id?: string | undefined;
  observed_value?: number | undefined;
  threshold?: number | undefined;
}

/**
 * A change to try: a diff or a git bundle in the artefact store (by hex sha256), or a branch or commit of the origin.
 * Whatever the kind, what lands is the vetted tree as one commit of ours, never a history that nobody looked at.
 */
export type PatchCandidate =
  | { kind: 'diff'; artifact: string; size_bytes: number }
  | { kind: 'bundle'; artifact: string; size_bytes: number }
  | { kind: 'branch'; ref: string }
  | { kind: 'commit'; ref: string };

export interface Workspace {
  repo_path: string | null;
  repository: string;
  repository_id: string;
  target_branch: string;
  working_branch: string;
  patch_candidates: PatchCandidate[];
  dependencies: string[];
}

export interface MissionPackage {
  mission_id: string;
  mission_type: MissionType;
  title: string;
  description: string | null;
  subsystem_id: string;
  severity: Severity;
  detected_by: string | null;
  assigned_to: string | null;
  context: MissionContext;
  symptoms: Symptom[];
  acceptance_criteria: {
    must_pass_tests: string[];
    metric_targets: MetricTarget[];
    observation_window_minutes: number;
    observation_window: WindowSpec;
  };
  /** The repository that a coding mission changes; null for the other types. */
  workspace: Workspace | null;
  /** What a healing mission heals. */
  healing?: HealingRequest | undefined;
  /** How a tracked mission is watched. */
  tracked?: TrackedWork | undefined;
  trust_requirements: {
    required_trust_score: number;
    allowed_roles: string[];
    memory_write_scope: 'read_only' | 'propose' | 'persist';
    requires_governance_approval: boolean;
  };
  remediation_history: RemediationEvent[];
  crypto_signatures: { key_id: string; algorithm: 'ed25519'; signature: string }[];
  budget: { cost_micro_usd?: number | undefined; tokens?: number | undefined } | null;
  labels: string[];
  created_by: string;
  created_at: string;
  parent_mission_id: string | null;
}

export type CodingPackage = MissionPackage & { workspace: Workspace };
export type HealingPackage = MissionPackage & { healing: HealingRequest };
export type TrackedPackage = MissionPackage & { tracked: TrackedWork };

/** One thing that was tried, and how it ended. Filled by the pipeline. */
export interface RemediationEvent {
  at: string;
  action: string;
  result: string;
}
