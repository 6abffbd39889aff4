import { authorsOf, type Approval, type ApprovalStatus } from '../../../domain/approval.ts';
import type { MissionDetail } from '../../../domain/mission-view.ts';
import { inPath, post } from '../../api.ts';
import { ActionButton } from '../../parts/action-button.tsx';
import { may, signedIn } from '../../session.ts';
import { short } from '../../words.ts';
import { agreed } from './words.ts';

interface Props { approval: Approval; mission: MissionDetail; reload: () => Promise<void> }

/** The buttons for whoever may decide; for everybody else the reason why they may not. */
export function Decide({ approval, mission, reload }: Props) {
  if (approval.status !== 'waiting') return null;
  const refusal = whyNot(approval, mission);
  if (refusal !== null) return <p class="none">{refusal}</p>;
  const { git_tree: tree, plan_digest: plan } = approval.digests;
  const more = approval.required - agreed(approval) - 1;
  const exactly = tree !== null ? `Tree ${short(tree)}` : `Plan ${short(plan ?? '')}`;
  const then = more > 0
    ? `${more} more approval${more === 1 ? ' is' : 's are'} needed after yours.`
    : tree !== null ? 'It is merged next, and watched afterwards.' : 'Its steps are carried out next, and what they changed is verified.';

  async function decide(verb: 'approve' | 'reject', body: object): Promise<string> {
    try {
      const { status } = await post<{ status: ApprovalStatus }>(`/approvals/${inPath(approval.approval_id)}/${verb}`, { ...body, digests: approval.digests });
      return said(verb, status, 'send_back' in body);
    } finally {
      // Whoever lost a race sees the winner, and why.
      await reload();
    }
  }
  return (
    <div class="decide">
      <ActionButton tone="primary" run={(reason) => decide('approve', { reason })}
        ask={{ title: `Approve ${exactly.toLowerCase()}?`, effect: `${exactly} and its evidence are approved, and nothing else. ${then}`, verb: 'Approve', reason: 'required' }}>
        Approve
      </ActionButton>
      {tree !== null && (
        <ActionButton run={(reason) => decide('reject', { reason, send_back: true })}
          ask={{ title: 'Send it back?', effect: 'This candidate is refused. The mission goes on: your reason is told to its agent, or the next given candidate has its turn.', verb: 'Send back', reason: 'required' }}>
          Send back
        </ActionButton>
      )}
      <ActionButton tone="danger" run={(reason) => decide('reject', { reason })}
        ask={{ title: 'Reject it?', effect: `The mission ends as rejected; ${tree !== null ? 'nothing is merged' : 'no step is carried out'}. It cannot be taken back: a new mission would have to be handed in.`, verb: 'Reject', dangerous: true, reason: 'required' }}>
        Reject
      </ActionButton>
    </div>
  );
}

const said = (verb: 'approve' | 'reject', status: ApprovalStatus, sentBack: boolean): string => {
  if (verb === 'reject') return sentBack ? 'Sent back; the mission goes on with another candidate, if there is one.' : 'Rejected; the mission ends.';
  return status === 'approved' ? 'Approved; the mission goes on.' : 'Your approval counts; more are needed.';
};

/** Why this person has nothing to decide here, or null. The API decides again, whatever we show. */
function whyNot(approval: Approval, mission: MissionDetail): string | null {
  const me = signedIn()?.principal;
  if (me === undefined) return null;
  const authors = authorsOf(mission);
  if (authors.includes(me.id)) return `You, ${me.id}, ${mission.created_by === me.id ? 'handed this mission in' : 'work on this mission'}: nobody approves their own work. Somebody else with the role approver or admin decides.`;
  if (!may('approval:decide')) return `Your role, ${me.role}, does not decide about approvals; approver and admin do.`;
  const mine = approval.decisions.find(({ by }) => by.id === me.id);
  if (mine !== undefined) return `You ${mine.decision === 'approve' ? 'approved' : 'rejected'} already, and nobody counts twice. Somebody else is waited for.`;
  return null;
}
