import type { Sample } from '../domain/judge.ts';
import type { Query } from './database.ts';
import { toJson } from './json.ts';

/** Stores a tick's samples; a tick that is there already keeps its first value. */
export async function saveSamples(query: Query, missionId: string, window: number, samples: readonly Sample[]): Promise<void> {
  await query(
    `INSERT INTO window_samples (mission_id, window_no, metric_id, tick, at, kind, value, reason)
     SELECT $1, $2, metric_id, tick, to_timestamp(at / 1000.0), kind, value, reason
       FROM jsonb_to_recordset($3::jsonb) AS r(metric_id text, tick integer, at double precision, kind text,
            value double precision, reason text)
     ON CONFLICT DO NOTHING`, [missionId, window, toJson(samples)]);
}

export interface WindowSample extends Sample { window: number }

/** Samples of one of a mission's windows, or of all of them, in tick order. */
export async function windowSamples(query: Query, missionId: string, window?: number): Promise<WindowSample[]> {
  const rows = await query<Omit<WindowSample, 'at'> & { at: string }>(
    `SELECT window_no AS "window", metric_id, tick, at, kind, value, reason FROM window_samples
      WHERE mission_id = $1 AND ($2::integer IS NULL OR window_no = $2) ORDER BY window_no, tick, metric_id`,
    [missionId, window ?? null]);
  return rows.map((row) => ({ ...row, at: Date.parse(row.at) }));
}
