import type { Approval } from '../../../domain/approval.ts';
import { inPath } from '../../api.ts';
import { Age, Clock, Span } from '../../parts/age.tsx';
import { Chip } from '../../parts/chip.tsx';
import type { Tone } from '../../tone.ts';
import { Copyable } from '../../parts/copyable.tsx';
import { Empty, Loaded } from '../../parts/states.tsx';
import type { Resource } from '../../resource.ts';
import { may } from '../../session.ts';
import { inWords } from '../../words.ts';

const tones: Readonly<Record<Approval['status'], Tone>> = { waiting: 'wait', approved: 'good', rejected: 'bad', expired: 'warn', superseded: 'unknown', withdrawn: 'unknown' };

/** Who agreed to what: every approval with the exact digests it is bound to. Decided is on the approval's own page. */
export const ApprovalsTab = ({ approvals }: { approvals: Resource<{ items: Approval[] }> }) => (
  <Loaded of={approvals} what="approvals">
    {({ items }) => (items.length === 0
      ? <Empty title="Nobody was asked">Policy asks for a person when the severity, a protected path or the mission itself demands it.</Empty>
      : items.map((approval) => <One key={approval.approval_id} approval={approval} />))}
  </Loaded>
);

function One({ approval }: { approval: Approval }) {
  const { approval_id: id, digests, status } = approval;
  const given = approval.decisions.filter((decision) => decision.decision === 'approve').length;
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
      {status === 'waiting' && may('approval:decide') && <div class="bar"><a class="button primary" href={`/approvals/${inPath(id)}`}>Decide</a></div>}
    </section>
  );
}

const DigestLine = ({ name, value }: { name: string; value: string | null | undefined }) =>
  (value === null || value === undefined ? null : <><dt>{inWords(name)}</dt><dd><Copyable value={value} /></dd></>);
