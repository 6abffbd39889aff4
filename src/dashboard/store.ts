/**
 * What the page knows: fed by the live stream alone, written once per animation frame however much arrives.
 * Views read signals; what needs more than is here asks the API when an event says so (`resource.ts`).
 */
import { batch, computed, signal } from '@preact/signals';
import type { MissionLine } from '../domain/mission-view.ts';
import type { ServerMessage, StreamMetrics } from '../domain/stream.ts';
import type { SealedEvent } from '../domain/event.ts';
import { isTerminal } from '../domain/mission.ts';

export interface Connection {
  /** `reconnecting`: was live, is not; what is shown is as old as `since`. */
  state: 'connecting' | 'live' | 'reconnecting';
  /** RFC 3339: since when. */
  since: string;
  /** Why it is not live, when the server said so. */
  reason: string | null;
}

const keptEvents = 400;
const keptMissions = 2_000;

export const connection = signal<Connection>({ state: 'connecting', since: new Date().toISOString(), reason: null });
export const missions = signal<ReadonlyMap<string, MissionLine>>(new Map());
export const metrics = signal<StreamMetrics | null>(null);
/** Newest first. */
export const recentEvents = signal<readonly SealedEvent[]>([]);
/** Last place in the ledger that this page knows of; null before the first snapshot. */
export const seq = signal<number | null>(null);

/** Newest first. */
export const missionsNewestFirst = computed(() => [...missions.value.values()].sort(newestFirst));
export const openMissions = computed(() => missionsNewestFirst.value.filter((mission) => !isTerminal(mission.status)));

const newestFirst = (a: MissionLine, b: MissionLine): number =>
  (a.created_at === b.created_at ? b.mission_id.localeCompare(a.mission_id) : a.created_at < b.created_at ? 1 : -1);

type Listener = (events: readonly SealedEvent[]) => void;
const listeners = new Set<Listener>();
const resyncListeners = new Set<() => void>();

/** Calls with every batch of events from now on. @returns how to stop */
export function onEvents(listener: Listener): () => void {
  listeners.add(listener);
  return () => { listeners.delete(listener); };
}

/** Calls after a snapshot that replaced what was known: events may have been missed. @returns how to stop */
export function onSnapshot(listener: () => void): () => void {
  resyncListeners.add(listener);
  return () => { resyncListeners.delete(listener); };
}

let waiting: ServerMessage[] = [];
let planned = false;

/** Takes a message; it is seen at the next frame. A hidden page has no frames: there a timer takes their place. */
export function take(message: ServerMessage): void {
  waiting.push(message);
  if (planned) return;
  planned = true;
  if (document.hidden) setTimeout(apply, 250);
  else requestAnimationFrame(apply);
}

function apply(): void {
  const messages = waiting;
  waiting = [];
  planned = false;
  const events: SealedEvent[] = [];
  let fresh = false;
  batch(() => {
    let known: Map<string, MissionLine> | undefined;
    for (const message of messages) {
      if (message.type === 'snapshot_required' || message.type === 'error') continue;
      seq.value = Math.max(message.seq, message.type === 'initial_data' ? 0 : seq.peek() ?? 0);
      if (message.type === 'data_update') events.push(...message.events);
      if (message.type === 'initial_data') {
        fresh = true;
        known = new Map();
      }
      if (message.type === 'initial_data' || message.type === 'mission_update') {
        known ??= new Map(missions.peek());
        for (const mission of message.missions) known.set(mission.mission_id, mission);
      }
      if (message.type === 'initial_data' || message.type === 'metrics_update') metrics.value = message.metrics;
    }
    if (known !== undefined) missions.value = bounded(known);
    if (events.length > 0) recentEvents.value = [...events.slice(-keptEvents).reverse(), ...recentEvents.peek()].slice(0, keptEvents);
  });
  if (events.length > 0) for (const listener of listeners) listener(events);
  if (fresh) for (const listener of resyncListeners) listener();
}

/** Events from before the snapshot, so that a page that was just opened is not without news. Listeners hear of what is new only. */
export function takeOlder(events: readonly SealedEvent[]): void {
  const known = recentEvents.peek();
  const oldest = known.at(-1)?.seq ?? Infinity;
  recentEvents.value = [...known, ...events.filter((event) => event.seq < oldest).reverse()].slice(0, keptEvents);
}

/** A page that stays open for weeks forgets the oldest ended missions; lists ask the API for those. */
function bounded(known: Map<string, MissionLine>): Map<string, MissionLine> {
  if (known.size <= keptMissions) return known;
  const ended = [...known.values()].filter((mission) => isTerminal(mission.status)).sort(newestFirst).reverse();
  for (const mission of ended.slice(0, known.size - keptMissions)) known.delete(mission.mission_id);
  return known;
}

/** Forgets everything: somebody else may sign in on this page. */
export function forget(): void {
  waiting = [];
  batch(() => {
    missions.value = new Map();
    metrics.value = null;
    recentEvents.value = [];
    seq.value = null;
  });
}
