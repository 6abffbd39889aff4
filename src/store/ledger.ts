/** The ledger as readers see it: sealed events in their one order. */
import { actorOf, type Principal } from '../domain/actor.ts';
import { noSubject, type SealedEvent } from '../domain/event.ts';
import { inclusionProof } from '../ledger/nodes.ts';
import { readCheckpoint } from '../ledger/note.ts';
import { recordOf, type LedgerRecord } from '../ledger/record.ts';
import { writeProof } from '../ledger/tlog-proof.ts';
import type { Database, Query } from './database.ts';
import { eventColumns, eventOf, insertEvents, type StoredEventRow } from './events.ts';

export interface EventFilter {
  mission_id?: string | undefined;
  types?: readonly string[] | undefined;
  subsystem_id?: string | undefined;
}

/** Events with `seq` above `after`, in order. No gaps: whatever has a lower seq was there when a higher one was read. */
export async function eventsAfter(query: Query, { after, limit, ...filter }: EventFilter & { after: number; limit: number }): Promise<SealedEvent[]> {
  const params: unknown[] = [after, limit];
  const where = ['l.seq > $1'];
  const add = (condition: (p: string) => string, value: unknown): void => {
    params.push(value);
    where.push(condition(`$${params.length}`));
  };
  if (filter.mission_id !== undefined) add((p) => `e.mission_id = ${p}`, filter.mission_id);
  if (filter.types !== undefined) add((p) => `e.type = ANY(${p})`, filter.types);
  if (filter.subsystem_id !== undefined) add((p) => `${subsystem} = ${p}`, filter.subsystem_id);
  const rows = await query<StoredEventRow & { seq: number; sealed_at: string; subsystem_id: string | null }>(
    `SELECT l.seq, l.sealed_at, ${subsystem} AS subsystem_id, ${eventColumns}
       FROM ledger l JOIN events e USING (event_id) JOIN event_payloads p USING (event_id) LEFT JOIN missions m ON m.mission_id = e.mission_id
      WHERE ${where.join(' AND ')} ORDER BY l.seq LIMIT $2`, params);
  return rows.map(eventOf);
}

const subsystem = `coalesce(p.payload->>'subsystem_id', m.subsystem_id)`;

/** The last seq; 0 while nothing is sealed. */
export async function latestSeq(query: Query): Promise<number> {
  const [row] = await query<{ seq: number }>('SELECT coalesce(max(seq), 0) AS seq FROM ledger');
  return row!.seq;
}

/** Events that wait for the sealer, and how long the oldest has. */
export async function backlog(query: Query): Promise<{ unsealed: number; waiting_ms: number | null }> {
  const [row] = await query<{ unsealed: number; waiting_ms: number | null }>(
    `SELECT count(*) AS unsealed, (extract(epoch FROM clock_timestamp() - min(e.ts)) * 1000)::float8 AS waiting_ms
       FROM unsealed JOIN events e USING (event_id)`);
  return row!;
}

export interface StoredCheckpoint { size: number; root: string; note: string; sealed_at: string }

/** The newest signed head of the tree; undefined while nothing is sealed. */
export async function latestCheckpoint(query: Query): Promise<StoredCheckpoint | undefined> {
  const [row] = await query<StoredCheckpoint>('SELECT size, root, note, sealed_at FROM ledger_checkpoints ORDER BY size DESC LIMIT 1');
  return row;
}

/** The log's public key, as its first record names it. */
export async function logVkey(query: Query): Promise<string | null> {
  const [first] = await eventsAfter(query, { after: 0, limit: 1, types: ['log_key.added'] });
  return first === undefined ? null : String(first.payload['vkey']);
}

export interface ProvedRecord { record: LedgerRecord; leaf_hash: string; proof: string; checkpoint: string }

/** One record with its path to the newest checkpoint; undefined when there is no such record. */
export async function provedRecord(query: Query, seq: number): Promise<ProvedRecord | undefined> {
  const [row] = await query<StoredEventRow & { seq: number; prev: string; leaf_hash: string }>(
    `SELECT l.seq, l.prev, l.leaf_hash, ${eventColumns} FROM ledger l JOIN events e USING (event_id) JOIN event_payloads p USING (event_id) WHERE l.seq = $1`, [seq]);
  const checkpoint = await latestCheckpoint(query);
  const log_id = readCheckpoint(checkpoint?.note ?? '')?.origin;
  if (row === undefined || checkpoint === undefined || log_id === undefined) return undefined;
  return {
    record: recordOf(eventOf(row), { log_id, seq, prev: row.prev }), leaf_hash: row.leaf_hash,
    proof: writeProof(seq - 1, await inclusionProof(query, seq - 1, checkpoint.size), checkpoint.note), checkpoint: checkpoint.note,
  };
}

/** The registry of keys and the redactions must stay readable, or nothing else can be verified. */
const unredactable = ['log_key.added', 'payload.redacted'];

/**
 * Takes a payload out for good; the record, its digest and its place stay. The event that says so is written with it.
 * @returns what was there: `none` no such record, `kept` one that may not be redacted, `gone` redacted before
 */
export async function redactPayload(database: Database, seq: number, reason: string, by: Principal): Promise<'redacted' | 'gone' | 'kept' | 'none'> {
  return database.transaction(async (query) => {
    const [row] = await query<{ event_id: string; type: string; there: boolean }>(
      `SELECT e.event_id, e.type, p.payload IS NOT NULL AS there
         FROM ledger l JOIN events e USING (event_id) JOIN event_payloads p USING (event_id) WHERE l.seq = $1 FOR UPDATE OF p`, [seq]);
    if (row === undefined) return 'none';
    if (unredactable.includes(row.type)) return 'kept';
    if (!row.there) return 'gone';
    await query('UPDATE event_payloads SET payload = NULL, salt = NULL WHERE event_id = $1', [row.event_id]);
    await insertEvents(query, [{
      type: 'payload.redacted', actor: actorOf(by), subject: noSubject, payload: { seq, reason }, idempotency_key: `redacted:${row.event_id}`,
    }]);
    return 'redacted';
  });
}
