import type { Approval } from '../../domain/approval.ts';
import type { MissionDetail } from '../../domain/mission-view.ts';
import { inPath } from '../api.ts';
import { Age, Span } from '../parts/age.tsx';
import { Card } from '../parts/card.tsx';
import { Chip } from '../parts/chip.tsx';
import { Copyable } from '../parts/copyable.tsx';
import { PageHeader } from '../parts/page-header.tsx';
import { Loaded } from '../parts/states.tsx';
import { useResource, type Resource } from '../resource.ts';
import { Change } from './approvals/change.tsx';
import { Decide } from './approvals/decide.tsx';
import { Plan } from './approvals/plan.tsx';
import { approvalTone, approvalWord, changesApprovals, whyOver } from './approvals/words.ts';
import type { PageProps } from './index.ts';
import './approvals.css';

/** One approval: what is asked, why, of whom and until when; and everything it is bound to. */
export function ApprovalPage({ params }: PageProps) {
  const id = params['approval_id']!;
  const approval = useResource<Approval>(`/approvals/${inPath(id)}`, { on: changesApprovals });
  const missionId = approval.data?.mission_id ?? null;
  const mission = useResource<MissionDetail>(missionId === null ? null : `/missions/${inPath(missionId)}`, { on: ({ subject }) => subject.mission_id === missionId });
  const status = approval.data?.status;
  return (
    <>
      <PageHeader title={mission.data?.title ?? 'Approval'} chips={approval.data !== null && status !== undefined && <Chip tone={approvalTone[status]}>{approvalWord(approval.data)}</Chip>} />
      <Loaded of={approval} what="the approval">
        {(one) => <Body approval={one} mission={mission} reload={approval.reload} />}
      </Loaded>
    </>
  );
}

function Body({ approval, mission, reload }: { approval: Approval; mission: Resource<MissionDetail>; reload: () => Promise<void> }) {
  const isPlan = approval.digests.git_tree === null;
  return (
    <div class="cols one-approval">
      <div class="stack">
        {isPlan ? <Plan approval={approval} /> : <Change approval={approval} />}
      </div>
      <div class="stack ask-side">
        <Card title={approval.status === 'waiting' ? 'Your decision' : 'Decision'}>
          <div class="standing"><Standing approval={approval} mission={mission.data} /></div>
          <Loaded of={mission} what="the mission">{(known) => <Decide approval={approval} mission={known} reload={reload} />}</Loaded>
        </Card>
        <Decisions approval={approval} />
        <Card title="Why a person is asked">
          <ul class="reasons">{approval.rules.map((rule) => <li key={rule}>{rule}</li>)}</ul>
        </Card>
        <Digests approval={approval} />
      </div>
    </div>
  );
}

/** Who is waited for, until when, and what happens then; or why it is over. */
function Standing({ approval, mission }: { approval: Approval; mission: MissionDetail | null }) {
  const on = mission?.waiting_on;
  if (approval.status !== 'waiting') return <p>{whyOver[approval.status]}</p>;
  return (
    <p>
      Waits for {on?.kind === 'approval' ? on.who : `${approval.required} approver${approval.required === 1 ? '' : 's'}`}, asked <Age at={approval.requested_at} />.
      {' '}In <Span at={approval.deadline} />, without a decision, {on?.kind === 'approval' && on.on_deadline !== null ? on.on_deadline : 'it expires'}.
    </p>
  );
}

const Decisions = ({ approval: { decisions, required } }: { approval: Approval }) => (
  <Card title="Decisions" aside={`${required} needed`}>
    {decisions.length === 0 && <p class="none">Nobody has decided yet.</p>}
    {decisions.map(({ decision, by, at, reason, send_back: sentBack }) => (
      <div class="row decision" key={`${by.id} ${at}`}>
        <Chip tone={decision === 'approve' ? 'good' : 'bad'}>{decision === 'approve' ? 'approved' : sentBack === true ? 'sent back' : 'rejected'}</Chip>
        <div class="wrap"><b>{by.id}</b> <span class="faint">{by.role}</span> · <Age at={at} /><div class="sub">{reason}</div></div>
      </div>
    ))}
  </Card>
);

const names: Readonly<Record<string, string>> = {
  git_tree: 'Git tree', patch_id: 'Patch id', plan_digest: 'Plan', evidence_digest: 'Evidence', policy_digest: 'Policy',
};

function Digests({ approval }: { approval: Approval }) {
  return (
    <Card title="Bound to exactly this" aside="click to copy">
      <dl class="digests">
        {Object.entries(approval.digests).flatMap(([name, value]) => (typeof value !== 'string' ? [] : [<dt key={name}>{names[name] ?? name}</dt>, <dd key={`${name}=`}><Copyable value={value} /></dd>]))}
        <dt>Approval</dt><dd><Copyable value={approval.approval_id} /></dd>
        <dt>Mission</dt><dd><a class="mono" href={`/missions/${inPath(approval.mission_id)}`}>{approval.mission_id}</a></dd>
      </dl>
      <p class="none">Another tree, other evidence or another policy voids this approval and asks anew.</p>
    </Card>
  );
}
