/** A metric of the catalog, measured now or by its newest pushed sample, against its target. */
import { isStale, meets, type CatalogMetric } from '../../domain/metric.ts';
import type { EgressPolicy } from '../../domain/egress.ts';
import type { ActivityDeps } from '../deps.ts';
import { readMetric } from '../metric-sources/read-metric.ts';
import { failing, unknown, well, type Found } from './reading.ts';

/** @returns undefined for a metric of which there is nothing yet: it has not begun, so it has not gone blind */
export async function metricNow(metric: CatalogMetric, deps: ActivityDeps, egress: EgressPolicy, marker: string): Promise<Found | undefined> {
  const said = await readMetric(deps, metric, egress, marker);
  if (said.kind === 'error') return unknown(said.reason);
  // What nobody pushed yet, or what no mission has ended for yet, has not begun.
  if (said.kind === 'nothing') return ['push', 'internal'].includes(metric.source.kind) ? undefined : unknown('there is no data');
  if (isStale(metric, said.at, Date.now())) return unknown(`the newest sample is ${Math.round((Date.now() - said.at) / 1_000)} s old`);
  const { value } = said;
  if (typeof value !== 'number' || !Number.isFinite(value)) return unknown(`${(JSON.stringify(value) ?? 'nothing').slice(0, 100)} is not a finite number`);
  const unit = metric.unit === '' ? '' : ` ${metric.unit}`;
  return meets(value, metric.comparator, metric.target) ? well(value)
    : failing(`${metric.metric_id} is ${value}${unit}, and should be ${metric.comparator} ${metric.target}${unit}`, null, value);
}
