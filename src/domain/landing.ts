/** What the merge queue is asked, and what it answers. */
import type { EvidenceRef } from './stages.ts';
import type { Severity } from './mission.ts';
import type { CommitRef } from './coding.ts';
import type { CommandSpec } from './commands.ts';

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
  /** RFC 3339; commits carry it, so a repeat builds the same commit. */
  commit_time: string;
  message: string;
  /** Makes a retried stage a new request and a repeated signal the same one. */
  request_id: string;
}

export type LandingResult =
  | {
      kind: 'landed'; request_id: string; commit: string; tree: string; parents: string[];
      /** The tip it was built on: what a rollback restores. */
      onto: CommitRef;
      carried: boolean; tested: boolean; evidence: EvidenceRef[];
    }
  | { kind: 'already_reverted'; request_id: string }
  | { kind: 'conflict'; request_id: string; paths: string[] }
  | { kind: 'tests_failed'; request_id: string; reasons: string[]; evidence: EvidenceRef[] }
  | { kind: 'approval_void'; request_id: string; tree: string }
  | { kind: 'blocked'; request_id: string; reason: string }
  | { kind: 'base_moved'; request_id: string; tries: number }
  | { kind: 'violation'; request_id: string; reason: string };

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
