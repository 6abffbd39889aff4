/** Samples counted by bin and bucket where they lie, so that a window of a million of them travels as a few hundred rows. */
import type { Query } from './database.ts';
import { addBin, emptySummary, finite, logGamma, type CountedBin, type Summary } from './sketch.ts';

/** Length of a roll-up. Also in the table: `metric_rollups.bucket` is the start of five minutes. */
export const rollupMs = 5 * 60_000;

export interface BucketSummary { metric_id: string; bucket: number; summary: Summary }

interface BinRow extends CountedBin { metric_id: string; bucket: string }

/** A larger sum than this would end the statement: PostgreSQL refuses what leaves the range of a double. */
const summable = 1e290;

/**
 * Summaries of a selection of samples by metric and bucket.
 * @param selection SQL that gives `metric_id`, `at` and `value`, with parameters from $4 on
 */
export async function summarise(query: Query, bucketMs: number, selection: string, params: readonly unknown[]): Promise<BucketSummary[]> {
  const rows = await query<BinRow>(
    `SELECT metric_id, bucket, count(*) AS times, min(value) AS low, max(value) AS high,
            sum(CASE WHEN abs(value) < $3 THEN value ELSE 0 END) AS sum
       FROM (SELECT metric_id, value, date_bin(make_interval(secs => $1::double precision / 1000), at, timestamptz 'epoch') AS bucket
               FROM (${selection}) AS selected) AS samples
      -- The sketch's own bins: those of one side share a key. Below 1e-300 there is no logarithm to speak of.
      GROUP BY metric_id, bucket, sign(value), CASE WHEN abs(value) < 1e-300 THEN 0 ELSE ceil(ln(abs(value)) / $2) END
      ORDER BY metric_id, bucket, low`, [bucketMs, logGamma, summable, ...params]);
  const found: BucketSummary[] = [];
  for (const row of rows) {
    const bucket = Date.parse(row.bucket);
    let last = found.at(-1);
    if (last?.metric_id !== row.metric_id || last.bucket !== bucket) {
      last = { metric_id: row.metric_id, bucket, summary: emptySummary() };
      found.push(last);
    }
    const huge = Math.max(Math.abs(row.low), Math.abs(row.high)) >= summable;
    addBin(last.summary, { ...row, sum: huge ? finite(row.low * row.times) : row.sum });
  }
  return found;
}
