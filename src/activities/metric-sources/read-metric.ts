/** One reading of a metric: what observation and detection share. */
import type { EgressPolicy } from '../../domain/egress.ts';
import type { Reading } from '../../domain/judge.ts';
import { isStale, type CatalogMetric } from '../../domain/metric.ts';
import { figureOf } from '../../store/metric-series.ts';
import { insertMeasured } from '../../store/metrics.ts';
import { measure, type SourceDeps } from './measure.ts';

/** As for pushed samples: what is dated further off is a clock that is wrong, or a lie. */
const maxAgeMs = 24 * 3_600_000;
const maxLeadMs = 60_000;

/**
 * Measures now and stores the sample. A source that does not answer, or not with a finite number, is an error that says
 * why; one that works and has no data gives nothing.
 */
export async function takeSample(deps: SourceDeps, metric: CatalogMetric, egress: EgressPolicy, marker: string): Promise<Reading> {
  try {
    const measured = await measure(deps, metric, egress, marker);
    if (measured === undefined) return { kind: 'nothing' };
    const { value, at, raw_digest } = measured;
    if (typeof value !== 'number' || !Number.isFinite(value)) {
      return { kind: 'error', reason: `measured ${(JSON.stringify(value) ?? 'nothing').slice(0, 100)}, which is not a finite number` };
    }
    const age = Date.now() - at;
    if (!(age <= maxAgeMs && age >= -maxLeadMs)) {
      return { kind: 'error', reason: `the source dates its sample ${Math.round(Math.abs(age) / 1_000)} s ${age < 0 ? 'ahead' : 'back'}` };
    }
    await insertMeasured(deps.database.query, { metric_id: metric.metric_id, source: metric.source.kind, value, at: new Date(at).toISOString(), raw_digest });
    return { kind: 'value', value, at, observed_revision: null };
  } catch (error) {
    return { kind: 'error', reason: (error as Error).message.split('\n')[0]!.slice(0, 300) };
  }
}

/**
 * The figure that the catalog judges a metric by: measured now, or of what was pushed. How old a pushed sample may be is
 * for the caller to say; a source that answers with an old one has stopped working.
 */
export async function readMetric(deps: SourceDeps, metric: CatalogMetric, egress: EgressPolicy, marker: string): Promise<Reading> {
  if (metric.source.kind !== 'push') {
    const taken = await takeSample(deps, metric, egress, marker);
    if (taken.kind !== 'value') return taken;
    if (isStale(metric, taken.at, Date.now())) {
      return { kind: 'error', reason: `the newest sample of the source is ${Math.round((Date.now() - taken.at) / 1_000)} s old, ${metric.stale_after_seconds} s allowed` };
    }
    if (metric.aggregation === 'last') return taken;
  }
  const figure = await figureOf(deps.database.query, metric, Date.now());
  if (figure === undefined) return { kind: 'nothing' };
  return { kind: 'value', value: figure.value, at: Date.parse(figure.at), observed_revision: figure.observed_revision };
}
