/** Evidence that the workflow itself states, and the digests that an approval is bound to. */
import type { ApprovalDigests } from '../domain/approval.ts';
import type { EvidenceRef } from '../domain/stages.ts';
import { digestOf } from '../ledger/canonical.ts';
import { evidence } from '../store/artifacts.ts';
import type { ActivityDeps } from './deps.ts';

export const evidenceActivities = ({ artifacts }: ActivityDeps) => ({
  /** Digests of exactly this tree, this change, everything proved about it, and the policy in force. */
  async digestForApproval(input: {
    mission_id: string; git_tree: string | null; patch_id: string | null; plan_digest?: string; policy_digest: string; evidence: EvidenceRef[];
  }): Promise<ApprovalDigests> {
    const { git_tree, patch_id, plan_digest, policy_digest } = input;
    const shown = input.evidence.map(({ kind, sha256 }) => ({ kind, sha256 }));
    return { git_tree, patch_id, ...(plan_digest === undefined ? {} : { plan_digest }), policy_digest, evidence_digest: digestOf({ mission_id: input.mission_id, evidence: shown }) };
  },

  async storeEvidence(input: { kind: string; value: unknown; summary: string }): Promise<EvidenceRef[]> {
    return [evidence(input.kind, await artifacts.putJson(input.value), input.summary.slice(0, 500))];
  },
});
