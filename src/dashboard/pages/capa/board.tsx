import type { CapaView } from '../../../domain/capa-view.ts';
import { inPath } from '../../api.ts';
import { Age } from '../../parts/age.tsx';
import { Chip } from '../../parts/chip.tsx';
import { plural } from '../../words.ts';
import { capaTone, dateWord, firstDate, openStates, ownersOf, stateWord } from './words.ts';

/** A column for each state of an open record; those without records are narrow. */
export const Board = ({ records }: { records: readonly CapaView[] }) => (
  <div class="capa-board" role="group" aria-label="Open records by state" tabIndex={0}>
    {openStates.map((state) => {
      const here = records.filter((record) => record.state === state);
      return (
        <section key={state} class={here.length === 0 ? 'capa-column none' : 'capa-column'} aria-label={`${stateWord(state)}, ${plural(here.length, 'record')}`}>
          <h3><span>{stateWord(state)}</span> <small>{here.length}</small></h3>
          {here.map((record) => <BoardCard key={record.capa_id} record={record} />)}
        </section>
      );
    })}
  </div>
);

function BoardCard({ record }: { record: CapaView }) {
  const { capa_id: id, problem_statement: problem, subsystem_id, occurrences, overdue } = record;
  const due = firstDate(record);
  const owners = ownersOf(record);
  return (
    <a class={`capa-card ${overdue.length > 0 ? 'late' : ''}`} href={`/capa/${inPath(id)}`}>
      <span class="mono">{id}</span>
      <span class="problem">{problem}</span>
      <span class="sub">{subsystem_id}{record.risk_score !== null && ` · risk ${record.risk_score}`}{occurrences > 1 && ` · ${occurrences} times`}{owners.length > 0 && ` · ${owners.join(', ')}`}</span>
      {overdue.length > 0
        ? <Chip tone="bad" title={overdue.map(({ what, owner }) => `${what}${owner === null ? '' : `, ${owner}`}`).join('; ')}>overdue</Chip>
        : due !== undefined && <span class="sub">{dateWord(due.what)} <Age at={due.at} /></span>}
    </a>
  );
}

/** Records as rows: the closed ones, and whatever a filter finds. */
export const RecordRow = ({ record }: { record: CapaView }) => (
  <a class="row capa-row" href={`/capa/${inPath(record.capa_id)}`}>
    <div class="wrap">
      <span class="problem">{record.problem_statement}</span>
      <div class="sub"><span class="mono">{record.capa_id}</span> · {record.subsystem_id} · {record.source.replaceAll('_', ' ')} · opened <Age at={record.opened_at} />{record.duplicate_of !== null && ` · repeats ${record.duplicate_of}`}</div>
    </div>
    <Chip tone={capaTone[record.state]}>{stateWord(record.state).toLowerCase()}</Chip>
  </a>
);
