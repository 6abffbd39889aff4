/** Something the API knows and the stream does not carry: loaded, kept fresh by events, and honest about its age. */
import { useSignal, type Signal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import { ApiProblem, get } from './api.ts';
import { onEvents, onSnapshot } from './store.ts';
import type { SealedEvent } from '../domain/event.ts';

export interface Resource<T> {
  /** What came last, kept while it is loaded again. */
  data: T | null;
  /** Why the last load failed; data, if there is any, is older than that. */
  error: ApiProblem | null;
  /** RFC 3339: when data was loaded. */
  loaded_at: string | null;
  reload: () => Promise<void>;
}

export interface Freshness {
  /** Loads again after events for which this is true. */
  on?: (event: SealedEvent) => boolean;
  /** Loads again that often while the page is visible: for what is measured rather than told. */
  every_ms?: number;
}

/** However many events come: at most one load at a time, and this pause between two. */
const restMs = 400;

/** @param path below `/mission-control`; null loads nothing */
export function useResource<T>(path: string | null, freshness: Freshness = {}): Resource<T> {
  const state: Signal<Omit<Resource<T>, 'reload'> & { path: string | null }> = useSignal({ path: null, data: null, error: null, loaded_at: null });
  const latest = useRef(freshness);
  latest.current = freshness;
  const reload = useRef<() => Promise<void>>(async () => undefined);

  useEffect(() => {
    if (path === null) return undefined;
    let gone = false;
    let running: Promise<void> | undefined;
    let again = false;
    let timer: ReturnType<typeof setTimeout> | undefined;

    async function load(): Promise<void> {
      const kept = state.peek().path === path ? state.peek() : { data: null, loaded_at: null };
      const next = await get<T>(path!).then(
        (data) => ({ path, data, error: null, loaded_at: new Date().toISOString() }),
        (error: unknown) => ({ ...kept, path, error: error instanceof ApiProblem ? error : new ApiProblem(0, 'ERROR', String(error)) }));
      if (!gone) state.value = next;
    }
    async function now(): Promise<void> {
      clearTimeout(timer);
      timer = undefined;
      again = false;
      running = load();
      await running;
      running = undefined;
      if (again && !gone) soon();
    }
    function soon(): void {
      if (running !== undefined) again = true;
      else timer ??= setTimeout(() => { void now(); }, restMs);
    }
    reload.current = now;
    void now();
    const stops = [onEvents((events) => { if (latest.current.on !== undefined && events.some(latest.current.on)) soon(); }), onSnapshot(soon)];
    const { every_ms: every } = latest.current;
    const beat = every === undefined ? undefined : setInterval(() => { if (!document.hidden) soon(); }, every);
    return () => {
      gone = true;
      clearTimeout(timer);
      clearInterval(beat);
      for (const stop of stops) stop();
    };
  }, [path]);

  const { path: loadedPath, ...rest } = state.value;
  const mine = loadedPath === path ? rest : { data: null, error: null, loaded_at: null };
  return { ...mine, reload: () => reload.current() };
}
