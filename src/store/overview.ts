/** What the overview and the live stream show: missions as lines, and figures. Every read is by an index. */
import type { MissionLine } from '../domain/mission-view.ts';
import { missionStatuses, type MissionStatus } from '../domain/mission.ts';
import type { StreamMetrics } from '../domain/stream.ts';
import { personalWaits } from '../domain/waiting.ts';
import type { Query } from './database.ts';

const openLines = 500;
const endedLines = 100;

const lineColumns = `mission_id, mission_type, package->>'title' AS title, subsystem_id, severity, status, outcome, stage, progress, paused, waiting_on,
  assigned_to, parent_mission_id, labels, tokens, cost_micro_usd, landed_commit, capa_id, ended_reason, created_at, started_at, ended_at, updated_at`;

/** The present state of these missions, in no particular order. */
export const missionLines = (query: Query, ids: readonly string[]): Promise<MissionLine[]> =>
  query<MissionLine>(`SELECT ${lineColumns} FROM missions WHERE mission_id = ANY($1)`, [ids]);

/** Missions that have not ended, newest first, up to 500; then the last 100 that did. */
export async function overviewLines(query: Query): Promise<MissionLine[]> {
  // One index range per status: with one range over all three, PostgreSQL sorts every open mission for the first 500.
  const newest = (status: MissionStatus): string =>
    `(SELECT created_seq, ${lineColumns} FROM missions WHERE status = '${status}' ORDER BY created_seq DESC LIMIT ${openLines})`;
  const [open, ended] = await Promise.all([
    query<MissionLine & { created_seq: number }>(
      `${(['open', 'in_progress', 'observing'] as const).map(newest).join(' UNION ALL ')} ORDER BY created_seq DESC LIMIT ${openLines}`),
    query<MissionLine>(`SELECT ${lineColumns} FROM missions WHERE ended_at IS NOT NULL ORDER BY ended_at DESC LIMIT ${endedLines}`),
  ]);
  const lines = open.map(({ created_seq: _, ...line }) => line);
  // One that ended between the two reads is in both.
  const shown = new Set(ended.map((line) => line.mission_id));
  return [...lines.filter((line) => !shown.has(line.mission_id)), ...ended];
}

type Figures = Omit<StreamMetrics, 'missions'> & { counts: Partial<Record<MissionStatus, number>> };

export async function streamMetrics(query: Query): Promise<StreamMetrics> {
  // now(), not clock_timestamp(): that one may differ from row to row, so no index can be asked for what is later.
  const [row] = await query<Figures>(
    `SELECT (SELECT jsonb_object_agg(status, n) FROM (SELECT status, count(*) AS n FROM missions GROUP BY status) c) AS counts,
            (SELECT count(*) FROM missions WHERE waiting_on IS NOT NULL AND waiting_on->>'kind' = ANY($1) AND ended_at IS NULL) AS waiting_for_person,
            (SELECT count(*) FROM approvals WHERE status = 'waiting') AS pending_approvals,
            (SELECT count(*) FROM findings WHERE resolved_at IS NULL) AS open_findings,
            (SELECT count(*) FROM capas WHERE state NOT IN ('REJECTED', 'CLOSED_EFFECTIVE', 'VOIDED')) AS open_capas,
            ended.*, landed.*, today.*,
            (SELECT count(*) FROM unsealed) AS unsealed, (SELECT sealed_at FROM ledger ORDER BY seq DESC LIMIT 1) AS sealed_at
       FROM (SELECT count(*) AS ended_7d, count(*) FILTER (WHERE status = 'resolved') AS resolved_7d,
                    count(*) FILTER (WHERE outcome = 'rolled_back') AS rolled_back_7d
               FROM missions WHERE ended_at > now() - interval '7 days') ended,
            (SELECT round(percentile_disc(0.5) WITHIN GROUP (ORDER BY ms))::bigint AS median_to_landed_ms,
                    round(percentile_disc(0.95) WITHIN GROUP (ORDER BY ms))::bigint AS p95_to_landed_ms
               FROM (SELECT extract(epoch FROM s.ended_at - m.started_at) * 1000 AS ms FROM mission_stages s JOIN missions m USING (mission_id)
                      WHERE s.name = 'merge_changes' AND s.status = 'passed' AND s.ended_at > now() - interval '7 days'
                        AND m.started_at IS NOT NULL) spans) landed,
            (SELECT coalesce(sum(cost_micro_usd), 0)::bigint AS cost_today_micro_usd, coalesce(sum(usage_unreported), 0)::bigint AS unreported_today
               FROM missions WHERE started_at >= date_trunc('day', now(), 'UTC')) today`, [personalWaits]);
  const { counts, ...figures } = row!;
  const missions = Object.fromEntries(missionStatuses.map((status) => [status, counts?.[status] ?? 0])) as Record<MissionStatus, number>;
  return { missions, ...figures };
}
