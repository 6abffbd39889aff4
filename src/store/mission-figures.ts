/** Figures about missions. Undefined where there is nothing to make one of. */
import type { MissionStatus } from '../domain/mission.ts';
import type { Query } from './database.ts';

/** Of the missions that ended so in the last hours, the share that ended resolved, in %. */
export async function resolvedShare(
  query: Query, { ended, hours }: { ended: readonly MissionStatus[]; hours: number },
): Promise<number | undefined> {
  const [row] = await query<{ resolved: number; ended: number }>(
    `SELECT count(*) FILTER (WHERE status = 'resolved') AS resolved, count(*) AS ended FROM missions
      WHERE ended_at > now() - make_interval(hours => $2) AND status = ANY($1)`, [ended, hours]);
  return row!.ended === 0 ? undefined : (100 * row!.resolved) / row!.ended;
}

/** Missions that ended in the last ten minutes, a minute. None at all is 0 only where some ended before. */
export async function endedPerMinute(query: Query): Promise<number | undefined> {
  const [row] = await query<{ lately: number; ever: boolean }>(
    `SELECT (SELECT count(*) FROM missions WHERE ended_at > now() - interval '10 minutes') AS lately,
            EXISTS (SELECT 1 FROM missions WHERE ended_at IS NOT NULL) AS ever`);
  return row!.ever ? row!.lately / 10 : undefined;
}

/** Of the stages of missions that ended in the last 24 hours. */
export async function stageDurationP95(query: Query): Promise<number | undefined> {
  const [row] = await query<{ p95: number | null }>(
    `SELECT percentile_disc(0.95) WITHIN GROUP (ORDER BY s.duration_ms) AS p95
       FROM missions m JOIN mission_stages s USING (mission_id)
      WHERE m.ended_at > now() - interval '24 hours' AND s.duration_ms IS NOT NULL`);
  return row!.p95 ?? undefined;
}

/** Since when the mission that waits longest was asked to run. */
export async function oldestQueuedSeconds(query: Query): Promise<number | undefined> {
  const [row] = await query<{ seconds: number | null }>(
    `SELECT extract(epoch FROM now() - min(execute_requested_at))::double precision AS seconds FROM missions
      WHERE status = 'open' AND execute_requested_at IS NOT NULL`);
  return row!.seconds ?? undefined;
}
