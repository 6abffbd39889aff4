/** What the merge queue is asked, and what it answers. */
import type { Actor } from './actor.ts';
import type { EvidenceRef } from './stages.ts';
import type { Severity } from './mission.ts';
import type { CommitRef } from './coding.ts';
import type { CommandSpec, StressThreshold } from './commands.ts';

export interface LandingRequest {
  kind: 'land' | 'revert';
  mission_id: string;
  severity: Severity;
  repository_id: string;
  target_branch: string;
  /** Queue of the host whose mirror holds the commits. */
  host_queue: string;
  /** The commit to land, or the landed merge commit to revert. */
  head: string;
  base: string;
  /** Trees whose tests passed already: landing one of them needs no second run. */
  tested_trees: string[];
  approved_tree: string;
  patch_id: string;
  carry_approval: boolean;
  must_pass_tests: string[];
  setup_command: CommandSpec | null;
  test_command: CommandSpec;
  /** How often failing tests of a merged tree are run again. Absent: never. */
  reruns?: number;
  /** Run on a merged tree too where policy says so; absent from what was asked before there was such a rule. */
  stress?: { command: CommandSpec; thresholds: StressThreshold[] } | null;
  /** RFC 3339; commits carry it, so a repeat builds the same commit. */
  commit_time: string;
  message: string;
  /** Makes a retried stage a new request and a repeated signal the same one. */
  request_id: string;
}

/** A commit that a landing meets on the branch; null: no mission of ours landed it. */
export interface LandedNeighbour { commit: string; mission_id: string | null }

/** The tip that was built on, and where the branch was when it should land. */
export interface TipMove { from: string; to: string | null }

export type LandingResult =
  | {
      kind: 'landed'; request_id: string; commit: string; tree: string; parents: string[];
      /** The tip it was built on: what a rollback restores. */
      onto: CommitRef;
      carried: boolean; tested: boolean; evidence: EvidenceRef[];
    }
  | { kind: 'already_reverted'; request_id: string }
  | { kind: 'conflict'; request_id: string; paths: string[]; unrelated?: boolean; neighbours?: LandedNeighbour[] }
  | { kind: 'tests_failed'; request_id: string; reasons: string[]; evidence: EvidenceRef[]; neighbours?: LandedNeighbour[] }
  /** The merged tree is not what was approved, and the approval does not carry over; it passed the tests. */
  | { kind: 'approval_void'; request_id: string; tree: string; commit?: string; patch_id?: string; tested?: boolean; flaky?: string[]; evidence?: EvidenceRef[] }
  | { kind: 'blocked'; request_id: string; reason: string; host_away?: boolean }
  | { kind: 'base_moved'; request_id: string; tries: number; moves?: TipMove[] }
  | { kind: 'violation'; request_id: string; reason: string };

/** The task queue of a host on which only landings are done. */
export const landingQueueOf = (hostQueue: string): string => `${hostQueue}:landing`;

/** Why nothing but reverts lands on a branch. */
export interface QueueFreeze {
  code: 'violation' | 'revert_conflict' | 'operator';
  reason: string;
  /** Who froze it: a principal, or the queue itself. */
  by: string;
  /** RFC 3339. */
  since: string;
  /** The mission it is about, if any. */
  mission_id: string | null;
}

/** What people see of a queue: a row, replaced as it changes. */
export interface QueueRow {
  repository_id: string;
  target_branch: string;
  current: { mission_id: string; kind: LandingRequest['kind']; since: string } | null;
  frozen: QueueFreeze | null;
}

export interface QueueEvent {
  type: 'queue.frozen' | 'queue.unfrozen';
  actor: Actor;
  mission_id: string | null;
  payload: Record<string, unknown>;
  key: string;
}

export const mergeQueueId = (repositoryId: string, branch: string): string => `merge-queue:${repositoryId}:${branch}`;

/** Reverts first, then severity, then arrival. */
export function nextInQueue<T extends Pick<LandingRequest, 'kind' | 'severity'>>(
  items: readonly T[], rank: (severity: Severity) => number,
): T | undefined {
  return items.reduce<T | undefined>((best, item) => {
    if (best === undefined) return item;
    if (item.kind !== best.kind) return item.kind === 'revert' ? item : best;
    return rank(item.severity) < rank(best.severity) ? item : best;
  }, undefined);
}

/** What a change cannot be merged with: files, or, when the target was rewritten from its root on, all of it. */
export const conflictText = ({ paths, unrelated = false }: { paths: readonly string[]; unrelated?: boolean }): string =>
  (unrelated ? 'shares no history with the target, which was rewritten' : `conflicts with the target in ${paths.join(', ')}`);
