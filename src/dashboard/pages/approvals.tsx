import type { Approval } from '../../domain/approval.ts';
import { query } from '../api.ts';
import { Age, Span } from '../parts/age.tsx';
import { Card } from '../parts/card.tsx';
import { Chip } from '../parts/chip.tsx';
import { PageHeader } from '../parts/page-header.tsx';
import { Empty, Loaded } from '../parts/states.tsx';
import { useResource } from '../resource.ts';
import { may } from '../session.ts';
import { missions } from '../store.ts';
import { agreed, approvalPath, approvalTone, approvalWord, changesApprovals, subjectOf } from './approvals/words.ts';
import './approvals.css';

const most = 200;

/** What waits for somebody's word, the first deadline first; and what was said before. */
export const ApprovalsPage = () => {
  const waiting = useResource<{ items: Approval[] }>(`/approvals${query({ status: 'waiting', limit: most })}`, { on: changesApprovals });
  const all = useResource<{ items: Approval[] }>(`/approvals${query({ limit: most })}`, { on: changesApprovals });
  const n = waiting.data?.items.length ?? 0;
  return (
    <>
      <PageHeader title="Approvals" chips={n > 0 && <Chip tone="wait">{n} waiting</Chip>} />
      <Card title="Waiting" aside={waiting.data === null ? undefined : String(n)}>
        <Loaded of={waiting} what="approvals">
          {({ items }) => (items.length === 0
            ? (
              <Empty title="Nothing waits for approval">
                A change or a healing plan that the policy does not let through alone appears here, with its tests and its exact digests.
                When that is, says the <a href="/settings?tab=policy">policy</a>.
              </Empty>
            )
            : [...items].sort((a, b) => a.deadline.localeCompare(b.deadline)).map((approval) => <Waiting key={approval.approval_id} approval={approval} />))}
        </Loaded>
      </Card>
      <Card title="Decided" aside={all.data !== null && all.data.items.length === most ? `of the newest ${most}` : undefined}>
        <Loaded of={all} what="what was decided">
          {({ items }) => {
            const decided = items.filter((approval) => approval.status !== 'waiting');
            return decided.length === 0
              ? <Empty title="Nothing was decided yet">Every decision stays here with its reason and who made it; in the <a href="/ledger">ledger</a> it is sealed.</Empty>
              : decided.map((approval) => <Decided key={approval.approval_id} approval={approval} />);
          }}
        </Loaded>
      </Card>
    </>
  );
};

const titleOf = (approval: Approval): string => missions.value.get(approval.mission_id)?.title ?? approval.mission_id;

const Waiting = ({ approval }: { approval: Approval }) => (
  <div class="row inbox">
    <Chip tone="wait">{agreed(approval)} of {approval.required}</Chip>
    <div class="wrap">
      <a href={approvalPath(approval.approval_id)}>{titleOf(approval)}</a>
      <div class="sub">
        {approval.rules.join('; ')} · asked for <Age at={approval.requested_at} /> · in <Span at={approval.deadline} /> it expires
      </div>
      <div class="sub mono clip">{approval.mission_id} · {subjectOf(approval)}</div>
    </div>
    <a class={may('approval:decide') ? 'button primary' : 'button'} href={approvalPath(approval.approval_id)} aria-label={`${may('approval:decide') ? 'Review' : 'Open'} ${titleOf(approval)}`}>
      {may('approval:decide') ? 'Review' : 'Open'}
    </a>
  </div>
);

function Decided({ approval }: { approval: Approval }) {
  const last = approval.decisions.at(-1);
  return (
    <div class="row inbox">
      <Chip tone={approvalTone[approval.status]}>{approvalWord(approval)}</Chip>
      <div class="wrap">
        <a href={approvalPath(approval.approval_id)}>{titleOf(approval)}</a>
        <div class="sub">{last === undefined ? approval.rules.join('; ') : `${approval.decisions.map(({ by }) => by.id).join(', ')}: ${last.reason}`}</div>
      </div>
      <span class="sub"><Age at={last?.at ?? approval.requested_at} /></span>
    </div>
  );
}
