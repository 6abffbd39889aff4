/**
 * The sealer: gives events their place. One at a time over all workers, elected by an advisory lock that PostgreSQL drops
 * with the connection, so that a dead one is replaced at once and a sleeping one cannot write.
 *
 * A batch is one statement: ledger rows, tree nodes, the signed checkpoint and the emptied backlog come together or not at
 * all. Whatever dies, the next sealer reads where the ledger ends and goes on there.
 */
import type pg from 'pg';
import type { Frontier } from './merkle.ts';
import { frontierAt, heightsPerLevel, type Query } from './nodes.ts';
import { checkpointText, openCheckpoint, sealNote, type Signer } from './note.ts';
import { firstPrev, recordHash, recordOf, type Sealable } from './record.ts';

export const sealerLock = { class: 7_205, id: 2 } as const;

/** More than this waits for the next batch; large enough that one commit and one signature weigh nothing per event. */
const batchSize = 2_000;
/** Looks again without having been told: a notification is lost while the connection is made anew. */
const idleMs = 1_000;
/** A sealer asks every `idleMs`; one that has not for so long makes room for another. */
const silentMs = 5_000;
const againAfterMs = 500;
/** A key that does not fit, or a tree that does not: nothing that trying every half second would mend. */
const refusedAgainAfterMs = 5_000;

export interface SealerDeps {
  /** A connection of its own, not yet connected; times come out as RFC 3339 UTC text. */
  connect: () => pg.Client;
  signer: Signer;
  /** Writes the event that names the log's key; called in the transaction of the first record. */
  announceKey: (query: Query, signer: Signer) => Promise<void>;
  /** Told of every checkpoint after its commit, and of the latest one when a sealer takes over. */
  published: (note: string) => void;
  log: (level: 'info' | 'warn' | 'error', fields: { event: string } & Record<string, unknown>) => void;
}

export interface Sealer { stop(): Promise<void> }

/** What stops the sealing until a person looks: the ledger, or the key, is not what it was. */
class SealingRefused extends Error {}

interface Head { log_id: string; seq: number; prev: string; tree: Frontier }

export function startSealer(deps: SealerDeps): Sealer {
  const stopping = new AbortController();
  /** Connection of one that waits for its turn. */
  let candidate: pg.Client | undefined;
  let wake: () => void = () => undefined;

  async function run(): Promise<void> {
    while (!stopping.signal.aborted) {
      let pause = againAfterMs;
      try {
        await serve();
      } catch (error) {
        if (error instanceof SealingRefused) pause = refusedAgainAfterMs;
        if (!stopping.signal.aborted) deps.log(error instanceof SealingRefused ? 'error' : 'warn', { event: 'ledger.sealer_stopped', reason: (error as Error).message });
      }
      if (!stopping.signal.aborted) await nap(pause);
    }
  }

  async function serve(): Promise<void> {
    const mine = deps.connect();
    let lost: Error | undefined;
    const onLost = (error?: Error): void => {
      lost ??= error ?? new Error('the connection ended');
      wake();
    };
    mine.on('error', onLost);
    mine.on('end', () => { onLost(); });
    candidate = mine;
    try {
      await mine.connect();
      if (stopping.signal.aborted) return;
      const query: Query = async <Row>(text: string, params: readonly unknown[] = []) => (await mine.query(text, [...params])).rows as Row[];
      await query('SELECT pg_advisory_lock($1, $2)', [sealerLock.class, sealerLock.id]);
      candidate = undefined;
      // Nobody tells the server of a host without power, or of a process that sleeps: one that is silent loses the lock.
      await query(`SELECT set_config('idle_session_timeout', $1, false), set_config('idle_in_transaction_session_timeout', $1, false)`, [String(silentMs)]);
      let told = true;
      mine.on('notification', () => { told = true; wake(); });
      await query('LISTEN mission_control_events');
      const head = await takeOver(query, deps);
      deps.log('info', { event: 'ledger.sealer_elected', seq: head.seq });
      while (!stopping.signal.aborted) {
        if (lost !== undefined) throw lost;
        told = false;
        const batch = await sealBatch(query, head, deps.signer);
        if (batch !== undefined) deps.published(batch.note);
        // Told meanwhile, or more than a batch waited: no nap.
        if ((batch?.events ?? 0) < batchSize && !told) await nap(idleMs);
      }
    } finally {
      candidate = undefined;
      await mine.end().catch(() => undefined);
    }
  }

  const nap = (ms: number): Promise<void> => new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    wake = () => { clearTimeout(timer); resolve(); };
  });

  const running = run();
  return {
    async stop() {
      stopping.abort();
      wake();
      // One that waits for the lock can only be told by ending its connection; one that seals ends its batch first.
      await candidate?.end().catch(() => undefined);
      await running;
    },
  };
}

