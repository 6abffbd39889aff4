/**
 * The tail of the ledger: one connection per process hears that something was sealed, reads what is new, once, and hands
 * it on in order. The newest events stay in memory, so that a reader joins between two batches without gap or repeat.
 */
import type { SealedEvent } from '../domain/event.ts';
import type { Logger } from '../log.ts';
import { eventsAfter, latestSeq } from '../store/ledger.ts';
import { listen, type Listener } from '../store/listener.ts';

/** An event with its JSON, which is made once for all readers. */
export interface LiveEvent { event: SealedEvent; json: string }

/** What is new, in order, up to `seq`. */
export interface Batch { events: readonly LiveEvent[]; seq: number }

export interface Tail {
  /** The last seq that was handed on; null until the ledger was first seen. */
  seq(): number | null;
  /** What came after the cursor; undefined when that is further back than memory goes. */
  since(cursor: number): readonly LiveEvent[] | undefined;
  /** `rewound`: the ledger ends before what was read already; another one was put in its place. */
  subscribe(reader: { batch: (batch: Batch) => void; rewound: () => void }): void;
  /** Reads what is sealed at the time of the call. @throws Error when the database does not answer */
  readNow(): Promise<void>;
  /** Resolves when something after the cursor was read, or the signal aborts. */
  movedPast(cursor: number, signal: AbortSignal): Promise<void>;
  connected(): boolean;
  stop(): Promise<void>;
}

/** Several commits make one batch: a thousand sends cost 7 ms of a core, however many events are in each. */
const batchEveryMs = 8;
/** Where telling everybody takes longer than that, the process keeps a third of its time for everything else. */
const restPerBatch = 1.5;
const pageSize = 500;
const keptEvents = 2_000;
/** A notification that never came is made up for this soon. */
const rereadMs = 2_000;

export function startTail(url: string, logger: Logger): Tail {
  let seq: number | null = null;
  let kept: LiveEvent[] = [];
  let nextReadAt = 0;
  let wanted = false;
  let reading: Promise<void> | undefined;
  let stopped = false;
  const readers: Parameters<Tail['subscribe']>[0][] = [];
  const waiting = new Set<() => void>();

  const listener: Listener = listen(url, 'mission_control_sealed', wake, logger);
  const reread = setInterval(wake, rereadMs);

  function wake(): void {
    void read().catch((error: Error) => {
      if (listener.connected() && !stopped) logger.warn({ event: 'stream.read_failed', reason: error.message });
    });
  }

  function read(): Promise<void> {
    wanted = true;
    reading ??= readWanted().finally(() => { reading = undefined; }).then(() => { if (wanted && !stopped) wake(); });
    return reading;
  }

  async function readWanted(): Promise<void> {
    for (;;) {
      if (!wanted || stopped) return;
      const early = nextReadAt - performance.now();
      if (early > 0) await new Promise((resolve) => { setTimeout(resolve, early); });
      wanted = false;
      nextReadAt = performance.now() + batchEveryMs;
      await readAll();
    }
  }

  async function readAll(): Promise<void> {
    seq ??= await latestSeq(listener.query);
    for (;;) {
      const events = await eventsAfter(listener.query, { after: seq, limit: pageSize });
      if (events.length > 0) handOn(events);
      else if (await latestSeq(listener.query) < seq) rewind();
      if (events.length < pageSize) return;
    }
  }

  function handOn(events: readonly SealedEvent[]): void {
    const live = events.map((event) => ({ event, json: JSON.stringify(event) }));
    kept = [...kept, ...live].slice(-keptEvents);
    seq = events.at(-1)!.seq;
    const began = performance.now();
    for (const reader of readers) reader.batch({ events: live, seq });
    for (const look of waiting) look();
    nextReadAt = Math.max(nextReadAt, began + restPerBatch * (performance.now() - began));
  }

  function rewind(): void {
    logger.warn({ event: 'stream.ledger_rewound', seq });
    seq = null;
    kept = [];
    wanted = true;
    for (const reader of readers) reader.rewound();
  }

  return {
    seq: () => seq,
    since(cursor) {
      if (seq === null || cursor > seq) return undefined;
      if (cursor === seq) return [];
      const first = kept[0]?.event.seq;
      // Seqs have no gaps, so a place in memory is a difference.
      return first === undefined || cursor + 1 < first ? undefined : kept.slice(cursor + 1 - first);
    },
    subscribe: (reader) => { readers.push(reader); },
    async readNow() {
      // One that is under way may have looked too early.
      await reading?.catch(() => undefined);
      await read();
    },
    movedPast: (cursor, signal) => new Promise((resolve) => {
      const look = (): void => {
        if (!signal.aborted && (seq === null || seq <= cursor)) return;
        waiting.delete(look);
        signal.removeEventListener('abort', look);
        resolve();
      };
      waiting.add(look);
      signal.addEventListener('abort', look);
      look();
    }),
    connected: () => listener.connected(),
    async stop() {
      stopped = true;
      clearInterval(reread);
      await listener.stop();
      await reading?.catch(() => undefined);
    },
  };
}
