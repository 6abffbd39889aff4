import type { CapaDetail } from '../../domain/capa-view.ts';
import { inPath } from '../api.ts';
import { Age, Clock } from '../parts/age.tsx';
import { Card } from '../parts/card.tsx';
import { Chip } from '../parts/chip.tsx';
import { Copyable } from '../parts/copyable.tsx';
import { PageHeader } from '../parts/page-header.tsx';
import { Empty, Loaded } from '../parts/states.tsx';
import { useResource } from '../resource.ts';
import { inWords, plural } from '../words.ts';
import { Criterion, Dates, VerificationSection } from './capa/effect.tsx';
import { Moves } from './capa/moves.tsx';
import { Actions } from './capa/plan.tsx';
import { Containment, InvestigationSection, Problem, Rating } from './capa/problem.tsx';
import { Reread } from './capa/section.tsx';
import { capaTone, stateWord } from './capa/words.ts';
import type { PageProps } from './index.ts';
import './capa.css';

/** One record: the problem, what was found, what is done about it, and whether it helped. */
export function CapaRecordPage({ params }: PageProps) {
  const id = params['capa_id']!;
  const record = useResource<CapaDetail>(`/capa/${inPath(id)}`, { on: (event) => event.type.startsWith('capa.') && (event.subject.workflow_id === id || event.payload['capa_id'] === id) });
  const data = record.data;
  return (
    <>
      <PageHeader title={id} chips={data !== null && (
        <>
          <Chip tone={capaTone[data.state]}>{stateWord(data.state).toLowerCase()}</Chip>
          {data.overdue.length > 0 && <Chip tone="bad">overdue</Chip>}
        </>
      )} />
      <Loaded of={record} what="the record">
        {(capa) => (
          <Reread.Provider value={record.reload}>
            <div class="cols capa-record">
              <div class="stack">
                <Problem capa={capa} />
                <Rating capa={capa} />
                <Containment capa={capa} />
                <InvestigationSection capa={capa} />
                <Actions capa={capa} />
                <Criterion capa={capa} />
                <VerificationSection capa={capa} />
              </div>
              <div class="stack">
                <Moves capa={capa} />
                <Dates capa={capa} />
                <Facts capa={capa} />
                <Decisions capa={capa} />
                <History capa={capa} />
              </div>
            </div>
          </Reread.Provider>
        )}
      </Loaded>
    </>
  );
}

const Facts = ({ capa }: { capa: CapaDetail }) => (
  <Card title="Record">
    <dl>
      <dt>Subsystem</dt><dd><a class="link" href={`/subsystems/${inPath(capa.subsystem_id)}`}>{capa.subsystem_id}</a></dd>
      <dt>Source</dt><dd>{inWords(capa.source)}</dd>
      {capa.mission_id !== null && <><dt>Mission</dt><dd><a class="link mono" href={`/missions/${inPath(capa.mission_id)}`}>{capa.mission_id}</a></dd></>}
      <dt>Reported</dt><dd>{plural(capa.occurrences, 'time')}</dd>
      <dt>Opened</dt><dd><Age at={capa.opened_at} /> by {capa.opened_by}</dd>
      {capa.plan_authors.length > 0 && <><dt>Plan by</dt><dd>{capa.plan_authors.join(', ')}</dd></>}
      {capa.duplicate_of !== null && <><dt>Repeats</dt><dd><a class="link" href={`/capa/${inPath(capa.duplicate_of)}`}>{capa.duplicate_of}</a></dd></>}
      <dt>Version</dt><dd class="num">{capa.version}</dd>
      <dt>Fingerprint</dt><dd><Copyable value={capa.fingerprint} short={20} /></dd>
      {capa.evidence.length > 0 && <><dt>Evidence</dt><dd>{capa.evidence.map((sha256) => <a key={sha256} class="link mono" href={`/mission-control/artifacts/${sha256}`} download>{sha256.slice(0, 10)} </a>)}</dd></>}
    </dl>
  </Card>
);

const Decisions = ({ capa }: { capa: CapaDetail }) => (
  <Card title="Decisions" aside={String(capa.decisions.length)}>
    {capa.decisions.length === 0 && <Empty title="Nobody has decided yet">Each move is kept with who made it and why.</Empty>}
    {capa.decisions.toReversed().map((one) => (
      <div class="row" key={`${one.at} ${one.to}`}>
        <div class="wrap">{stateWord(one.from)} → <b>{stateWord(one.to)}</b><div class="sub">{one.by} ({one.role}) <Age at={one.at} />{one.reason !== null && ` · ${one.reason}`}</div></div>
      </div>
    ))}
  </Card>
);

const History = ({ capa }: { capa: CapaDetail }) => (
  <Card title="History" aside={String(capa.history.length)} class="feed">
    {capa.history.toReversed().map((event) => (
      <div class="row" key={event.event_id}>
        <Clock at={event.ts} />
        <span class="wrap">{event.type.replace('capa.', '').replaceAll('_', ' ')} <span class="faint">by {event.actor.id}{changesOf(event.payload)}</span></span>
      </div>
    ))}
  </Card>
);

/** Which fields an edit changed. */
const changesOf = ({ changes }: Record<string, unknown>): string =>
  (typeof changes === 'object' && changes !== null ? `: ${Object.keys(changes).map((name) => name.replaceAll('_', ' ')).join(', ')}` : '');
