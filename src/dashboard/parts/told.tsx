import type { StoredEvent } from '../../domain/event.ts';
import { sentenceOf } from '../event-words.ts';
import { Clock } from './age.tsx';

/** An event as a sentence. */
export const Told = ({ event }: { event: StoredEvent }) => (
  <span class="wrap">
    {sentenceOf(event).map((part, i) => (typeof part === 'string' ? part : 'name' in part ? <b key={i}>{part.name}</b> : <span key={i} class="mono">{part.code}</span>))}
  </span>
);

/** An event as a row of a feed; with a link to its mission where the mission is not the page. */
export const EventRow = ({ event, linked = false }: { event: StoredEvent; linked?: boolean }) => (
  <div class="row">
    <Clock at={event.ts} />
    <span class="wrap">
      <Told event={event} />
      {linked && event.subject.mission_id !== null && <> · <a class="mono faint" href={`/missions/${encodeURIComponent(event.subject.mission_id)}`}>{event.subject.mission_id}</a></>}
    </span>
  </div>
);
