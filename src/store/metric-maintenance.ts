/** Upkeep of the samples: partitions ahead of time, roll-ups of what is complete, nothing kept beyond its time. */
import type { Query } from './database.ts';
import { rollupMs, summarise, type BucketSummary } from './metric-bins.ts';
import { sketchBytes } from './sketch.ts';

export interface MetricRetention { samples_days: number; rollups_days: number }

export const metricRetention: MetricRetention = { samples_days: 14, rollups_days: 400 };

export interface MetricUpkeep { partitions_made: number; partitions_dropped: number; rolled_up: number; rollups_deleted: number }

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;
/** How far back a pushed sample may lie, and an hour for this to come round. */
const lateMs = 25 * hourMs;

/**
 * Safe to repeat and to run twice at once: a roll-up is made of all samples of its bucket, and made again while there are
 * more of them than it counted.
 */
export async function maintainMetrics(query: Query, now: Date, retention = metricRetention): Promise<MetricUpkeep> {
  // Rolled up before anything goes: after a long stop the oldest samples may be due for both.
  const rolledUp = await rollUp(query, now.getTime());
  const day = (offset: number): string => new Date(now.getTime() + offset * dayMs).toISOString().slice(0, 10);
  const [partitions] = await query<{ made: number; dropped: number }>(
    'SELECT made, dropped FROM maintain_metric_partitions($1::date, $2::date)', [day(-retention.samples_days), day(2)]);
  const deleted = await query('DELETE FROM metric_rollups WHERE bucket < $1::date RETURNING 1', [day(-retention.rollups_days)]);
  return {
    partitions_made: partitions!.made, partitions_dropped: partitions!.dropped, rolled_up: rolledUp, rollups_deleted: deleted.length,
  };
}

async function rollUp(query: Query, now: number): Promise<number> {
  const until = Math.floor(now / rollupMs) * rollupMs;
  const [edge] = await query<{ last: string | null }>('SELECT max(bucket) AS last FROM metric_rollups');
  const last = edge?.last ?? null;
  const hours = await query<{ hour: string }>(
    `SELECT DISTINCT date_bin('1 hour', at, timestamptz 'epoch') AS hour FROM metric_samples
      WHERE at >= coalesce($1::timestamptz, '-infinity') AND at < $2 ORDER BY 1`,
    [last === null ? null : new Date(Date.parse(last) - lateMs).toISOString(), new Date(until).toISOString()]);
  let rolled = 0;
  // An hour at a time, so that the first run over a fortnight of samples stays small.
  for (const { hour } of hours) {
    const start = Date.parse(hour);
    rolled += await rollUpBetween(query, start, Math.min(start + hourMs, until));
  }
  return rolled;
}

async function rollUpBetween(query: Query, from: number, until: number): Promise<number> {
  const summaries = await summarise(query, rollupMs, `
    WITH counted AS (
      SELECT metric_id, date_bin(make_interval(secs => $6::double precision / 1000), at, timestamptz 'epoch') AS bucket, count(*) AS count
        FROM metric_samples WHERE at >= $4::timestamptz AND at < $5::timestamptz GROUP BY 1, 2)
    SELECT s.metric_id, s.at, s.value
      FROM counted c LEFT JOIN metric_rollups r USING (metric_id, bucket)
      JOIN metric_samples s ON s.metric_id = c.metric_id AND s.at >= c.bucket
       AND s.at < c.bucket + make_interval(secs => $6::double precision / 1000) AND s.at >= $4::timestamptz AND s.at < $5::timestamptz
     WHERE r.count IS NULL OR r.count < c.count`, [new Date(from).toISOString(), new Date(until).toISOString(), rollupMs]);
  if (summaries.length > 0) await save(query, summaries);
  return summaries.length;
}

async function save(query: Query, summaries: readonly BucketSummary[]): Promise<void> {
  const column = (of: (summary: BucketSummary) => unknown): unknown[] => summaries.map(of);
  await query(
    `INSERT INTO metric_rollups (metric_id, bucket, count, min, max, sum, sketch)
     SELECT * FROM unnest($1::text[], $2::timestamptz[], $3::bigint[], $4::double precision[], $5::double precision[],
                          $6::double precision[], $7::bytea[])
     ON CONFLICT (metric_id, bucket) DO UPDATE
        SET count = EXCLUDED.count, min = EXCLUDED.min, max = EXCLUDED.max, sum = EXCLUDED.sum, sketch = EXCLUDED.sketch
      -- Samples are only ever added: whoever counted more has seen more.
      WHERE metric_rollups.count < EXCLUDED.count`,
    [column((s) => s.metric_id), column((s) => new Date(s.bucket).toISOString()), column((s) => s.summary.count), column((s) => s.summary.min),
      column((s) => s.summary.max), column((s) => s.summary.sum), column((s) => sketchBytes(s.summary))]);
}
