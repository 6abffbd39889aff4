/** The live stream: one WebSocket that comes back by itself, and goes on where it stopped. */
import type { SealedEvent } from '../domain/event.ts';
import { closeCodes, type ServerMessage } from '../domain/stream.ts';
import { get, query } from './api.ts';
import { whoAmI } from './session.ts';
import { connection, recentEvents, take, takeOlder, type Connection } from './store.ts';

/** So much of the past is asked for at first. */
const olderEvents = 60;
const firstPauseMs = 250;
const longestPauseMs = 20_000;
/** A connection that says nothing may be dead without knowing it: we ask, and give it so long to answer. */
const quietMs = 25_000;
const answerMs = 8_000;

/** The server's reasons to hang up, in words. */
const closed: Readonly<Record<number, string>> = {
  [closeCodes.tooSlow]: 'this page was too slow to follow', [closeCodes.goingAway]: 'the server is restarting', [closeCodes.tryAgain]: 'the server is busy',
  [closeCodes.tooManyMessages]: 'this page asked too often',
};

/** Stays connected until told to stop. @returns how to stop */
export function startStream(): () => void {
  let socket: WebSocket | undefined;
  let after: number | null = null;
  let failures = 0;
  let retry: ReturnType<typeof setTimeout> | undefined;
  let watch: ReturnType<typeof setTimeout> | undefined;
  let stopped = false;

  function become(state: Connection['state'], reason: string | null = null): void {
    const before = connection.peek();
    connection.value = { state, reason: reason ?? (state === 'live' ? null : before.reason), since: before.state === state ? before.since : new Date().toISOString() };
  }

  function open(): void {
    clearTimeout(retry);
    const mine = new WebSocket(`${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.host}/mission-control/ws`);
    socket = mine;
    mine.addEventListener('open', () => subscribe(mine));
    mine.addEventListener('message', ({ data }) => { if (socket === mine) hear(mine, JSON.parse(data as string) as ServerMessage); });
    mine.addEventListener('close', ({ code }) => { if (socket === mine) lost(code); });
    listenFor(mine);
  }

  const subscribe = (to: WebSocket): void => to.send(JSON.stringify(after === null ? { type: 'subscribe' } : { type: 'subscribe', after }));

  function hear(from: WebSocket, message: ServerMessage): void {
    if (message.type === 'snapshot_required') {
      after = null;
      return subscribe(from);
    }
    if (message.type === 'error') return become(connection.peek().state, message.detail);
    failures = 0;
    after = message.type === 'initial_data' ? message.seq : Math.max(after ?? 0, message.seq);
    become('live');
    listenFor(from);
    take(message);
    if (message.type === 'initial_data' && recentEvents.peek().length === 0) void older(message.seq);
  }

  async function older(seq: number): Promise<void> {
    const { items } = await get<{ items: SealedEvent[] }>(`/events${query({ after: Math.max(0, seq - olderEvents), limit: olderEvents, wait: 0 })}`).catch(() => ({ items: [] }));
    if (!stopped) takeOlder(items.filter((event) => event.seq <= seq));
  }

  function listenFor(to: WebSocket): void {
    clearTimeout(watch);
    watch = setTimeout(() => {
      if (to.readyState === WebSocket.OPEN) to.send(JSON.stringify({ type: 'request_update' }));
      watch = setTimeout(() => {
        if (socket !== to) return;
        // A dead connection may take minutes to close; whatever it says later is not heard.
        lost(0);
        to.close();
      }, answerMs);
    }, to.readyState === WebSocket.OPEN ? quietMs : 0);
  }

  function lost(code: number): void {
    socket = undefined;
    clearTimeout(watch);
    if (stopped) return;
    become(connection.peek().state === 'connecting' ? 'connecting' : 'reconnecting', closed[code] ?? null);
    failures += 1;
    const pause = Math.min(longestPauseMs, firstPauseMs * 2 ** Math.min(failures, 10));
    // Jitter: a hundred pages do not come back at one moment.
    retry = setTimeout(open, pause * (0.5 + Math.random() / 2));
    // A refused upgrade does not say why; the session does, and a lost one opens the sign-in page.
    if (code === closeCodes.signedOut || failures % 3 === 0) void whoAmI();
  }

  function hurry(): void {
    if (socket === undefined && !stopped && !document.hidden) open();
  }

  function offline(): void {
    const mine = socket;
    if (mine === undefined) return;
    lost(0);
    mine.close();
  }

  addEventListener('online', hurry);
  addEventListener('offline', offline);
  document.addEventListener('visibilitychange', hurry);
  open();
  return () => {
    stopped = true;
    clearTimeout(retry);
    clearTimeout(watch);
    removeEventListener('online', hurry);
    removeEventListener('offline', offline);
    document.removeEventListener('visibilitychange', hurry);
    socket?.close();
  };
}
