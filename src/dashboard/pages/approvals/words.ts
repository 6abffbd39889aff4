import type { Approval, ApprovalStatus } from '../../../domain/approval.ts';
import type { SealedEvent } from '../../../domain/event.ts';
import { inPath } from '../../api.ts';
import type { Tone } from '../../tone.ts';
import { short } from '../../words.ts';

export const approvalPath = (id: string): string => `/approvals/${inPath(id)}`;

export const approvalTone: Readonly<Record<ApprovalStatus, Tone>> = {
  waiting: 'wait', approved: 'good', rejected: 'bad', expired: 'warn', superseded: 'unknown', withdrawn: 'unknown',
};

/** One word for how it stands; a rejection that asked for another candidate says so. */
export const approvalWord = ({ status, decisions }: Approval): string =>
  (status === 'rejected' && decisions.at(-1)?.send_back === true ? 'sent back' : status);

/** Why there is nothing to decide any more, as a sentence. Null while it waits. */
export const whyOver: Readonly<Record<ApprovalStatus, string | null>> = {
  waiting: null,
  approved: 'Enough people agreed.',
  rejected: 'One refusal ends it.',
  expired: 'Nobody decided before the deadline.',
  superseded: 'It was for another tree or other evidence; what replaced it was asked for anew.',
  withdrawn: 'The mission ended before anybody decided.',
};

export const agreed = ({ decisions }: Approval): number => decisions.filter(({ decision }) => decision === 'approve').length;

/** What exactly is asked about, in a few letters. */
export const subjectOf = ({ digests: { git_tree, plan_digest } }: Approval): string =>
  (git_tree !== null ? `tree ${short(git_tree)}` : `plan ${short(plan_digest ?? '')}`);

/** Events after which a list of approvals may be another. */
export const changesApprovals = ({ type }: SealedEvent): boolean => type.startsWith('approval.') || type === 'mission.status_changed';
