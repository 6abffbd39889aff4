import { useSignal } from '@preact/signals';
import type { Finding } from '../../domain/finding-record.ts';
import type { MissionDetail } from '../../domain/mission-view.ts';
import { unassigned } from '../../domain/watch-rules.ts';
import { inPath } from '../api.ts';
import { Age, Clock, Span } from '../parts/age.tsx';
import { Card } from '../parts/card.tsx';
import { Chip } from '../parts/chip.tsx';
import { Copyable } from '../parts/copyable.tsx';
import { PageHeader } from '../parts/page-header.tsx';
import { Empty, Loaded } from '../parts/states.tsx';
import { useResource } from '../resource.ts';
import { may } from '../session.ts';
import { took } from '../time.ts';
import { capital, plural, severityTone, stateOf } from '../words.ts';
import { SilenceForm } from './findings/silences.tsx';
import { whatHeals } from './findings/what-heals.ts';
import { findingTone, findingWord } from './findings/words.ts';
import type { PageProps } from './index.ts';
import { RunRow } from './playbooks/runs.tsx';
import { aboutPlaybooks, type PlaybookRun, type PlaybookView } from './playbooks/wire.ts';
import './findings.css';

interface FindingPageData extends Finding {
  history: { at: string; type: string; from: string | null; state: string; reason: string; value: number | null }[];
  earlier: { finding_id: string; first_seen_at: string; resolved_at: string | null }[];
}

const measured = (value: number): string => value.toLocaleString('en-US', { maximumSignificantDigits: 6 });

/** One finding: since when, how often, what heals it or why nothing does. */
export function FindingPage({ params }: PageProps) {
  const id = params['finding_id']!;
  const finding = useResource<FindingPageData>(`/findings/${inPath(id)}`, {
    on: (event) => event.type.startsWith('silence.') || (event.type.startsWith('finding.') && event.payload['finding_id'] === id),
  });
  const data = finding.data;
  return (
    <>
      <PageHeader title={data?.title ?? 'Finding'} chips={data !== null && (
        <>
          <Chip tone={findingTone[data.state]}>{findingWord(data.state)}</Chip>
          <Chip tone={severityTone[data.severity]}>{data.severity}</Chip>
        </>
      )} />
      <Loaded of={finding} what="the finding">
        {(one) => (
          <div class="cols">
            <div class="stack">
              <WhatHeals finding={one} />
              <Card title="History" aside={plural(one.occurrences, 'time')} class="feed">
                {one.history.length === 0 && <Empty title="No history">Its events are not in the ledger.</Empty>}
                {one.history.toReversed().map((entry) => (
                  <div class="row history" key={`${entry.at} ${entry.type}`}>
                    <Clock at={entry.at} />
                    <Chip tone={findingTone[entry.state as Finding['state']] ?? 'unknown'}>{findingWord(entry.state)}</Chip>
                    <span class="wrap">{entry.reason}{entry.value !== null && <span class="faint"> · {measured(entry.value)}</span>}</span>
                  </div>
                ))}
              </Card>
            </div>
            <div class="stack">
              <Facts finding={one} />
              <Silencing finding={one} />
              <Card title="Earlier, of the same fingerprint" aside={String(one.earlier.length)}>
                {one.earlier.length === 0 && <Empty title="The first time">No earlier finding has this fingerprint.</Empty>}
                {one.earlier.map((earlier) => (
                  <a class="row" key={earlier.finding_id} href={`/findings/${inPath(earlier.finding_id)}`}>
                    <span><Age at={earlier.first_seen_at} />{earlier.resolved_at !== null && <span class="faint"> · lasted {took(Date.parse(earlier.resolved_at) - Date.parse(earlier.first_seen_at))}</span>}</span>
                  </a>
                ))}
              </Card>
            </div>
          </div>
        )}
      </Loaded>
    </>
  );
}

