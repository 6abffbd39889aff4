/** The catalog with where each metric stands now. */
import { metricState, type CatalogMetric, type MetricStanding } from '../domain/metric.ts';
import type { Query } from './database.ts';
import { figureOf } from './metric-series.ts';

interface Newest { metric_id: string; value: number; at: string }

export async function standings(query: Query, metrics: readonly CatalogMetric[], now: Date): Promise<MetricStanding[]> {
  const rows = await query<Newest>(
    `SELECT m.metric_id, s.value, s.at FROM unnest($1::text[]) AS m (metric_id)
       CROSS JOIN LATERAL (SELECT value, at FROM metric_samples WHERE metric_id = m.metric_id AND at <= $2
                            ORDER BY at DESC, sample_id DESC LIMIT 1) AS s`,
    [metrics.map((metric) => metric.metric_id), now.toISOString()]);
  const newest = new Map(rows.map((row) => [row.metric_id, row]));
  return Promise.all(metrics.map(async (metric) => {
    const last = newest.get(metric.metric_id);
    const figure = metric.aggregation === 'last' ? last : last && await figureOf(query, metric, now.getTime());
    return {
      ...metric, value: figure?.value ?? null, last_value: last?.value ?? null, last_at: last?.at ?? null,
      age_seconds: last === undefined ? null : Math.max(0, Math.round((now.getTime() - Date.parse(last.at)) / 1_000)),
      state: metricState(metric, figure && { value: figure.value, at: Date.parse(figure.at) }, now.getTime()),
    };
  }));
}
