/** Making an index anew from its table while the table stays in use. */
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import type { Query } from '../../../store/database.ts';
import { defineAction, defineProbe, drift, refused, resourceOf, type ActionTools } from '../action.ts';
import { inSession, postgresOf, quoted, sqlState } from './connection.ts';

const indexName = z.strictObject({ schema: z.string().min(1).max(63), name: z.string().min(1).max(63) });
type IndexName = z.output<typeof indexName>;

export type IndexState = { schema: string; name: string; exists: boolean; usable: boolean };

/** Whether the planner may use these indexes, and which indexes of the database it may not. */
export const indexState = defineProbe({
  input: z.strictObject({ resource: z.string().optional(), indexes: z.array(indexName).max(100) }),
  async look({ resource, indexes }, tools): Promise<{ indexes: IndexState[]; unusable: number }> {
    return inSession(await postgresOf(tools, resource), { mode: 'read_only', statement_ms: 5_000 }, tools.signal, async (query) => {
      const states: IndexState[] = [];
      for (const index of indexes) {
        const [row] = await query<{ usable: boolean }>(
          'SELECT indisvalid AND indisready AND indislive AS usable FROM pg_index WHERE indexrelid = to_regclass($1)', [quoted(index.schema, index.name)]);
        states.push({ ...index, exists: row !== undefined, usable: row?.usable ?? false });
      }
      const [all] = await query<{ unusable: number }>('SELECT count(*)::int AS unusable FROM pg_index WHERE NOT (indisvalid AND indisready AND indislive)');
      return { indexes: states, unusable: all!.unusable };
    });
  },
});

/** What names one build of an index: REINDEX CONCURRENTLY puts another relation in its place. */
type Before = { oid: number; file: number; leftovers: string[] };

export const reindex = defineAction({
  input: z.strictObject({ index: indexName, timeout_seconds: z.number().positive().max(3_600).default(600) }),
  async guard({ index }, tools) { await inDatabase(tools, 10, (query) => current(query, index)); },
  async before({ index }, tools): Promise<Before> {
    return inDatabase(tools, 10, async (query) => ({ ...await current(query, index), leftovers: await leftoversOf(query, index) }));
  },
  async done({ index }, before, tools) {
    return inDatabase(tools, 10, (query) => madeAnew(query, index, before as Before));
  },
  async act({ index, timeout_seconds }, noted, tools) {
    const before = noted as Before;
    return inDatabase(tools, timeout_seconds, async (query) => {
      await alone(query, index, timeout_seconds, tools.signal);
      // It waits for every transaction that may still read the old index.
      await query("SELECT set_config('lock_timeout', '30s', false)");
      const already = await madeAnew(query, index, before);
      if (already !== undefined) return already;
      await dropLeftovers(query, index, before);
      try {
        await query(`REINDEX INDEX CONCURRENTLY ${quoted(index.schema, index.name)}`);
      } catch (error) {
        await dropLeftovers(query, index, before).catch(() => undefined);
        const state = sqlState(error);
        if (state === undefined) throw error;
        // The server's own words may hold the values of a row.
        throw refused('REINDEX_FAILED', `REINDEX of ${index.schema}.${index.name} failed with SQLSTATE ${state}`);
      }
      const result = await madeAnew(query, index, before);
      if (result === undefined) throw refused('NO_EFFECT', `${index.schema}.${index.name} is the same index after REINDEX`);
      return result;
    });
  },
});

/**
 * The server goes on with the work of a worker that died: a second try waits for it, and then finds it done.
 * Asked again and again, since a session that waits for the lock in the server is one that REINDEX CONCURRENTLY would wait for.
 */
async function alone(query: Query, { schema, name }: IndexName, seconds: number, signal: AbortSignal): Promise<void> {
  const deadline = performance.now() + seconds * 1_000;
  for (;;) {
    const [row] = await query<{ locked: boolean }>('SELECT pg_try_advisory_lock(hashtextextended($1, 0)) AS locked', [`mission-control reindex ${quoted(schema, name)}`]);
    if (row!.locked) return;
    if (performance.now() > deadline) throw refused('REINDEX_FAILED', `an earlier REINDEX of ${schema}.${name} is still running`);
    await sleep(250, undefined, { signal });
  }
}

async function current(query: Query, { schema, name }: IndexName): Promise<Omit<Before, 'leftovers'>> {
  const [row] = await query<{ oid: number; file: number }>(
    `SELECT c.oid::int8::float8 AS oid, pg_relation_filenode(c.oid)::int8::float8 AS file
       FROM pg_class c WHERE c.oid = to_regclass($1) AND c.relkind = 'i'`, [quoted(schema, name)]);
  if (row === undefined) throw drift(`there is no index ${schema}.${name}`);
  return row;
}

async function madeAnew(query: Query, index: IndexName, before: Before): Promise<{ schema: string; name: string } | undefined> {
  const now = await current(query, index);
  return now.oid === before.oid && now.file === before.file ? undefined : { ...index };
}

/** Unusable indexes of the same table with the names that a broken-off REINDEX CONCURRENTLY of this one leaves behind; long names are cut. */
async function leftoversOf(query: Query, { schema, name }: IndexName): Promise<string[]> {
  const rows = await query<{ relname: string }>(
    `SELECT c.relname FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
      CROSS JOIN LATERAL regexp_replace(c.relname, '_cc(new|old)[0-9]*$', '') AS base
      WHERE i.indrelid = (SELECT indrelid FROM pg_index WHERE indexrelid = to_regclass($1)) AND NOT i.indisvalid
        AND c.relname <> base AND (base = $2 OR (octet_length(c.relname) >= 60 AND starts_with($2, base)))`, [quoted(schema, name), name]);
  return rows.map(({ relname }) => relname);
}

/** Only what an earlier try of ours left: what was there before it is somebody else's. */
async function dropLeftovers(query: Query, index: IndexName, { leftovers }: Before): Promise<void> {
  for (const name of await leftoversOf(query, index)) {
    if (!leftovers.includes(name)) await query(`DROP INDEX CONCURRENTLY IF EXISTS ${quoted(index.schema, name)}`);
  }
}

const inDatabase = <T>(tools: ActionTools, seconds: number, work: (query: Query) => Promise<T>): Promise<T> =>
  inSession(resourceOf(tools, 'postgres'), { mode: 'read_write', statement_ms: seconds * 1_000, lock_ms: 5_000 }, tools.signal, work);
