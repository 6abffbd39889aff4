/** What passes between the coding workflow and its activities. References only: bytes stay in the artefact store. */
import type { CommandSpec, RepositorySettings, StressThreshold } from './commands.ts';
import type { MissionContext, PatchCandidate } from './mission-package.ts';
import type { MetricTarget } from './observation.ts';
import type { Policy } from './policy.ts';
import type { EvidenceRef, StageOutcome } from './stages.ts';

/** Which attempt of which mission an activity works for. */
export interface Work {
  mission_id: string;
  attempt: number;
}

export interface CommitRef { commit: string; tree: string }

export interface FrozenContext extends StageOutcome {
  repository: { repository_id: string; origin: string; kind: 'path' | 'url' };
  base: CommitRef;
  settings: RepositorySettings;
  policy: Policy;
  policy_digest: string;
  context: MissionContext;
}

export interface FetchContextInput extends Work {
  repository_id: string;
  target_branch: string;
  expected: MissionContext;
  metric_ids: string[];
}

export interface PullCodeInput extends Work {
  repository_id: string;
  base: CommitRef;
  setup: CommandSpec | null;
}

export interface ApplyCandidateInput extends Work {
  repository_id: string;
  base: CommitRef;
  candidate: PatchCandidate;
  /** Position among the mission's candidates, from 1. */
  number: number;
  protected_paths: string[];
  commit_time: string;
  message: string;
}

export interface AppliedCandidate extends StageOutcome {
  /** Null when the patch was refused or does not apply. */
  candidate: (CommitRef & {
    patch_id: string;
    files: string[];
    touched_protected_paths: string[];
    /** Artefact with the commit as a bundle on the base: what another host, or another day, needs of it. Absent in older histories. */
    bundle?: string;
  }) | null;
}

export interface AdoptMissionInput {
  mission_id: string;
  repository_id: string;
  target_branch: string;
  base: CommitRef;
  candidate: { number: number; commit: string; bundle: string } | null;
}

export interface RunTestsInput extends Work {
  repository_id: string;
  base: CommitRef;
  candidate: CommitRef;
  setup: CommandSpec | null;
  test: CommandSpec;
  must_pass_tests: string[];
  /** How often a failing run is repeated, to tell a flaky test from a broken one. Absent: never. */
  reruns?: number;
}

export interface TestsResult extends StageOutcome {
  vanished: string[];
  /** Absent in older histories. */
  flaky?: string[];
  metrics: Record<string, number>;
}

export interface StressInput extends Work {
  repository_id: string;
  base: CommitRef;
  candidate: CommitRef;
  setup: CommandSpec | null;
  stress: CommandSpec | null;
  thresholds: StressThreshold[];
}

export interface StressResult extends StageOutcome {
  metrics: Record<string, number>;
}

export interface DiagnosticsInput extends Work {
  repository_id: string;
  base: CommitRef;
  candidate: CommitRef;
  policy: Policy;
  /** What stages 1–5 found, for the report. */
  stages: { name: string; outcome: string; reason: string | null; evidence: EvidenceRef[] }[];
}

export interface CollectMetricsInput extends Work {
  targets: MetricTarget[];
  measured: Record<string, number>;
}
