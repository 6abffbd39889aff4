/** The live stream of one api process: the tail, who listens, and what they hear. */
import type { WebSocket } from 'ws';
import { closeCodes, type Overview } from '../domain/stream.ts';
import type { Logger } from '../log.ts';
import type { Database } from '../store/database.ts';
import { latestSeq } from '../store/ledger.ts';
import { validSignIns } from '../store/sessions.ts';
import { createGroups } from './groups.ts';
import { createMetricsUpdates } from './metrics-updates.ts';
import { createMissionUpdates } from './mission-updates.ts';
import { createPeer, type Peer, type SignIn } from './peer.ts';
import { createSnapshots } from './snapshots.ts';
import { createSubscriber } from './subscriber.ts';
import { startTail, type Tail } from './tail.ts';

export interface StreamLimits { connections: number; connectionsPerPrincipal: number }

export interface EventStream {
  tail: Tail;
  /** Called when the process goes away, so that whoever waits is answered; returns how to forget it. */
  onClosing(end: () => void): () => void;
  /** Null, or what is full. */
  full(principalId: string): 'stream' | 'principal' | null;
  /** A client whose sign-in was checked. */
  join(socket: WebSocket, signIn: SignIn): void;
  /** One who waits without a socket counts as well; returns how to stop counting. */
  hold(principalId: string): () => void;
  overview(): Promise<Overview>;
  /** How far this process is behind the ledger, in events, and who listens. @throws Error when the database does not answer */
  measure(): Promise<{ behind: number; clients: number }>;
  /** Tells every client to come back later, and waits until they have gone. */
  closeClients(): Promise<void>;
  stop(): Promise<void>;
}

const pingEveryMs = 20_000;
const advanceEveryMs = 1_000;
/** Revocations are heard of at once, by their event; this is for keys that expire, and for what was not heard. */
const recheckEveryMs = 5_000;
const closeWithinMs = 500;

export function startStream(url: string, { query }: Pick<Database, 'query'>, limits: StreamLimits, logger: Logger): EventStream {
  const tail = startTail(url, logger);
  const peers = new Map<Peer, { subscriber: ReturnType<typeof createSubscriber>; gone: Promise<void> }>();
  const counts = new Map<string, number>();
  let total = 0;
  const closing = new Set<() => void>();
  const groups = createGroups();
  const takeSnapshot = createSnapshots(query, tail);
  const missions = createMissionUpdates(query, tail, groups, logger);
  const metrics = createMetricsUpdates(query, tail, groups, logger);

  tail.subscribe({
    batch(batch) {
      groups.fanOut(batch);
      missions.due();
      metrics.due();
      if (batch.events.some(({ event }) => event.type === 'key.revoked' || event.type === 'session.ended')) void recheck();
    },
    rewound() {
      for (const peer of peers.keys()) peer.close(closeCodes.goingAway, 'the ledger is another one');
    },
  });

  /** One query for all connections. A database that is down says nothing about anybody. */
  async function recheck(): Promise<void> {
    if (peers.size === 0) return;
    const open = [...peers.keys()];
    try {
      const valid = await validSignIns(query, open.map(({ signIn }) => ({ key_id: signIn.principal.key_id, session_id: signIn.session_id })));
      for (const peer of open) {
        const { principal, session_id } = peer.signIn;
        const holds = valid.keys.has(principal.key_id) && (session_id === null || valid.sessions.has(session_id));
        if (!holds) peer.close(closeCodes.signedOut, 'signed out: the key or the session has ended');
      }
    } catch (error) {
      logger.warn({ event: 'stream.sign_ins_unread', reason: (error as Error).message });
    }
  }

  function hold(principalId: string): () => void {
    counts.set(principalId, (counts.get(principalId) ?? 0) + 1);
    total += 1;
    return () => {
      const left = counts.get(principalId)! - 1;
      if (left === 0) counts.delete(principalId);
      else counts.set(principalId, left);
      total -= 1;
    };
  }

  const timers = [
    setInterval(() => { for (const peer of peers.keys()) peer.checkAlive(); }, pingEveryMs),
    setInterval(() => { const seq = tail.seq(); if (seq !== null) groups.advance(seq); }, advanceEveryMs),
    setInterval(() => { void recheck(); }, recheckEveryMs),
  ];

  return {
    tail, hold,
    onClosing(end) {
      closing.add(end);
      return () => closing.delete(end);
    },
    full(principalId) {
      if (total >= limits.connections) return 'stream';
      return (counts.get(principalId) ?? 0) >= limits.connectionsPerPrincipal ? 'principal' : null;
    },
    join(socket, signIn) {
      const peer = createPeer(socket, signIn);
      const subscriber = createSubscriber(peer, { query, tail, groups, takeSnapshot, missions, metrics, logger });
      const release = hold(signIn.principal.id);
      const gone = new Promise<void>((resolve) => { socket.once('close', () => resolve()); });
      peers.set(peer, { subscriber, gone });
      void gone.then(() => {
        subscriber.leave();
        peers.delete(peer);
        release();
      });
      socket.on('message', (data: Buffer, isBinary: boolean) => subscriber.hear(isBinary ? '' : data.toString('utf8')));
    },
    overview: takeSnapshot,
    async measure() {
      const latest = await latestSeq(query);
      // Behind only if looking now does not help.
      if (latest > (tail.seq() ?? -1)) await tail.readNow();
      return { behind: Math.max(0, latest - (tail.seq() ?? 0)), clients: total };
    },
    async closeClients() {
      for (const end of closing) end();
      const all = [...peers];
      for (const [peer] of all) peer.close(closeCodes.goingAway, 'the server is going away');
      let timer: NodeJS.Timeout | undefined;
      const late = new Promise<void>((resolve) => { timer = setTimeout(resolve, closeWithinMs); });
      await Promise.race([Promise.all(all.map(([, { gone }]) => gone)), late]);
      clearTimeout(timer);
      for (const [peer] of all) peer.terminate();
    },
    async stop() {
      for (const timer of timers) clearInterval(timer);
      metrics.stop();
      await tail.stop();
    },
  };
}
