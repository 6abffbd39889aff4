import { computed } from '@preact/signals';
import { Card } from '../../parts/card.tsx';
import { Empty } from '../../parts/states.tsx';
import { EventRow } from '../../parts/told.tsx';
import { connection, recentEvents } from '../../store.ts';

const shown = 14;

// That a stage began is told by the track; that it ended is news.
const news = computed(() => recentEvents.value.filter((event) => event.type !== 'stage.started').slice(0, shown));

/** What happened last, as it happens. */
export const Activity = () => (
  <Card title="Activity" aside={connection.value.state === 'live' ? 'live' : 'not live'} class="feed">
    {news.value.length === 0
      ? <Empty title="Quiet">What happens appears here by itself, and stays in the timeline of its mission.</Empty>
      : news.value.map((event) => <EventRow key={event.event_id} event={event} linked />)}
  </Card>
);
