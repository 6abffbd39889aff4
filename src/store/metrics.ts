/** Pushed metrics: the part of the catalog that the API defines, and their samples. */
import type { Principal } from '../domain/actor.ts';
import type { CatalogMetric } from '../domain/metric.ts';
import type { MetricDefinition } from '../domain/schema/metric.ts';
import type { Database, Query } from './database.ts';
import { toJson } from './json.ts';

export interface MetricSample {
  value: number;
  at: string;
  observed_revision: string | null;
  pushed_by: string;
}

export async function findMetric(database: Database, metricId: string): Promise<CatalogMetric | undefined> {
  const row = await database.registry.metrics.findUnique({ where: { metric_id: metricId } });
  return row === null ? undefined : fromDefinition(row.metric_id, row.definition as unknown as MetricDefinition, 'api');
}

export async function listMetrics(database: Database): Promise<CatalogMetric[]> {
  const rows = await database.registry.metrics.findMany({ orderBy: { metric_id: 'asc' } });
  return rows.map((row) => fromDefinition(row.metric_id, row.definition as unknown as MetricDefinition, 'api'));
}

/** A definition with every default filled in: five minutes of looking back, and stale after three intervals. */
export function fromDefinition(
  metricId: string, definition: MetricDefinition, definedBy: CatalogMetric['defined_by'],
): CatalogMetric {
  const { aggregation = 'last', interval_seconds = 30 } = definition;
  return {
    metric_id: metricId, source: definition.source, comparator: definition.comparator, target: definition.target,
    unit: definition.unit, description: definition.description ?? null, subsystem_id: definition.subsystem_id ?? null,
    aggregation, rolling_window_minutes: aggregation === 'last' ? null : definition.rolling_window_minutes ?? 5,
    interval_seconds, stale_after_seconds: definition.stale_after_seconds ?? Math.max(5, 3 * interval_seconds),
    for_seconds: definition.for_seconds ?? 0, severity: definition.severity ?? 'medium', playbooks: definition.playbooks ?? [],
    defined_by: definedBy,
  };
}

/** @returns whether the metric is new */
export async function saveMetric(
  query: Query, metricId: string, definition: MetricDefinition, by: string,
): Promise<'created' | 'updated'> {
  // xmax is 0 only for a row that this statement inserted.
  const [row] = await query<{ created: boolean }>(
    `INSERT INTO metrics (metric_id, definition, updated_by) VALUES ($1, $2, $3)
     ON CONFLICT (metric_id) DO UPDATE SET definition = EXCLUDED.definition, updated_by = EXCLUDED.updated_by,
       updated_at = clock_timestamp()
     RETURNING (xmax = 0) AS created`, [metricId, toJson(definition), by]);
  return row!.created ? 'created' : 'updated';
}

interface MeasuredSample { metric_id: string; source: string; value: number; at: string; raw_digest: string | null }

/** A sample that we measured ourselves. */
export async function insertMeasured(query: Query, { metric_id, source, value, at, raw_digest }: MeasuredSample): Promise<void> {
  await query(
    `INSERT INTO metric_samples (metric_id, at, value, source, raw_digest, pushed_by, pushed_role)
     VALUES ($1, $2, $3, $4, $5, 'mission-control', 'system')`, [metric_id, at, value, source, raw_digest]);
}

export async function insertSamples(
  query: Query, metricId: string,
  samples: readonly { value: number; at: string; observed_revision: string | null }[], by: Principal,
): Promise<void> {
  await query(
    `INSERT INTO metric_samples (metric_id, at, value, observed_revision, source, pushed_by, pushed_role)
     SELECT $1, at, value, observed_revision, 'push', $3, $4
       FROM jsonb_to_recordset($2::jsonb) AS r(at timestamptz, value double precision, observed_revision text)`,
    [metricId, toJson(samples), by.id, by.role]);
}

/** The newest sample not later than `until`. */
export async function lastSample(query: Query, metricId: string, until: string): Promise<MetricSample | undefined> {
  const [row] = await query<MetricSample>(
    `SELECT value, at, observed_revision, pushed_by FROM metric_samples
      WHERE metric_id = $1 AND at <= $2 ORDER BY at DESC, sample_id DESC LIMIT 1`, [metricId, until]);
  return row;
}

/**
 * Samples of `(from, until]`, oldest first, without those that the mission's own author pushed: nobody measures their
 * own work, except an admin.
 */
export async function samplesBetween(
  query: Query, metricId: string, from: string, until: string, author: string,
): Promise<MetricSample[]> {
  return query<MetricSample>(
    `SELECT value, at, observed_revision, pushed_by FROM metric_samples
      WHERE metric_id = $1 AND at > $2 AND at <= $3 AND NOT (pushed_by = $4 AND pushed_role <> 'admin')
      ORDER BY at, sample_id`, [metricId, from, until, author]);
}
