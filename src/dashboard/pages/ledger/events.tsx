import { eventTypes, type SealedEvent } from '../../../domain/event.ts';
import { inPath } from '../../api.ts';
import { Clock } from '../../parts/age.tsx';
import { Card } from '../../parts/card.tsx';
import { Empty, Failed, Loading } from '../../parts/states.tsx';
import { Told } from '../../parts/told.tsx';
import { WindowedList } from '../../parts/windowed-list.tsx';
import { place, setQuery } from '../../route.ts';
import { useEvents } from './listed.ts';

/** As in ledger.css; two short lines on a phone. */
const rowHeight = 40;

/** Every event, newest first; the filters are in the address. */
export function Events() {
  const { query } = place.value;
  const filter = { type: query.get('type') ?? '', mission_id: query.get('mission') ?? '', after: /^\d{1,15}$/.test(query.get('after') ?? '') ? query.get('after')! : '' };
  const listed = useEvents(filter);
  const filtered = Object.values(filter).some((value) => value !== '');
  const left = listed.latest_seq - listed.next_after;
  return (
    <Card title="Events" aside={!filtered ? 'live, newest first' : listed.loading ? '' : `${listed.items.length.toLocaleString()} found`}>
      <div class="filters">
        <label><span>Type</span>
          <select value={filter.type} onChange={(event) => setQuery({ type: event.currentTarget.value })}>
            <option value="">every type</option>
            {eventTypes.map((type) => <option key={type} value={type}>{type}</option>)}
          </select>
        </label>
        <label><span>Mission</span><input class="mono" value={filter.mission_id} placeholder="mission_…" spellcheck={false} onChange={(event) => setQuery({ mission: event.currentTarget.value.trim() })} /></label>
        <label><span>After record</span><input class="mono" inputMode="numeric" pattern="\d*" value={filter.after} placeholder={filter.type !== '' || filter.mission_id !== '' ? '0' : 'newest'} onChange={(event) => setQuery({ after: event.currentTarget.value.trim() })} /></label>
        {filtered && <button type="button" class="link" onClick={() => setQuery({ type: null, mission: null, after: null })}>clear</button>}
      </div>
      {listed.error !== null && <Failed error={listed.error} retry={listed.more} />}
      {left > 0 && !listed.loading && (
        <div class="bar pad"><button type="button" onClick={() => { void listed.more(); }}>Read on</button><span class="sub">records {(listed.next_after + 1).toLocaleString()} to {listed.latest_seq.toLocaleString()} were not looked at yet</span></div>
      )}
      {listed.items.length === 0 && listed.error === null && (listed.loading ? <Loading what="events" /> : (
        <Empty title={filtered ? 'No such event' : 'Nothing is sealed yet'}>{filtered ? 'None of the records that were looked at is one of these.' : 'The worker seals what happens within milliseconds, as soon as it runs.'}</Empty>
      ))}
      <WindowedList items={listed.items.toReversed()} row_height={rowHeight} id_of={(event) => event.event_id} label="Events" row={(event) => <Row event={event} open={query.get('seq') === String(event.seq)} />} />
    </Card>
  );
}

const Row = ({ event, open }: { event: SealedEvent; open: boolean }) => (
  <div class={`row sealed ${open ? 'sel' : ''}`}>
    <button type="button" class="link mono" aria-label={`Open record ${event.seq}`} onClick={() => setQuery({ seq: String(event.seq) })}>{event.seq}</button>
    <Clock at={event.ts} />
    <span class="clip"><Told event={event} /></span>
    {event.subject.mission_id === null
      ? <span class="mono faint clip">{event.type}</span>
      : <a class="mono faint clip" href={`/missions/${inPath(event.subject.mission_id)}`} title={`${event.type} of ${event.subject.mission_id}`}>{event.subject.mission_id}</a>}
  </div>
);