/** Reads where the ledger ends, and refuses to go on where the tree or the signature says that it is not what was signed. */
async function takeOver(query: Query, deps: SealerDeps): Promise<Head> {
  const [last] = await query<{ seq: number; leaf_hash: string }>('SELECT seq, leaf_hash FROM ledger ORDER BY seq DESC LIMIT 1');
  const [latest] = await query<{ note: string }>('SELECT note FROM ledger_checkpoints ORDER BY size DESC LIMIT 1');
  const seq = last?.seq ?? 0;
  const tree = await frontierAt(query, seq).catch((error: Error) => { throw new SealingRefused(error.message); });
  if (latest === undefined) {
    if (seq > 0) throw new SealingRefused(`the ledger has ${seq} records and no checkpoint`);
    return begin(query, { log_id: deps.signer.name, seq, prev: firstPrev, tree }, deps);
  }
  const checkpoint = openCheckpoint(latest.note, [deps.signer]);
  if (checkpoint === undefined) {
    throw new SealingRefused(`the latest checkpoint was not signed by this key (${deps.signer.key_id}): restore the log key of this ledger`);
  }
  if (checkpoint.size !== seq || checkpoint.root !== tree.root()) {
    throw new SealingRefused(`the ledger is not what was signed: ${seq} records where the checkpoint has ${checkpoint.size}, or another root; run missionctl verify`);
  }
  deps.published(latest.note);
  return { log_id: checkpoint.origin, seq, prev: last!.leaf_hash, tree };
}

/**
 * The first batch of a log's life, with the event that names its key. Together or not at all: a name that one who died here
 * left behind would stand first in the log of another's key.
 */
async function begin(query: Query, head: Head, deps: SealerDeps): Promise<Head> {
  await query('BEGIN');
  await deps.announceKey(query, deps.signer);
  const batch = await sealBatch(query, head, deps.signer);
  await query('COMMIT');
  if (batch !== undefined) deps.published(batch.note);
  return head;
}

/** Seals what waits, up to one batch. @returns the checkpoint over it, to be published; undefined when nothing waits */
async function sealBatch(query: Query, head: Head, signer: Signer): Promise<{ events: number; note: string } | undefined> {
  // In the order of writing; the event that names the key comes before whatever an older version wrote without a ledger.
  const waiting = await query<Omit<Sealable, 'subject'> & Sealable['subject'] & { event_id: string }>(
    `SELECT e.event_id, e.ts, e.type, e.actor, e.mission_id, e.workflow_id, e.run_id, e.stage, e.attempt, e.payload_digest, e.idempotency_key, e.links
       FROM unsealed JOIN events e USING (event_id) ORDER BY e.type = 'log_key.added' DESC, e.ts, e.event_id LIMIT $1`, [batchSize]);
  if (waiting.length === 0) return undefined;

  const [seqs, ids, prevs, leaves]: [number[], string[], string[], string[]] = [[], [], [], []];
  const nodes: { level: number; index: number; hash: string }[] = [];
  for (const { event_id, mission_id, workflow_id, run_id, stage, attempt, ...event } of waiting) {
    head.seq += 1;
    const leaf = recordHash(recordOf({ ...event, subject: { mission_id, workflow_id, run_id, stage, attempt } }, head));
    seqs.push(head.seq);
    ids.push(event_id);
    prevs.push(head.prev);
    leaves.push(leaf);
    head.tree.append(leaf, (height, index, hash) => {
      if (height > 0 && height % heightsPerLevel === 0) nodes.push({ level: height / heightsPerLevel, index, hash });
    });
    head.prev = leaf;
  }
  const root = head.tree.root();
  const note = sealNote(checkpointText({ origin: head.log_id, size: head.seq, root }), signer);
  // The head has moved on before the commit: whatever goes wrong here ends this sealer, and the next one reads it anew.
  await query(
    `WITH sealed AS (INSERT INTO ledger (seq, event_id, prev, leaf_hash) SELECT * FROM unnest($1::bigint[], $2::uuid[], $3::text[], $4::text[])),
          grown AS (INSERT INTO ledger_nodes (level, index, hash) SELECT * FROM unnest($5::integer[], $6::bigint[], $7::text[])),
          signed AS (INSERT INTO ledger_checkpoints (size, root, note) VALUES ($8::bigint, $9, $10)),
          cleared AS (DELETE FROM unsealed WHERE event_id = ANY($2))
     SELECT pg_notify('mission_control_sealed', $8::bigint::text)`,
    [seqs, ids, prevs, leaves, nodes.map((n) => n.level), nodes.map((n) => n.index), nodes.map((n) => n.hash), head.seq, root, note]);
  return { events: waiting.length, note };
}
