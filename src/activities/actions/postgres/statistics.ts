/** The planner's statistics: how old they are, and gathering them anew. */
import { z } from 'zod';
import type { PostgresResource } from '../../../domain/subsystem.ts';
import type { Query } from '../../../store/database.ts';
import { defineAction, defineProbe, refused, type ActionTools } from '../action.ts';
import { exactly, inSession, postgresOf, qualified } from './connection.ts';

export type TableStatistics = {
  table: string;
  /** False: there is no such table, or it is none of ours to see. */
  exists: boolean;
  live_rows: number;
  changed_since_analyze: number;
  analyze_count: number;
  last_analyze: string | null;
  sequential_scans: number;
  index_scans: number;
};

export const tableStats = defineProbe({
  input: z.strictObject({ resource: z.string().optional() }),
  async look({ resource }, tools): Promise<{ tables: TableStatistics[] }> {
    const database = await postgresOf(tools, resource);
    const tables = await inSession(database, { mode: 'read_only', statement_ms: 5_000 }, tools.signal, async (query) => {
      const found: TableStatistics[] = [];
      for (const table of database.analyze_tables) found.push(await statisticsOf(query, table));
      return found;
    });
    return { tables };
  },
});

async function statisticsOf(query: Query, table: string): Promise<TableStatistics> {
  const [row] = await query<Omit<TableStatistics, 'table' | 'exists'>>(
    `SELECT n_live_tup::float8 AS live_rows, n_mod_since_analyze::float8 AS changed_since_analyze,
            (analyze_count + autoanalyze_count)::float8 AS analyze_count, ${exactly('greatest(last_analyze, last_autoanalyze)')} AS last_analyze,
            coalesce(seq_scan, 0)::float8 AS sequential_scans, coalesce(idx_scan, 0)::float8 AS index_scans
       FROM pg_stat_user_tables WHERE relid = to_regclass($1)`, [qualified(table)]);
  return row === undefined
    ? { table, exists: false, live_rows: 0, changed_since_analyze: 0, analyze_count: 0, last_analyze: null, sequential_scans: 0, index_scans: 0 }
    : { table, exists: true, ...row };
}

/** ANALYZE of one declared table. Twice does no harm; a second try still finds the first. */
export const analyze = defineAction({
  input: z.strictObject({ resource: z.string().optional(), table: z.string().min(1), timeout_seconds: z.number().positive().max(3_600).default(60) }),
  async guard({ resource, table }, tools) { declared(await postgresOf(tools, resource), table); },
  async before({ resource, table }, tools) {
    const { analyze_count } = await inDatabase(tools, resource, 5, (query) => existing(query, table));
    return { analyze_count };
  },
  async done({ resource, table }, before, tools) {
    const now = await inDatabase(tools, resource, 5, (query) => existing(query, table));
    return now.analyze_count > (before as { analyze_count: number }).analyze_count ? { table, last_analyze: now.last_analyze } : undefined;
  },
  async act({ resource, table, timeout_seconds }, _before, tools) {
    return inDatabase(tools, resource, timeout_seconds, async (query) => {
      const before = await existing(query, table);
      await query(`ANALYZE ${qualified(table)}`);
      const after = await existing(query, table);
      // Without the right to, the server only warns and skips the table.
      if (after.analyze_count === before.analyze_count) throw refused('NO_EFFECT', `ANALYZE of ${table} did nothing: our role must own the table or have MAINTAIN on it`);
      return { table, last_analyze: after.last_analyze };
    });
  },
});

async function existing(query: Query, table: string): Promise<TableStatistics> {
  const statistics = await statisticsOf(query, table);
  if (!statistics.exists) throw refused('TABLE_UNKNOWN', `there is no table ${table}`);
  return statistics;
}

function declared({ analyze_tables }: PostgresResource, table: string): void {
  if (!analyze_tables.includes(table)) throw refused('TABLE_NOT_ALLOWED', `${table} is not in analyze_tables`);
}

const inDatabase = async <T>(tools: ActionTools, resource: string | undefined, seconds: number, work: (query: Query) => Promise<T>): Promise<T> =>
  inSession(await postgresOf(tools, resource), { mode: 'read_write', statement_ms: seconds * 1_000, lock_ms: 5_000 }, tools.signal, work);
