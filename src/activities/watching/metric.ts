/** A metric of the catalog, measured now or by its newest pushed sample, against its target. */
import { meets, type CatalogMetric } from '../../domain/metric.ts';
import type { EgressPolicy } from '../../domain/egress.ts';
import { insertMeasured, lastSample } from '../../store/metrics.ts';
import type { ActivityDeps } from '../deps.ts';
import { measure } from '../metric-sources.ts';
import { failing, reasonOf, unknown, well, type Found } from './reading.ts';

/** A pushed sample older than this says nothing. */
const staleAfterSeconds = (metric: CatalogMetric & { stale_after_seconds?: number }): number => metric.stale_after_seconds ?? 90;

/** @returns undefined for a pushed metric of which there never was a sample: it has not begun, so it has not gone blind */
export async function metricNow(metric: CatalogMetric, deps: ActivityDeps, egress: EgressPolicy, marker: string): Promise<Found | undefined> {
  const now = Date.now();
  let value: unknown;
  if (metric.source.kind === 'push') {
    const sample = await lastSample(deps.database.query, metric.metric_id, new Date(now).toISOString());
    if (sample === undefined) return undefined;
    const age = (now - Date.parse(sample.at)) / 1_000;
    if (age > staleAfterSeconds(metric)) return unknown(`the newest sample is ${Math.round(age)} s old`);
    value = sample.value;
  } else {
    try {
      value = await measure(deps, metric, egress, marker);
    } catch (error) {
      return unknown(reasonOf(error));
    }
    if (typeof value === 'number' && Number.isFinite(value)) {
      await insertMeasured(deps.database.query, metric.metric_id, metric.source.kind, value, new Date(Date.now()).toISOString());
    }
  }
  if (typeof value !== 'number' || !Number.isFinite(value)) return unknown(`${(JSON.stringify(value) ?? 'nothing').slice(0, 100)} is not a finite number`);
  const unit = metric.unit === '' ? '' : ` ${metric.unit}`;
  return meets(value, metric.comparator, metric.target) ? well(value)
    : failing(`${metric.metric_id} is ${value}${unit}, and should be ${metric.comparator} ${metric.target}${unit}`, null, value);
}