const Facts = ({ finding }: { finding: Finding }) => (
  <Card title="Finding">
    <dl>
      <dt>Subsystem</dt><dd>{finding.subsystem_id === unassigned ? 'none named' : <a class="link" href={`/subsystems/${inPath(finding.subsystem_id)}`}>{finding.subsystem_id}</a>}</dd>
      {finding.resource_id !== null && <><dt>Resource</dt><dd>{finding.resource_id}</dd></>}
      <dt>Symptom</dt><dd>{finding.symptom ?? 'none named'}</dd>
      <dt>Reason</dt><dd>{finding.reason}</dd>
      {finding.value !== null && <><dt>Value</dt><dd class="num">{measured(finding.value)}</dd></>}
      <dt>First seen</dt><dd><Age at={finding.first_seen_at} /></dd>
      <dt>Last seen</dt><dd><Age at={finding.last_seen_at} /></dd>
      <dt>{capital(findingWord(finding.state))} for</dt><dd><Span at={finding.state_since} /></dd>
      {finding.resolved_at !== null && <><dt>Resolved</dt><dd><Age at={finding.resolved_at} /></dd></>}
      <dt>Rule</dt><dd class="mono">{finding.rule_id}</dd>
      <dt>Source</dt><dd>{finding.source}</dd>
      <dt>Fingerprint</dt><dd><Copyable value={finding.fingerprint} short={12} /></dd>
      {Object.entries(finding.attributes).filter(([name]) => !name.startsWith('mission_control.')).map(([name, value]) => (
        <><dt key={`${name}?`}>{name}</dt><dd key={name} class="mono">{value}</dd></>
      ))}
    </dl>
  </Card>
);

function Silencing({ finding }: { finding: Finding }) {
  const open = useSignal(false);
  if (!may('finding:silence') || finding.resolved_at !== null) return null;
  return (
    <Card title="Silence">
      <div class="row">
        {open.value
          ? <SilenceForm fixed={{ fingerprint: finding.fingerprint }} done={() => { open.value = false; }} />
          : (
            <>
              <p class="sub">{finding.silence_id === null ? 'No effects and no words about this finding, until a moment and for a reason.' : 'It is silenced. Silences are ended in the list of findings.'}</p>
              <div><button type="button" onClick={() => { open.value = true; }}>Silence this finding</button></div>
            </>
          )}
      </div>
    </Card>
  );
}

/** Its mission, the playbooks that could work on it and what each would say now, and the runs that its fingerprint has had. */
function WhatHeals({ finding }: { finding: Finding }) {
  const known = useResource<{ items: PlaybookView[] }>(may('healing:read') ? '/playbooks' : null, { on: aboutPlaybooks });
  const playbooks = known.data?.items ?? null;
  const { healers, said, hindrance } = whatHeals(finding, playbooks);
  const missionId = finding.healing_mission_id;
  const possible = [...new Set(healers.map(({ playbook }) => playbook.playbook_id))];
  return (
    <Card title="What heals it">
      {missionId === null ? <p class="row">{capital(said)}.</p> : <HealingMission id={missionId} />}
      {missionId !== null && hindrance !== null && finding.state !== 'RESOLVED' && <p class="row sub">Now: {hindrance}.</p>}
      {healers.map(({ playbook, binding, hindrance: why }) => (
        <a class="row healer" key={`${playbook.playbook_id} ${binding.resource_id}`} href={`/playbooks/${inPath(playbook.playbook_id)}`}>
          <div class="wrap">{playbook.title} <span class="mono">{playbook.playbook_id}</span><div class="sub">on {binding.subsystem_id}/{binding.resource_id}{why !== null && ` · ${why}`}</div></div>
          <Chip tone={why === null ? 'good' : 'warn'}>{why === null ? 'may run' : 'may not run'}</Chip>
        </a>
      ))}
      {possible.map((id) => <Runs key={id} playbook={id} fingerprint={finding.fingerprint} />)}
    </Card>
  );
}

function HealingMission({ id }: { id: string }) {
  const mission = useResource<MissionDetail>(`/missions/${inPath(id)}`, { on: (event) => event.subject.mission_id === id });
  return (
    <Loaded of={mission} what="its healing mission">
      {(one) => {
        const { tone, word } = stateOf(one);
        return (
          <a class="row healer" href={`/missions/${inPath(id)}`}>
            <div class="wrap">{one.title}<div class="sub"><span class="mono">{id}</span>{(one.ended_reason ?? one.waiting_on?.reason ?? null) !== null && ` · ${one.ended_reason ?? one.waiting_on?.reason}`}</div></div>
            <Chip tone={tone}>{word}</Chip>
          </a>
        );
      }}
    </Loaded>
  );
}

function Runs({ playbook, fingerprint }: { playbook: string; fingerprint: string }) {
  const runs = useResource<{ items: PlaybookRun[] }>(`/playbooks/${inPath(playbook)}/runs?limit=200`, { on: aboutPlaybooks });
  return <>{(runs.data?.items ?? []).filter((run) => run.fingerprint === fingerprint).map((run) => <RunRow key={`${run.mission_id} ${run.attempt}`} run={run} />)}</>;
}
