import type { CapaView } from '../../domain/capa-view.ts';
import { query } from '../api.ts';
import { PageHeader } from '../parts/page-header.tsx';
import { Empty, Loaded } from '../parts/states.tsx';
import { Tabs } from '../parts/tabs.tsx';
import { useResource } from '../resource.ts';
import { place, setQuery } from '../route.ts';
import { may } from '../session.ts';
import { Board, RecordRow } from './capa/board.tsx';
import { NewRecord } from './capa/new-record.tsx';
import { Trends } from './capa/trends.tsx';
import { aboutCapa } from './capa/words.ts';
import './capa.css';

const shown = 200;

/** Corrective and preventive action: open records by state, closed ones, and what they say together. */
export function CapaPage() {
  const given = place.value.query;
  return (
    <>
      <PageHeader title="CAPA">{may('capa:create') && <button type="button" onClick={() => setQuery({ new: '1' })}>New record</button>}</PageHeader>
      {given.get('new') !== null && may('capa:create') && <NewRecord />}
      <section class="card">
        <Tabs label="Records" tabs={[
          { id: 'open', label: 'Open', show: () => <Open /> },
          { id: 'closed', label: 'Closed', show: () => <Closed /> },
          { id: 'trends', label: 'Trends', show: () => <Trends /> },
        ]} />
      </section>
    </>
  );
}

function Open() {
  const given = place.value.query;
  const overdue = given.get('overdue') === '1';
  const records = useResource<{ items: CapaView[]; next_cursor: string | null }>(`/capa${query({ open: 'true', overdue: overdue ? 'yes' : null, limit: shown })}`, { on: aboutCapa });
  return (
    <>
      <div class="row"><div class="bar">
        <button type="button" aria-pressed={overdue} onClick={() => setQuery({ overdue: overdue ? null : '1' })}>Overdue only</button>
        {records.data?.next_cursor !== null && records.data !== null && <span class="sub">the {shown} newest are shown</span>}
      </div></div>
      <Loaded of={records} what="records">
        {({ items }) => (items.length === 0
          ? <Empty title={overdue ? 'Nothing is overdue' : 'No open record'}>Escalations, rollbacks, quarantines and violations open records by themselves; people open others by hand.</Empty>
          : <Board records={items} />)}
      </Loaded>
    </>
  );
}

function Closed() {
  const cursor = place.value.query.get('cursor');
  const records = useResource<{ items: CapaView[]; next_cursor: string | null }>(`/capa${query({ open: 'false', limit: 50, cursor })}`, { on: aboutCapa });
  return (
    <Loaded of={records} what="records">
      {({ items, next_cursor: next }) => (
        <>
          {items.length === 0 && <Empty title="None is closed yet">A record is closed when its effect was measured, or it was rejected or voided.</Empty>}
          {items.map((record) => <RecordRow key={record.capa_id} record={record} />)}
          {(next !== null || cursor !== null) && (
            <div class="row"><div class="bar">
              {cursor !== null && <button type="button" onClick={() => setQuery({ cursor: null })}>Newest</button>}
              {next !== null && <button type="button" onClick={() => setQuery({ cursor: next })}>Older</button>}
            </div></div>
          )}
        </>
      )}
    </Loaded>
  );
}
