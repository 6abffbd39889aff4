import type { Approval } from '../../../domain/approval.ts';
import { inPath, post } from '../../api.ts';
import { ActionButton } from '../../parts/action-button.tsx';
import { Age, Clock, Span } from '../../parts/age.tsx';
import { Chip } from '../../parts/chip.tsx';
import type { Tone } from '../../tone.ts';
import { Copyable } from '../../parts/copyable.tsx';
import { Empty, Loaded } from '../../parts/states.tsx';
import type { Resource } from '../../resource.ts';
import { may } from '../../session.ts';
import { inWords, short } from '../../words.ts';

const tones: Readonly<Record<Approval['status'], Tone>> = { waiting: 'wait', approved: 'good', rejected: 'bad', expired: 'warn', superseded: 'unknown', withdrawn: 'unknown' };

/** Who agreed to what: every approval with the exact digests it is bound to. */
export const ApprovalsTab = ({ approvals }: { approvals: Resource<{ items: Approval[] }> }) => (
  <Loaded of={approvals} what="approvals">
    {({ items }) => (items.length === 0
      ? <Empty title="Nobody was asked">Policy asks for a person when the severity, a protected path or the mission itself demands it.</Empty>
      : items.map((approval) => <One key={approval.approval_id} approval={approval} reload={approvals.reload} />))}
  </Loaded>
);

function One({ approval, reload }: { approval: Approval; reload: () => Promise<void> }) {
  const { approval_id: id, digests, status } = approval;
  const given = approval.decisions.filter((decision) => decision.decision === 'approve').length;
  const what = digests.git_tree === null ? `plan ${short(digests.plan_digest ?? '')}` : `tree ${short(digests.git_tree)}`;
  // The digests that are on the screen are those that are agreed to: if anything changed since, the API refuses.
  const decide = (verb: 'approve' | 'reject', more: object = {}) => async (reason: string): Promise<string> => {
    await post(`/approvals/${inPath(id)}/${verb}`, { reason, digests, ...more });
    await reload();
    return verb === 'approve' ? `Approved ${what}.` : `Rejected ${what}.`;
  };
  return (
    <section class="approval" aria-label={`Approval ${id}`}>
      <div class="bar"><Chip tone={tones[status]}>{status}</Chip><Copyable value={id} /><span class="grow" /><span class="sub">{given} of {approval.required} · asked for <Age at={approval.requested_at} /></span></div>
      <p class="sub">{approval.rules.join('; ')}{status === 'waiting' && <> · ends at <Clock at={approval.deadline} />, in <Span at={approval.deadline} /></>}</p>
      <dl>
        {Object.entries(digests).map(([name, value]) => <DigestLine key={name} name={name} value={value as string | null | undefined} />)}
      </dl>
      {approval.decisions.map((decision) => (
        <p key={decision.by.id + decision.at}><Chip tone={decision.decision === 'approve' ? 'good' : 'bad'}>{decision.decision}</Chip> <b>{decision.by.id}</b> <span class="sub"><Age at={decision.at} /></span>: <span class="wrap">{decision.reason}</span></p>
      ))}
      {status === 'waiting' && may('approval:decide') && (
        <div class="bar">
          <ActionButton tone="primary" run={decide('approve')} ask={{ title: `Approve ${what}?`, effect: `Exactly this ${digests.git_tree === null ? 'plan is carried out' : 'tree lands'} once ${approval.required - given} more agree${approval.required - given === 1 ? 's' : ''}, you among them. Any change to it or its evidence voids your approval.`, verb: 'Approve', reason: 'required' }}>Approve…</ActionButton>
          <ActionButton run={decide('reject', { send_back: true })} ask={{ title: `Send ${what} back?`, effect: 'This candidate is refused; your reason goes to the agent, or the next candidate has its turn.', verb: 'Send back', reason: 'required' }}>Send back…</ActionButton>
          <ActionButton tone="danger" run={decide('reject')} ask={{ title: `Reject ${what}?`, effect: 'One rejection ends the mission. Nothing lands.', verb: 'Reject', dangerous: true, reason: 'required' }}>Reject…</ActionButton>
        </div>
      )}
    </section>
  );
}

const DigestLine = ({ name, value }: { name: string; value: string | null | undefined }) =>
  (value === null || value === undefined ? null : <><dt>{inWords(name)}</dt><dd><Copyable value={value} /></dd></>);
