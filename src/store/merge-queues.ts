/** Merge queues as people see them: what lands now, what waits, what is frozen. */
import { noSubject } from '../domain/event.ts';
import type { QueueEvent, QueueRow } from '../domain/landing.ts';
import type { Severity } from '../domain/mission.ts';
import type { Database, Query } from './database.ts';
import { insertEvents } from './events.ts';
import { toJson } from './json.ts';

/** Writes the row as it is now, and what happened, in one transaction. */
export async function saveQueue(database: Database, { row, event }: { row: QueueRow; event: QueueEvent | null }): Promise<void> {
  await database.transaction(async (query) => {
    await query(
      `INSERT INTO merge_queues (repository_id, target_branch, current, frozen) VALUES ($1, $2, $3, $4)
       ON CONFLICT (repository_id, target_branch)
       DO UPDATE SET current = excluded.current, frozen = excluded.frozen, updated_at = clock_timestamp()`,
      [row.repository_id, row.target_branch, row.current === null ? null : toJson(row.current), row.frozen === null ? null : toJson(row.frozen)]);
    if (event === null) return;
    const { key, mission_id, ...said } = event;
    await insertEvents(query, [{ ...said, subject: { ...noSubject, mission_id }, idempotency_key: key }]);
  });
}

export interface ListedQueue extends QueueRow {
  repository: string;
  /** In the order in which they land: reverts first, then severity, then arrival. */
  waiting: { mission_id: string; kind: 'land' | 'revert'; severity: Severity; since: string }[];
  updated_at: string;
}

/** Queues that ever landed something, busy and frozen ones first. */
export async function listQueues(query: Query, limit: number): Promise<ListedQueue[]> {
  return query<ListedQueue>(
    `SELECT q.repository_id, r.name AS repository, q.target_branch, q.current, q.frozen, q.updated_at, coalesce(w.waiting, '[]') AS waiting
       FROM merge_queues q JOIN repositories r USING (repository_id)
       LEFT JOIN LATERAL (
         SELECT jsonb_agg(jsonb_build_object('mission_id', m.mission_id, 'kind', m.kind, 'severity', m.severity, 'since', m.since)
                          ORDER BY m.kind DESC, m.severity_rank, m.since) AS waiting
           FROM (SELECT mission_id, severity, waiting_on->>'since' AS since,
                        CASE stage WHEN 'resolve_or_rollback' THEN 'revert' ELSE 'land' END AS kind,
                        array_position(ARRAY['critical', 'high', 'medium', 'low'], severity) AS severity_rank
                   FROM missions
                  WHERE status IN ('in_progress', 'observing') AND repository_id = q.repository_id AND waiting_on->>'kind' = 'landing'
                    AND package->'workspace'->>'target_branch' = q.target_branch
                    AND mission_id IS DISTINCT FROM q.current->>'mission_id') m) w ON true
      ORDER BY (q.frozen IS NOT NULL) DESC, (q.current IS NOT NULL) DESC, q.updated_at DESC LIMIT $1`, [limit]);
}

/** Branches on which only reverts land, and why. */
export const frozenQueues = (query: Query): Promise<{ target_branch: string; reason: string }[]> =>
  query(`SELECT target_branch, frozen->>'reason' AS reason FROM merge_queues WHERE frozen IS NOT NULL ORDER BY repository_id, target_branch`);
