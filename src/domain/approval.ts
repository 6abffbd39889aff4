/** An approval is for one tree and one body of evidence. Anything that changes either voids it. */
import type { Principal } from './actor.ts';

export interface ApprovalDigests {
  /** The change: its tree and its patch. Null for a healing plan. */
  git_tree: string | null;
  patch_id: string | null;
  /** The healing plan: its steps, targets and everything they rest on. */
  plan_digest?: string | undefined;
  evidence_digest: string;
  policy_digest: string;
}

export const approvalStatuses = ['waiting', 'approved', 'rejected', 'expired', 'superseded', 'withdrawn'] as const;
export type ApprovalStatus = (typeof approvalStatuses)[number];

export interface ApprovalDecision {
  decision: 'approve' | 'reject';
  by: Principal;
  at: string;
  reason: string;
  /** A rejection that asks for another candidate instead of ending the mission. */
  send_back?: boolean | undefined;
}

export interface Approval {
  approval_id: string;
  mission_id: string;
  status: ApprovalStatus;
  digests: ApprovalDigests;
  required: number;
  rules: string[];
  decisions: ApprovalDecision[];
  requested_at: string;
  deadline: string;
}

/** What an approver sends: the digests are those they were shown. */
export interface DecideInput {
  approval_id: string;
  digests: ApprovalDigests;
  decision: 'approve' | 'reject';
  reason: string;
  send_back?: boolean | undefined;
  principal: Principal;
  /** RFC 3339; the workflow refuses the message after it, so an answer of 503 means nothing happened. */
  valid_until: string;
}

export const refusals = [
  'SELF_APPROVAL', 'APPROVAL_STALE', 'APPROVAL_DECIDED', 'MISSION_NOT_WAITING', 'MISSION_ENDED', 'MESSAGE_EXPIRED', 'QUEUE_NOT_FROZEN',
  'LEASE_HELD', 'LEASE_LOST', 'PATCH_TESTING', 'MISSION_PREPARING',
] as const;
export type Refusal = (typeof refusals)[number];

export const sameDigests = (a: ApprovalDigests, b: ApprovalDigests): boolean =>
  a.git_tree === b.git_tree && a.patch_id === b.patch_id && a.plan_digest === b.plan_digest &&
  a.evidence_digest === b.evidence_digest && a.policy_digest === b.policy_digest;

/** Who made, asked for or works on it. */
export const authorsOf = ({ created_by, assigned_to }: { created_by: string; assigned_to: string | null }): string[] =>
  [...new Set([created_by, ...(assigned_to === null ? [] : [assigned_to])])];

/**
 * Why this decision cannot stand, or null.
 * @param authors principals that made, asked for or planned the change: nobody approves their own work
 */
export function refuseDecision(
  approval: Approval, input: DecideInput, authors: readonly string[],
): { code: Refusal; detail: string } | null {
  if (authors.includes(input.principal.id)) {
    return { code: 'SELF_APPROVAL', detail: `${input.principal.id} is an author of ${approval.mission_id}` };
  }
  if (approval.approval_id !== input.approval_id || !sameDigests(approval.digests, input.digests)) {
    return { code: 'APPROVAL_STALE', detail: `the current approval is ${approval.approval_id}, for another tree or evidence` };
  }
  const mine = approval.decisions.find((decision) => decision.by.id === input.principal.id);
  if (mine !== undefined) {
    return { code: 'APPROVAL_DECIDED', detail: `${input.principal.id} decided already: ${mine.decision} at ${mine.at}` };
  }
  if (approval.status !== 'waiting') {
    const last = approval.decisions.at(-1);
    return {
      code: 'APPROVAL_DECIDED',
      detail: `${approval.approval_id} is ${approval.status}${last ? `, decided by ${last.by.id} at ${last.at}` : ''}`,
    };
  }
  return null;
}

/** Status after one more decision: a single rejection ends it, `required` approvals grant it. */
export function statusAfter(approval: Approval): ApprovalStatus {
  if (approval.decisions.some((decision) => decision.decision === 'reject')) return 'rejected';
  const approvals = approval.decisions.filter((decision) => decision.decision === 'approve').length;
  return approvals >= approval.required ? 'approved' : 'waiting';
}
