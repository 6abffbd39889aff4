/**
 * Stored samples as a series, and as one figure over a window. Whole buckets come from their roll-ups, the rest from the
 * samples, and so does the last hour: a sample that comes a little late counts at once. One that comes later than that
 * counts after the next upkeep.
 */
import { aggregate } from '../domain/aggregate.ts';
import type { CatalogMetric, SeriesPoint } from '../domain/metric.ts';
import type { Query } from './database.ts';
import { rollupMs, summarise } from './metric-bins.ts';
import { lastSample, type MetricSample } from './metrics.ts';
import { average, emptySummary, merge, mergeStored, percentile, type StoredSummary, type Summary } from './sketch.ts';

const freshMs = 3_600_000;

/** Points of the buckets that hold samples, `from` and `until` on the grid of `stepMs`; milliseconds since the epoch. */
export async function series(query: Query, metricId: string, from: number, until: number, stepMs: number): Promise<SeriesPoint[]> {
  const byStep = new Map<number, Summary>();
  const stepOf = (at: number): Summary => {
    const start = Math.floor(at / stepMs) * stepMs;
    const there = byStep.get(start) ?? emptySummary();
    byStep.set(start, there);
    return there;
  };
  const rolled = stepMs % rollupMs === 0 ? await rolledUntil(query, metricId, from, until) : from;
  for (const { bucket, stored } of await rollups(query, metricId, from, rolled)) mergeStored(stepOf(bucket), stored);
  for (const { bucket, summary } of await samples(query, metricId, rolled, until, stepMs)) merge(stepOf(bucket), summary);
  return [...byStep].sort(([a], [b]) => a - b).map(([at, summary]) => ({
    at: new Date(at).toISOString(), count: summary.count, min: summary.min, max: summary.max, avg: average(summary)!, p95: percentile(summary, 0.95)!,
  }));
}

/** Everything of `[from, until)` as one. */
export async function summaryBetween(query: Query, metricId: string, from: number, until: number): Promise<Summary> {
  const whole = emptySummary();
  const start = Math.min(until, Math.ceil(from / rollupMs) * rollupMs);
  const rolled = await rolledUntil(query, metricId, start, until);
  for (const { summary } of await samples(query, metricId, from, start, rollupMs)) merge(whole, summary);
  for (const { stored } of await rollups(query, metricId, start, rolled)) mergeStored(whole, stored);
  for (const { summary } of await samples(query, metricId, rolled, until, rollupMs)) merge(whole, summary);
  return whole;
}

/** The figure that a metric is judged by, with the newest sample behind it; undefined when there is none. */
export async function figureOf(query: Query, metric: CatalogMetric, now: number): Promise<MetricSample | undefined> {
  const newest = await lastSample(query, metric.metric_id, new Date(now).toISOString());
  if (newest === undefined || metric.aggregation === 'last' || metric.rolling_window_minutes === null) return newest;
  const from = now - metric.rolling_window_minutes * 60_000;
  const value = await aggregated(query, metric, from, now + 1);
  return value === null ? undefined : { ...newest, value };
}

async function aggregated(query: Query, { metric_id, aggregation }: CatalogMetric, from: number, until: number): Promise<number | null> {
  if (aggregation === 'rate' || aggregation === 'last') return aggregate(aggregation, await ends(query, metric_id, from, until));
  const summary = await summaryBetween(query, metric_id, from, until);
  if (summary.count === 0) return null;
  switch (aggregation) {
    case 'p50': return percentile(summary, 0.5);
    case 'p95': return percentile(summary, 0.95);
    case 'p99': return percentile(summary, 0.99);
    case 'avg': return average(summary);
    case 'max': return summary.max;
    case 'min': return summary.min;
  }
}

/** The first and the last sample: all that a rate is made of. */
async function ends(query: Query, metricId: string, from: number, until: number): Promise<{ value: number; at: number }[]> {
  const end = (order: 'ASC' | 'DESC') => query<{ value: number; at: string }>(
    `SELECT value, at FROM metric_samples WHERE metric_id = $1 AND at >= $2 AND at < $3 ORDER BY at ${order}, sample_id ${order} LIMIT 1`,
    [metricId, iso(from), iso(until)]);
  return [...await end('ASC'), ...await end('DESC')].map(({ value, at }) => ({ value, at: Date.parse(at) }));
}

/** Up to where the roll-ups are used, within the window. */
async function rolledUntil(query: Query, metricId: string, from: number, until: number): Promise<number> {
  const [last] = await query<{ bucket: string }>(
    'SELECT bucket FROM metric_rollups WHERE metric_id = $1 AND bucket >= $2 AND bucket <= $3 ORDER BY bucket DESC LIMIT 1',
    [metricId, iso(from), iso(Math.min(until, Date.now() - freshMs) - rollupMs)]);
  return last === undefined ? from : Date.parse(last.bucket) + rollupMs;
}

async function rollups(query: Query, metricId: string, from: number, until: number): Promise<{ bucket: number; stored: StoredSummary }[]> {
  if (from >= until) return [];
  const rows = await query<StoredSummary & { bucket: string }>(
    `SELECT bucket, count, min, max, sum, sketch FROM metric_rollups
      WHERE metric_id = $1 AND bucket >= $2 AND bucket < $3 ORDER BY bucket`, [metricId, iso(from), iso(until)]);
  return rows.map(({ bucket, ...stored }) => ({ bucket: Date.parse(bucket), stored }));
}

async function samples(query: Query, metricId: string, from: number, until: number, bucketMs: number): Promise<{ bucket: number; summary: Summary }[]> {
  if (from >= until) return [];
  return summarise(query, bucketMs,
    'SELECT metric_id, at, value FROM metric_samples WHERE metric_id = $4 AND at >= $5 AND at < $6', [metricId, iso(from), iso(until)]);
}

const iso = (ms: number): string => new Date(ms).toISOString();
