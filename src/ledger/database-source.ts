/** The ledger out of a database, page by page, and what only the database can tell. */
import pg from 'pg';
import type { Entry } from './entries.ts';
import { wireTypes } from './pg-types.ts';

const pageSize = 5_000;
/** Counted so far; one is bad enough. */
export const neverSealedShown = 1_000;

export interface StoredCheckpoint { size: number; root: string; note: string }

/** The state at one moment: rows that a sealer adds meanwhile stay out of it. */
export interface LedgerSnapshot {
  /** 0 for an empty ledger. */
  last: number;
  checkpoints: StoredCheckpoint[];
  /** Events that are neither sealed nor waiting to be. */
  never_sealed: string[];
  waiting: number;
}

export async function connectLedger(url: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: url, types: wireTypes, connectionTimeoutMillis: 5_000, application_name: 'mission-control-verify' });
  client.on('error', () => undefined);
  await client.connect();
  await client.query('SET default_transaction_read_only = on');
  return client;
}

export async function snapshot(url: string): Promise<LedgerSnapshot> {
  const client = await connectLedger(url);
  try {
    await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ');
    const { rows: [end] } = await client.query<{ last: number }>('SELECT coalesce(max(seq), 0) AS last FROM ledger');
    const { rows: checkpoints } = await client.query<StoredCheckpoint>('SELECT size, root, note FROM ledger_checkpoints ORDER BY size');
    const { rows: never } = await client.query<{ event_id: string }>(
      `SELECT event_id FROM events e WHERE NOT EXISTS (SELECT FROM ledger l WHERE l.event_id = e.event_id)
          AND NOT EXISTS (SELECT FROM unsealed u WHERE u.event_id = e.event_id) ORDER BY ts LIMIT ${neverSealedShown}`);
    const { rows: [backlog] } = await client.query<{ waiting: number }>('SELECT count(*) AS waiting FROM unsealed');
    return { last: end!.last, checkpoints, never_sealed: never.map((row) => row.event_id), waiting: backlog!.waiting };
  } finally {
    await client.end();
  }
}

interface Row {
  seq: number; prev: string; leaf_hash: string; event_id: string | null; ts: string; type: string; actor: NonNullable<Entry['event']>['actor'];
  mission_id: string | null; workflow_id: string | null; run_id: string | null; stage: string | null; attempt: number | null;
  payload_digest: string; idempotency_key: string; links: string[]; salt: string | null; payload: unknown;
}

/** Records from `from` to `to`, both included, in order. */
export async function* entriesBetween(client: pg.Client, from: number, to: number): AsyncGenerator<Entry[]> {
  for (let at = from; at <= to; at += pageSize) {
    const { rows } = await client.query<Row>({
      name: 'ledger-page',
      text: `SELECT l.seq, l.prev, l.leaf_hash, e.event_id, e.ts, e.type, e.actor, e.mission_id, e.workflow_id, e.run_id, e.stage, e.attempt,
                    e.payload_digest, e.idempotency_key, e.links, p.salt, p.payload
               FROM ledger l LEFT JOIN events e USING (event_id) LEFT JOIN event_payloads p ON p.event_id = l.event_id
              WHERE l.seq BETWEEN $1 AND $2 ORDER BY l.seq`,
      values: [at, Math.min(to, at + pageSize - 1)],
    });
    yield rows.map(entryOf);
  }
}

const entryOf = (row: Row): Entry => ({
  seq: row.seq, prev: row.prev, leaf_hash: row.leaf_hash, salt: row.salt, payload: row.payload,
  event: row.event_id === null ? null : {
    ts: row.ts, actor: row.actor, type: row.type, payload_digest: row.payload_digest, links: row.links, idempotency_key: row.idempotency_key,
    subject: { mission_id: row.mission_id, workflow_id: row.workflow_id, run_id: row.run_id, stage: row.stage, attempt: row.attempt },
  },
});
