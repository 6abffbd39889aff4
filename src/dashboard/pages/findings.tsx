import type { Finding } from '../../domain/finding-record.ts';
import { inPath, query } from '../api.ts';
import { Age, Span } from '../parts/age.tsx';
import { Card } from '../parts/card.tsx';
import { Chip } from '../parts/chip.tsx';
import { PageHeader } from '../parts/page-header.tsx';
import { Empty, Loaded } from '../parts/states.tsx';
import { useResource } from '../resource.ts';
import { place, setQuery } from '../route.ts';
import { may } from '../session.ts';
import { plural, severityTone } from '../words.ts';
import { Silences } from './findings/silences.tsx';
import { whatHeals } from './findings/what-heals.ts';
import { findingTone, findingWord } from './findings/words.ts';
import { aboutPlaybooks, type PlaybookView } from './playbooks/wire.ts';
import './findings.css';

const shown = 100;
const choices = [['open', 'Open'], ['resolved', 'Resolved'], ['all', 'All']] as const;

/** What is wrong now, what was, and what nobody wants to hear of. */
export function FindingsPage() {
  const given = place.value.query;
  const which = choices.find(([id]) => id === given.get('show'))?.[0] ?? 'open';
  const subsystem = given.get('subsystem');
  const path = `/findings${query({ open: which === 'all' ? null : String(which === 'open'), subsystem_id: subsystem, cursor: given.get('cursor'), limit: shown })}`;
  const findings = useResource<{ items: Finding[]; next_cursor: string | null }>(path, { on: (event) => event.type.startsWith('finding.') || event.type.startsWith('silence.') });
  const playbooks = useResource<{ items: PlaybookView[] }>(may('healing:read') ? '/playbooks' : null, { on: aboutPlaybooks });
  return (
    <>
      <PageHeader title="Findings" />
      <div class="bar" role="group" aria-label="Which findings">
        {choices.map(([id, word]) => (
          <button type="button" key={id} aria-pressed={which === id} onClick={() => setQuery({ show: id === 'open' ? null : id, cursor: null })}>{word}</button>
        ))}
        {subsystem !== null && <button type="button" onClick={() => setQuery({ subsystem: null, cursor: null })}>of {subsystem} ×</button>}
      </div>
      <div class="cols">
        <Card title={which === 'all' ? 'All findings' : `${choices.find(([id]) => id === which)![1]} findings`} aside={findings.data === null ? undefined : `${findings.data.items.length}${findings.data.next_cursor === null ? '' : ' newest'}`}>
          <Loaded of={findings} what="findings">
            {({ items, next_cursor: next }) => (
              <>
                {items.length === 0 && (which === 'open'
                  ? <Empty title="Nothing is wrong that is watched">Failing probes, metrics off target and <code>POST /mission-control/signals</code> open findings. What is not watched is not known: see <a href="/subsystems">subsystems</a>.</Empty>
                  : <Empty title="None">No finding matches.</Empty>)}
                {items.map((finding) => <FindingRow key={finding.finding_id} finding={finding} playbooks={playbooks.data?.items ?? null} />)}
                {(next !== null || given.get('cursor') !== null) && (
                  <div class="row"><div class="bar">
                    {given.get('cursor') !== null && <button type="button" onClick={() => setQuery({ cursor: null })}>Newest</button>}
                    {next !== null && <button type="button" onClick={() => setQuery({ cursor: next })}>Older</button>}
                  </div></div>
                )}
              </>
            )}
          </Loaded>
        </Card>
        <Silences />
      </div>
    </>
  );
}

function FindingRow({ finding, playbooks }: { finding: Finding; playbooks: readonly PlaybookView[] | null }) {
  const { finding_id: id, title, subsystem_id, resource_id, severity, state, reason, occurrences, first_seen_at, state_since } = finding;
  return (
    <a class="row finding" href={`/findings/${inPath(id)}`}>
      <Chip tone={severityTone[severity]}>{severity}</Chip>
      <div class="wrap">
        {title}
        <div class="sub">{subsystem_id}{resource_id === null ? '' : `/${resource_id}`}{reason !== title && ` · ${reason}`} · since <Age at={first_seen_at} /> · {plural(occurrences, 'time')}</div>
        <div class="sub">{whatHeals(finding, playbooks).said}</div>
      </div>
      <div class="state"><Chip tone={findingTone[state]}>{findingWord(state)}</Chip><small>for <Span at={state_since} /></small></div>
    </a>
  );
}
