/** The restart budget: what was restarted when, counted in a sliding window that outlives us. */
import { restartBudget } from '../domain/restart-budget.ts';
import type { Database, Query } from './database.ts';

export interface RestartRequest {
  /** Key of the effect: asking again with it is granted again and counted once. */
  key: string;
  target: string;
  mission_id: string;
  /** A stop is counted when it takes something down, so that the start after it need not be. */
  kind: 'stop' | 'start' | 'restart';
}

export type RestartRuling = { kind: 'granted' } | { kind: 'refused'; used: number };

/** Restarts of the target within the window that ends now. */
export async function recentRestarts(query: Query, target: string): Promise<number> {
  const [row] = await query<{ n: number }>(
    `SELECT count(*) AS n FROM restarts WHERE target = $1 AND at > clock_timestamp() - make_interval(secs => $2)`,
    [target, restartBudget.seconds]);
  return row!.n;
}

/** Takes one restart from the target's budget. */
export const spendRestart = (database: Database, { key, target, mission_id, kind }: RestartRequest): Promise<RestartRuling> =>
  database.transaction(async (query) => {
    await lock(query, target);
    const [known] = await query('SELECT 1 FROM restarts WHERE key = $1', [key]);
    if (known !== undefined) return { kind: 'granted' };
    const used = await recentRestarts(query, target);
    if (used >= restartBudget.max) return { kind: 'refused', used };
    await query('INSERT INTO restarts (key, target, mission_id, kind) VALUES ($1, $2, $3, $4)', [key, target, mission_id, kind]);
    return { kind: 'granted' };
  });

/**
 * Whether this start only brings back what the same mission took down: the restart was counted at the stop, so that what
 * we stopped ourselves is never left down because of the budget.
 */
export const resumeStopped = (database: Database, { key, target, mission_id }: Omit<RestartRequest, 'kind'>): Promise<boolean> =>
  database.transaction(async (query) => {
    await lock(query, target);
    const rows = await query(
      `UPDATE restarts SET resumed_by = $1
        WHERE key = (SELECT key FROM restarts
                      WHERE target = $2 AND mission_id = $3 AND kind = 'stop' AND (resumed_by IS NULL OR resumed_by = $1)
                      ORDER BY resumed_by NULLS LAST, at LIMIT 1)
        RETURNING key`, [key, target, mission_id]);
    return rows.length > 0;
  });

/** One at a time per target: two restarts at once must not both see the last free place. */
const lock = (query: Query, target: string): Promise<unknown> =>
  query('SELECT pg_advisory_xact_lock(hashtextextended($1, 0))', [`restart:${target}`]);
