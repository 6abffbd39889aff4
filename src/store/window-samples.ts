import type { Sample } from '../domain/judge.ts';
import type { Query } from './database.ts';

/** Stores a tick's samples; a tick that is there already keeps its first value. */
export async function saveSamples(query: Query, missionId: string, samples: readonly Sample[]): Promise<void> {
  await query(
    `INSERT INTO window_samples (mission_id, metric_id, tick, at, kind, value, reason)
     SELECT $1, metric_id, tick, to_timestamp(at / 1000.0), kind, value, reason
       FROM jsonb_to_recordset($2::jsonb) AS r(metric_id text, tick integer, at double precision, kind text,
            value double precision, reason text)
     ON CONFLICT DO NOTHING`, [missionId, JSON.stringify(samples)]);
}

/** All samples of a mission's window, in tick order. */
export async function windowSamples(query: Query, missionId: string): Promise<Sample[]> {
  const rows = await query<Omit<Sample, 'at'> & { at: string }>(
    'SELECT metric_id, tick, at, kind, value, reason FROM window_samples WHERE mission_id = $1 ORDER BY tick, metric_id', [missionId]);
  return rows.map((row) => ({ ...row, at: Date.parse(row.at) }));
}
