/** Events of the ledger as the filters want them, up to the newest and from then on live. */
import { useSignal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import type { SealedEvent } from '../../../domain/event.ts';
import { ApiProblem, get, query } from '../../api.ts';
import { onEvents, onSnapshot, seq as liveSeq } from '../../store.ts';

export interface EventFilter { type: string; mission_id: string; after: string }

interface Page { items: SealedEvent[]; next_after: number; latest_seq: number }

export interface Listed {
  /** In the order of the ledger. */
  items: readonly SealedEvent[];
  /** Where to read on; events above it are not looked at yet. */
  next_after: number;
  latest_seq: number;
  loading: boolean;
  error: ApiProblem | null;
}

/** So many of the newest are shown when nothing narrows them down. */
const newest = 100;
const pageSize = 200;
/** Further back is found by its number. */
const kept = 2_000;

const nothing: Listed = { items: [], next_after: 0, latest_seq: 0, loading: true, error: null };

export function useEvents(filter: EventFilter): Listed & { more: () => Promise<void> } {
  const { type, mission_id, after } = filter;
  const wanted = `${type} ${mission_id} ${after}`;
  const state = useSignal<Listed & { of: string }>({ ...nothing, of: wanted });
  const read = useRef<(from: number) => Promise<void>>(async () => undefined);
  useEffect(() => {
    let gone = false;
    state.value = { ...nothing, of: wanted };
    read.current = async (from) => {
      state.value = { ...state.peek(), loading: true };
      const page = await get<Page>(`/events${query({ after: from, limit: pageSize, types: type, mission_id })}`).catch((error: unknown) => (error instanceof ApiProblem ? error : new ApiProblem(0, 'ERROR', String(error))));
      if (gone) return;
      const before = state.peek();
      state.value = page instanceof ApiProblem
        ? { ...before, loading: false, error: page }
        : { ...joined(before, page.items), next_after: Math.max(before.next_after, page.next_after), latest_seq: Math.max(before.latest_seq, page.latest_seq), loading: false, error: null };
      // What came meanwhile follows on what was just read, up to the end.
      if (!(page instanceof ApiProblem) && page.items.length < pageSize && state.peek().next_after < state.peek().latest_seq) await read.current(state.peek().next_after);
    };
    void begin();
    async function begin(): Promise<void> {
      if (after !== '') return read.current(Number(after));
      if (type !== '' || mission_id !== '') return read.current(0);
      // The end of the ledger, as the stream knows it or, before it is live, as the API does.
      const end = liveSeq.peek() ?? (await get<Page>('/events?limit=1').then((page) => page.latest_seq, () => 0));
      return read.current(Math.max(0, end - newest));
    }
    const stops = [
      onEvents((events) => {
        const before = state.peek();
        const last = events.at(-1)!.seq;
        // Only what follows on directly: between is what has not been read yet.
        if (before.loading || before.next_after < before.latest_seq) {
          state.value = { ...before, latest_seq: Math.max(before.latest_seq, last) };
          return;
        }
        const mine = events.filter((event) => (type === '' || event.type === type) && (mission_id === '' || event.subject.mission_id === mission_id));
        state.value = { ...joined(before, mine), next_after: last, latest_seq: last };
      }),
      onSnapshot(() => { void read.current(state.peek().next_after); }),
    ];
    return () => {
      gone = true;
      for (const stop of stops) stop();
    };
  }, [type, mission_id, after]);
  // What the filters before found is never shown as what these find.
  return { ...(state.value.of === wanted ? state.value : nothing), more: () => read.current(state.peek().next_after) };
}

function joined<T extends Listed>(before: T, events: readonly SealedEvent[]): T {
  const last = before.items.at(-1)?.seq ?? 0;
  return { ...before, items: [...before.items, ...events.filter(({ seq }) => seq > last)].slice(-kept) };
}
