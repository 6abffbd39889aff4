/** Observation windows as they were run: their terms, what confounded them, their verdict. */
import type { BaselineFigure } from '../domain/baseline.ts';
import type { Confounder } from '../domain/confounders.ts';
import type { WindowVerdict } from '../domain/judge.ts';
import type { WindowSpec } from '../domain/observation.ts';
import type { Query } from './database.ts';
import { toJson } from './json.ts';

/** What a window is begun with. Times are milliseconds since the epoch. */
export interface WindowTerms {
  spec: WindowSpec;
  t0: number;
  landed_at: number;
  revision: string | null;
  config_digest: string;
  baselines: Record<string, BaselineFigure>;
}

export interface OpenedWindow extends Omit<WindowTerms, 't0' | 'landed_at'> {
  window: number;
  /** RFC 3339 UTC. */
  t0: string;
  landed_at: string;
  confounders: Confounder[];
  verdict: WindowVerdict | null;
  judged_by: 'judge' | 'person' | null;
  judged_at: string | null;
}

const columns = `window_no AS "window", spec, t0, landed_at, revision, config_digest, baselines, confounders, verdict,
  judged_by, judged_at`;

/** The windows of a mission, in order. */
export const observationWindows = (query: Query, missionId: string): Promise<OpenedWindow[]> =>
  query<OpenedWindow>(`SELECT ${columns} FROM observation_windows WHERE mission_id = $1 ORDER BY window_no`, [missionId]);

async function findWindow(query: Query, missionId: string, window: number): Promise<OpenedWindow | undefined> {
  const [row] = await query<OpenedWindow>(
    `SELECT ${columns} FROM observation_windows WHERE mission_id = $1 AND window_no = $2`, [missionId, window]);
  return row;
}

/** The window as it was begun; begun with `terms` when it is not there yet. Of two at once the first one's terms hold. */
export async function openWindow(
  query: Query, missionId: string, window: number, terms: () => Promise<WindowTerms>,
): Promise<OpenedWindow> {
  const known = await findWindow(query, missionId, window);
  if (known !== undefined) return known;
  const { spec, t0, landed_at, revision, config_digest, baselines } = await terms();
  await query(
    `INSERT INTO observation_windows (mission_id, window_no, spec, t0, landed_at, revision, config_digest, baselines)
     VALUES ($1, $2, $3, to_timestamp($4::double precision / 1000), to_timestamp($5::double precision / 1000), $6, $7, $8)
     ON CONFLICT DO NOTHING`,
    [missionId, window, toJson(spec), t0, landed_at, revision, config_digest, toJson(baselines)]);
  return (await findWindow(query, missionId, window))!;
}

/** The window, held against other judges until the transaction ends. */
export async function lockWindow(query: Query, missionId: string, window: number): Promise<OpenedWindow> {
  const [row] = await query<OpenedWindow>(
    `SELECT ${columns} FROM observation_windows WHERE mission_id = $1 AND window_no = $2 FOR UPDATE`, [missionId, window]);
  return row!;
}

/** @param verdict null while it runs */
export async function saveVerdict(
  query: Query, missionId: string, window: number, confounders: readonly Confounder[], verdict: WindowVerdict | null,
): Promise<void> {
  await query(
    `UPDATE observation_windows SET confounders = $3, verdict = $4, judged_by = CASE WHEN $4::jsonb IS NULL THEN NULL ELSE 'judge' END,
            judged_at = CASE WHEN $4::jsonb IS NULL THEN NULL ELSE clock_timestamp() END
      WHERE mission_id = $1 AND window_no = $2 AND verdict IS NULL`,
    [missionId, window, toJson(confounders), verdict === null ? null : toJson(verdict)]);
}

/** A person's verdict on a window that has none. */
export async function decideWindow(query: Query, missionId: string, window: number, verdict: WindowVerdict): Promise<void> {
  await query(
    `UPDATE observation_windows SET verdict = $3, judged_by = 'person', judged_at = clock_timestamp()
      WHERE mission_id = $1 AND window_no = $2 AND verdict IS NULL`, [missionId, window, toJson(verdict)]);
}

/** When the mission first began to land, milliseconds since the epoch; undefined for one that lands nothing. */
export async function landingBegan(query: Query, missionId: string): Promise<number | undefined> {
  const [row] = await query<{ at: string | null }>(
    `SELECT min(started_at) AS at FROM mission_stages WHERE mission_id = $1 AND name = 'merge_changes'`, [missionId]);
  return typeof row?.at === 'string' ? Date.parse(row.at) : undefined;
}

/**
 * Other missions' landings on the same repository or subsystem in `(from, until]`, and healing of the same subsystem
 * that ran at any time in it.
 */
export async function otherChanges(query: Query, missionId: string, from: number, until: number): Promise<Confounder[]> {
  return query<Confounder>(
    `WITH own AS (SELECT mission_id, repository_id, subsystem_id FROM missions WHERE mission_id = $1),
          span AS (SELECT to_timestamp($2::double precision / 1000) AS since, to_timestamp($3::double precision / 1000) AS until)
     SELECT e.event_id::text AS key, 'landing' AS kind, e.ts AS at, o.mission_id,
            o.mission_id || CASE e.type WHEN 'merge.landed' THEN ' landed' ELSE ' was reverted' END || ' on the same '
              || CASE WHEN o.repository_id = own.repository_id THEN 'repository' ELSE 'subsystem' END AS summary
       FROM span JOIN events e ON e.ts > span.since AND e.ts <= span.until
       JOIN missions o ON o.mission_id = e.mission_id
       JOIN own ON own.mission_id <> o.mission_id AND (own.repository_id = o.repository_id OR own.subsystem_id = o.subsystem_id)
      WHERE e.type IN ('merge.landed', 'merge.reverted')
     UNION ALL
     SELECT 'healing:' || o.mission_id, 'healing', o.started_at, o.mission_id, o.mission_id || ' was healing ' || o.subsystem_id
       FROM span JOIN missions o ON o.started_at <= span.until AND (o.ended_at IS NULL OR o.ended_at > span.since)
       JOIN own ON own.subsystem_id = o.subsystem_id AND own.mission_id <> o.mission_id
      WHERE o.mission_type = 'healing'
      ORDER BY 3, 1`, [missionId, from, until]);
}
