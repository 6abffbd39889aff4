/** Who holds the locks that others wait for. */
import { z } from 'zod';
import { rootBlockers, type LockWait } from '../../../domain/lock-graph.ts';
import type { PostgresResource } from '../../../domain/subsystem.ts';
import { sha256 } from '../../../ledger/canonical.ts';
import type { Query } from '../../../store/database.ts';
import { defineProbe } from '../action.ts';
import { refusalFor, type Refusal } from './allowed.ts';
import { exactly, inSession, postgresOf } from './connection.ts';

export type Blocker = {
  /** 0: a prepared transaction, which no session holds. */
  pid: number;
  /** Null when our role may not see it: then nobody can say which backend this is. */
  backend_start: string | null;
  xact_start: string | null;
  backend_type: string | null;
  application_name: string | null;
  usename: string | null;
  state: string | null;
  wait_event: string | null;
  xact_age_seconds: number | null;
  /** Statements hold what users typed: only the first word and a digest leave the database. */
  statement: { keyword: string; digest: string } | null;
  /** Sessions that wait for it, directly or behind others. */
  blocks: number;
  /** Why it may not be interrupted; null when it may. */
  refusal: Refusal | null;
};

export type Blockers = {
  waiting: number;
  longest_wait_seconds: number;
  roots: Blocker[];
};

export const blockersProbe = defineProbe({
  input: z.strictObject({ resource: z.string().optional() }),
  async look({ resource }, tools): Promise<Blockers> {
    const database = await postgresOf(tools, resource);
    return inSession(database, { mode: 'read_only', statement_ms: 5_000 }, tools.signal, (query) => findBlockers(query, database));
  },
});

async function findBlockers(query: Query, database: PostgresResource): Promise<Blockers> {
  // pg_locks, unlike pg_stat_activity, shows every role who waits. `waitstart` is null for a moment after a wait began.
  const waits = await query<LockWait & { seconds: number }>(
    `SELECT w.pid AS waiter, b.blocker, coalesce(extract(epoch FROM clock_timestamp() - w.waitstart), 0)::float8 AS seconds
       FROM (SELECT pid, min(waitstart) AS waitstart FROM pg_locks WHERE NOT granted AND pid IS NOT NULL GROUP BY pid) w
       JOIN pg_stat_activity a ON a.pid = w.pid AND a.datname = current_database()
      CROSS JOIN LATERAL unnest(pg_blocking_pids(w.pid)) AS b(blocker)`);
  const blocks = rootBlockers(waits);
  const sessions = await query<Omit<Blocker, 'blocks' | 'statement' | 'refusal'> & { query: string | null }>(
    `SELECT pid, ${exactly('backend_start')} AS backend_start, ${exactly('xact_start')} AS xact_start, backend_type,
            application_name, usename, state, wait_event_type || ':' || wait_event AS wait_event,
            extract(epoch FROM clock_timestamp() - xact_start)::float8 AS xact_age_seconds, query
       FROM pg_stat_activity WHERE pid = ANY($1::int[])`, [[...blocks.keys()]]);
  const roots = sessions.map(({ query: text, ...session }): Blocker => ({
    ...session, statement: session.backend_start === null ? null : described(text), blocks: blocks.get(session.pid)!,
    refusal: refusalFor(database, session),
  }));
  const prepared = blocks.get(0);
  return {
    waiting: new Set(waits.map(({ waiter }) => waiter)).size,
    longest_wait_seconds: waits.reduce((longest, { seconds }) => Math.max(longest, seconds), 0),
    roots: [...roots, ...(prepared === undefined ? [] : [{ ...nobody, blocks: prepared, refusal: refusalFor(database, nobody) }])].sort((a, b) => b.blocks - a.blocks || a.pid - b.pid),
  };
}

const nobody: Omit<Blocker, 'blocks' | 'refusal'> = {
  pid: 0, backend_start: null, xact_start: null, backend_type: 'prepared transaction', application_name: null, usename: null,
  state: null, wait_event: null, xact_age_seconds: null, statement: null,
};

function described(text: string | null): Blocker['statement'] {
  if (text === null || text === '') return null;
  const keyword = /^\s*([A-Za-z]{1,20})\b/.exec(text)?.[1]?.toUpperCase() ?? '?';
  return { keyword, digest: sha256(text).slice(0, 16) };
}
