/** What the records' workflows know, and what they measure. */
import type { Query } from './database.ts';

/** Records whose workflow was never started, or not told of the latest change. */
export async function untoldCapas(query: Query, limit: number): Promise<string[]> {
  const rows = await query<{ capa_id: string }>('SELECT capa_id FROM capas WHERE told_version < version ORDER BY capa_id LIMIT $1', [limit]);
  return rows.map((row) => row.capa_id);
}

/** The version that the record's workflow has yet to be told of. */
export async function untoldVersion(query: Query, id: string): Promise<number | undefined> {
  const [row] = await query<{ version: number }>('SELECT version FROM capas WHERE capa_id = $1 AND told_version < version', [id]);
  return row?.version;
}

/** The engine has lost every record's workflow: each is to be started again by being told. @returns how many */
export async function tellAllAgain(query: Query): Promise<number> {
  const rows = await query(`UPDATE capas SET told_version = 0
      WHERE told_version > 0 AND state NOT IN ('REJECTED', 'CLOSED_EFFECTIVE', 'VOIDED') RETURNING capa_id`);
  return rows.length;
}

export async function markTold(query: Query, id: string, version: number): Promise<void> {
  await query('UPDATE capas SET told_version = $2 WHERE capa_id = $1 AND told_version < $2', [id, version]);
}

/**
 * Samples of `(from, until]`, oldest first, without those that an owner of an action pushed: nobody measures their own
 * work, except an admin.
 */
export async function samplesOfOthers(
  query: Query, metricId: string, { from, until }: { from: string; until: string }, owners: readonly string[],
): Promise<{ value: number; at: number }[]> {
  const rows = await query<{ value: number; at: string }>(
    `SELECT value, at FROM metric_samples
      WHERE metric_id = $1 AND at > $2 AND at <= $3 AND NOT (lower(pushed_by) = ANY($4) AND pushed_role <> 'admin')
      ORDER BY at, sample_id`, [metricId, from, until, owners.map((owner) => owner.toLowerCase())]);
  return rows.map(({ value, at }) => ({ value, at: Date.parse(at) }));
}
