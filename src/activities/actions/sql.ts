/**
 * A statement that a playbook plans in full. It happens once: before it commits, the id of its transaction is noted with us,
 * and a later try asks the server what became of that id. The watched database needs no table of ours for it.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type pg from 'pg';
import { z } from 'zod';
import { once, stored } from '../../store/effects.ts';
import { defineAction, refused, resourceOf, type ActionTools } from './action.ts';
import { inSession, sqlState } from './postgres/connection.ts';

const input = z.strictObject({
  /** What may stand in a transaction. A statement that controls the transaction, the session or the server begins with another word. */
  statement: z.string().max(100_000)
    .regex(/^\s*(SELECT|WITH|INSERT|UPDATE|DELETE|MERGE|CREATE|ALTER|DROP|TRUNCATE|REFRESH|GRANT|REVOKE|COMMENT)\b/i, 'one statement that begins with its keyword'),
  params: z.array(z.union([z.string(), z.number(), z.boolean(), z.null()])).max(100).default([]),
  timeout_seconds: z.number().positive().max(3_600).default(60),
});

/** How long a transaction whose worker died may take to be noticed by the server. */
const noticedMs = 10_000;

const runSql = defineAction({
  input,
  async guard(_input, tools) { resourceOf(tools, 'postgres'); },
  async before() { return {}; },
  async done(_input, _before, tools) {
    const { last } = await transactions(tools);
    if (last === undefined) return undefined;
    const fate = await fateOf(tools, last);
    if (fate === 'committed') return { committed: true, rows: null };
    if (fate === 'aborted') return undefined;
    throw refused('OUTCOME_UNKNOWN', `what became of transaction ${last} of an earlier try is not known (${fate ?? 'too long ago'}); it may not be run twice`);
  },
  async act({ statement, params, timeout_seconds }, _before, tools) {
    const { next } = await transactions(tools);
    const limits = { mode: 'read_write', statement_ms: timeout_seconds * 1_000, lock_ms: 5_000, search_path: 'own' } as const;
    return inSession(resourceOf(tools, 'postgres'), limits, tools.signal, async (query, client) => {
      try {
        await query('BEGIN');
        const [row] = await query<{ xid: string }>('SELECT pg_catalog.pg_current_xact_id()::text AS xid');
        // In this mode the server takes one statement only.
        const one: pg.QueryConfig & { queryMode: 'extended' } = { text: statement, values: params, queryMode: 'extended' };
        const { rowCount } = await client.query(one);
        const noted = await once(tools.deps.database.query, next, async () => row!);
        if (noted.xid !== row!.xid) throw refused('OUTCOME_UNKNOWN', 'another try of this statement is under way; only one of them commits');
        await query('COMMIT');
        return { committed: true, rows: rowCount };
      } catch (error) {
        const state = sqlState(error);
        if (state === undefined) throw error;
        // The server's own words may hold the values of a row.
        throw refused('SQL_FAILED', `the statement failed with SQLSTATE ${state}; nothing was changed`);
      }
    });
  },
});

/** The transaction of the latest try that came as far as its commit, and where the next one is noted. */
async function transactions({ deps, key }: ActionTools): Promise<{ last: string | undefined; next: string }> {
  let last: string | undefined;
  for (let attempt = 1; ; attempt += 1) {
    const next = `${key}:transaction:${attempt}`;
    const noted = (await stored<{ xid: string }>(deps.database.query, next))?.result;
    if (noted === undefined) return { last, next };
    last = noted.xid;
  }
}

/** @returns null when the server no longer knows */
async function fateOf(tools: ActionTools, xid: string): Promise<string | null> {
  return inSession(resourceOf(tools, 'postgres'), { mode: 'read_only', statement_ms: 5_000 }, tools.signal, async (query) => {
    const deadline = performance.now() + noticedMs;
    for (;;) {
      const [row] = await query<{ fate: string | null }>('SELECT pg_xact_status($1::xid8) AS fate', [xid]);
      if (row!.fate !== 'in progress' || performance.now() > deadline) return row!.fate;
      await sleep(200, undefined, { signal: tools.signal });
    }
  });
}

export const sqlActions = { 'sql.run': runSql };
