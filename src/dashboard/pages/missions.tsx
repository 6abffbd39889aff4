import { useSignal } from '@preact/signals';
import { isTerminal, missionStatuses, missionTypes, severities, type MissionStatus, type Severity } from '../../domain/mission.ts';
import { PageHeader } from '../parts/page-header.tsx';
import { Empty, Failed, Loading } from '../parts/states.tsx';
import { WindowedList } from '../parts/windowed-list.tsx';
import { place, setQuery } from '../route.ts';
import { may } from '../session.ts';
import { plural, statusWords } from '../words.ts';
import { BatchBar } from './missions/batch-bar.tsx';
import { Board } from './missions/board.tsx';
import { useMissions, type Filter } from './missions/list.ts';
import { MissionRow } from './missions/mission-row.tsx';
import { NewMission } from './missions/new-mission.tsx';
import { Views } from './missions/views.tsx';
import './missions.css';

const rowHeight = 59;

/** A filter in the address that is none of ours filters nothing. */
function filterOf(query: URLSearchParams): Filter {
  const of = (name: string): string => query.get(name) ?? '';
  const among = <T extends string>(name: string, values: readonly T[]): T | '' => values.find((value) => value === of(name)) ?? '';
  return {
    q: of('q'), status: among<MissionStatus>('status', missionStatuses), severity: among<Severity>('severity', severities),
    mission_type: among('mission_type', missionTypes), subsystem_id: of('subsystem_id'), assigned_to: of('assigned_to'), label: of('label'),
  };
}

export function MissionsPage() {
  const query = place.value.query;
  const filter = filterOf(query);
  const board = query.get('as') === 'board';
  const { items, complete, loading, error, more, reload } = useMissions(filter);
  const chosen = useSignal<ReadonlySet<string>>(new Set());
  const steers = may('mission:steer');
  const selected = items.filter((mission) => chosen.value.has(mission.mission_id)).map((mission) => mission.mission_id);
  const selectable = items.filter((mission) => !isTerminal(mission.status));
  const filtered = Object.values(filter).some((value) => value !== '');

  function select(id: string, on: boolean): void {
    const next = new Set(chosen.value);
    if (on) next.add(id);
    else next.delete(id);
    chosen.value = next;
  }

  return (
    <>
      <PageHeader title="Missions">
        <div class="bar segmented" role="group" aria-label="Shown as">
          <button type="button" aria-pressed={!board} onClick={() => setQuery({ as: null })}>List</button>
          <button type="button" aria-pressed={board} onClick={() => setQuery({ as: 'board' })}>Board</button>
        </div>
        {may('mission:create') && <button type="button" class="primary" onClick={() => setQuery({ new: '1' })}>New mission</button>}
      </PageHeader>
      <Views />
      <Filters filter={filter} />
      {error !== null && <Failed error={error} retry={reload} />}
      {loading && error === null && <Loading what="missions" />}
      {!loading && items.length === 0 && (filtered
        ? <Empty title="No mission fits">Search words are those of ids, titles and symptoms. <button type="button" class="link" onClick={() => setQuery(Object.fromEntries(Object.keys(filter).map((name) => [name, null])))}>Clear the filters</button></Empty>
        : <Empty title="No missions yet">{may('mission:create') ? <>Hand in the first one with <b>New mission</b>, or let an agent do it through the <a href="/docs">API</a>.</> : 'Missions that agents or people hand in appear here.'}</Empty>)}
      {items.length > 0 && board && <Board items={items} />}
      {items.length > 0 && !board && (
        <section class="card missions">
          <h2>
            <span class="bar">
              {steers && selectable.length > 0 && (
                <label class="bar"><input type="checkbox" checked={selected.length > 0 && selected.length === selectable.length}
                  onChange={(event) => { chosen.value = new Set(event.currentTarget.checked ? selectable.map((mission) => mission.mission_id) : []); }} /> all that have not ended</label>
              )}
            </span>
            <span role="status">{plural(items.length, 'mission')}{!complete && ' loaded, more below'}</span>
          </h2>
          <WindowedList items={items} row_height={rowHeight} label="Missions" id_of={(mission) => mission.mission_id} near_end={more} row={(mission) => (
            <MissionRow mission={mission} selected={chosen.value.has(mission.mission_id)} select={steers ? (on) => select(mission.mission_id, on) : undefined} />
          )} />
        </section>
      )}
      {selected.length > 0 && <BatchBar ids={selected} clear={() => { chosen.value = new Set(); }} />}
      {query.get('new') === '1' && may('mission:create') && <NewMission close={() => setQuery({ new: null })} />}
    </>
  );
}

const Filters = ({ filter }: { filter: Filter }) => (
  <form class="bar filters" role="search" onSubmit={(event) => event.preventDefault()}>
    <input type="search" aria-label="Search missions" placeholder="Words of id, title or symptoms" value={filter.q} maxLength={200} onInput={(event) => setQuery({ q: event.currentTarget.value })} />
    <Choice name="status" label="Any status" value={filter.status} values={missionStatuses} words={(status) => statusWords[status]} />
    <Choice name="severity" label="Any severity" value={filter.severity} values={severities} />
    <Choice name="mission_type" label="Any type" value={filter.mission_type} values={missionTypes} />
    <input aria-label="Subsystem" placeholder="Subsystem" value={filter.subsystem_id} onChange={(event) => setQuery({ subsystem_id: event.currentTarget.value.trim() })} />
    <input aria-label="Assigned to" placeholder="Assigned to" value={filter.assigned_to} onChange={(event) => setQuery({ assigned_to: event.currentTarget.value.trim() })} />
    <input aria-label="Label" placeholder="Label" value={filter.label} onChange={(event) => setQuery({ label: event.currentTarget.value.trim() })} />
  </form>
);

const Choice = <T extends string>({ name, label, value, values, words }: { name: string; label: string; value: string; values: readonly T[]; words?: (value: T) => string }) => (
  <select aria-label={label.replace('Any ', '')} value={value} onChange={(event) => setQuery({ [name]: event.currentTarget.value })}>
    <option value="">{label}</option>
    {values.map((one) => <option key={one} value={one}>{words === undefined ? one : words(one)}</option>)}
  </select>
);
