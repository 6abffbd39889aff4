/** Whether tables and indexes are what they should be: checksums, and `amcheck` where it is installed. It reads, and mends nothing. */
import { z } from 'zod';
import { classifyDamage, type DamageState, type Examined } from '../../../domain/damage.ts';
import type { Query } from '../../../store/database.ts';
import { defineProbe } from '../action.ts';
import { inSession, postgresOf, quoted, sqlState } from './connection.ts';

export type CorruptionReport = {
  state: DamageState;
  /** Why the state is unknown, where one reason stands for everything. */
  reason: string | null;
  data_checksums: boolean;
  /** Of this database since its counters began; null without checksums. */
  checksum_failures: number | null;
  examined: number;
  damaged: Examined[];
  unchecked: Examined[];
  unchecked_total: number;
};

/** As many as a person reads; the state rests on all of them. */
const listed = 100;

interface Relation { oid: number; kind: 'index' | 'table'; schema: string; name: string; table: string; method: string | null; path: string | null }

export const corruptionProbe = defineProbe({
  input: z.strictObject({
    resource: z.string().optional(),
    /** For all of it; what there was no time for is unchecked, and the whole then unknown. */
    time_limit_seconds: z.number().positive().max(3_600).default(120),
  }),
  async look({ resource, time_limit_seconds }, tools): Promise<CorruptionReport> {
    const limits = { mode: 'read_only', statement_ms: time_limit_seconds * 1_000 } as const;
    const deadline = performance.now() + time_limit_seconds * 1_000;
    return inSession(await postgresOf(tools, resource), limits, tools.signal, async (query) => {
      const schema = await amcheckSchema(query);
      const examined = schema === undefined ? [] : await examineAll(query, schema, deadline);
      const { data_checksums, checksum_failures } = await checksums(query);
      return {
        state: classifyDamage(examined, checksum_failures),
        reason: schema === undefined ? 'amcheck is not installed in this database: CREATE EXTENSION amcheck' : null,
        data_checksums, checksum_failures, examined: examined.length,
        damaged: examined.filter(({ state }) => state === 'damaged').slice(0, listed),
        unchecked: examined.filter(({ state }) => state === 'unchecked').slice(0, listed),
        unchecked_total: examined.filter(({ state }) => state === 'unchecked').length,
      };
    });
  },
});

async function checksums(query: Query): Promise<Pick<CorruptionReport, 'data_checksums' | 'checksum_failures'>> {
  const [row] = await query<{ data_checksums: boolean; checksum_failures: number | null }>(
    `SELECT current_setting('data_checksums') = 'on' AS data_checksums, checksum_failures::float8 AS checksum_failures
       FROM pg_stat_database WHERE datname = current_database()`);
  return row!;
}

async function amcheckSchema(query: Query): Promise<string | undefined> {
  const [row] = await query<{ nspname: string }>(
    "SELECT nspname FROM pg_extension JOIN pg_namespace n ON n.oid = extnamespace WHERE extname = 'amcheck'");
  return row?.nspname;
}

/** Small ones first, so that a time limit leaves few unchecked; tables after the indexes, which point at what is damaged. */
async function examineAll(query: Query, amcheck: string, deadline: number): Promise<Examined[]> {
  const relations = await query<Relation>(
    `SELECT c.oid::int8::float8 AS oid, CASE WHEN i.indexrelid IS NULL THEN 'table' ELSE 'index' END AS kind, n.nspname AS schema,
            c.relname AS name, coalesce(t.relname, c.relname) AS table, a.amname AS method, pg_relation_filepath(c.oid) AS path
       FROM pg_class c
       JOIN pg_namespace n ON n.oid = c.relnamespace
       LEFT JOIN pg_am a ON a.oid = c.relam
       LEFT JOIN pg_index i ON i.indexrelid = c.oid
       LEFT JOIN pg_class t ON t.oid = i.indrelid
      WHERE c.relkind IN ('r', 'm', 'i') AND c.relpersistence <> 't' AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')
        AND (i.indexrelid IS NULL OR (i.indisvalid AND i.indisready))
      ORDER BY kind, c.relpages, c.oid`);
  const examined: Examined[] = [];
  for (const relation of relations) {
    const { kind, schema, name, table } = relation;
    examined.push({ kind, schema, name, table, ...await examine(query, amcheck, relation, deadline) });
  }
  return examined;
}

type Finding = Pick<Examined, 'state' | 'reason'>;
const unchecked = (reason: string): Finding => ({ state: 'unchecked', reason });
const damaged = (reason: string): Finding => ({ state: 'damaged', reason: reason.slice(0, 300) });

async function examine(query: Query, amcheck: string, relation: Relation, deadline: number): Promise<Finding> {
  const left = Math.floor(deadline - performance.now());
  if (left < 1) return unchecked('there was no time left');
  if (relation.kind === 'index' && relation.method !== 'btree') return unchecked(`amcheck has no check for ${relation.method} indexes`);
  if (relation.kind === 'table' && relation.method !== 'heap') return unchecked(`amcheck has no check for ${relation.method} tables`);
  try {
    await query("SELECT set_config('statement_timeout', $1, false)", [String(left)]);
    if (relation.kind === 'index') {
      await query(`SELECT ${quoted(amcheck, 'bt_index_check')}($1::oid::regclass, true)`, [relation.oid]);
      return { state: 'ok', reason: null };
    }
    const [first] = await query<{ msg: string }>(
      `SELECT msg FROM ${quoted(amcheck, 'verify_heapam')}($1::oid::regclass, on_error_stop => true, check_toast => true) LIMIT 1`, [relation.oid]);
    return first === undefined ? { state: 'ok', reason: null } : damaged(first.msg);
  } catch (error) {
    return failed(relation, error);
  }
}

/** What the failure of a check says about the relation. Not every failure is damage: a check that could not run proves nothing. */
function failed(relation: Relation, error: unknown): Finding {
  const message = (error as Error).message.split('\n')[0]!;
  switch (sqlState(error)) {
    // The connection is gone: every answer from here on would be about that.
    case undefined: throw error;
    case 'XX002': return damaged(message);
    case 'XX001': {
      // A page of another relation, such as the table while its index was checked, speaks against that one when its turn comes.
      const path = /\bbase\/\d+\/\d+/.exec(message)?.[0];
      return path === undefined || path === relation.path ? damaged(message) : unchecked(message.slice(0, 300));
    }
    // A function of the index speaks here, or a right is missing: its words may hold the values of a row.
    default: return unchecked(`the check failed with SQLSTATE ${sqlState(error)}`);
  }
}
