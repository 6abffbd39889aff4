import type { Baseline } from './baseline.ts';
import type { Comparator } from './metric.ts';
import type { ObservationWindowInput, WindowMetricInput } from './schema/observation.ts';

/**
 * The observation window: watching metrics after a change until a verdict.
 * Defaults and meanings: `20-observation-and-healing`, "Observation window".
 */
export const aggregations = ['p50', 'p95', 'p99', 'avg', 'max', 'min', 'rate', 'last'] as const;
export type Aggregation = (typeof aggregations)[number];

export interface WindowMetric {
  metric_id: string;
  aggregation: Aggregation;
  rolling_window_minutes: number | null;
  comparator: Comparator;
  /** Null: held against its baseline alone. With both, both must hold. */
  target: number | null;
  baseline?: Baseline | undefined;
  role: 'gate' | 'key' | 'advisory';
  failure_limit: number;
  inconclusive_limit: number;
  consecutive_error_limit: number;
  /** Passes only if that many ticks in a row passed. It ends nothing early. */
  consecutive_success_limit?: number | undefined;
  no_data: 'inconclusive' | 'fail' | 'error';
  stale_after_seconds: number;
}

/** What is watched, by the name its monitors give it; without one, the landed commit. */
export interface WindowSubject {
  kind: 'commit' | 'deployment';
  revision: string;
}

/** A window with every default filled in: what the workflow runs and the judge reads. Stored ones may lack later fields. */
export interface WindowSpec {
  subject?: WindowSubject | undefined;
  duration_minutes: number;
  initial_delay_seconds: number;
  interval_seconds: number;
  min_samples: number;
  min_coverage: number;
  metrics: WindowMetric[] | 'none';
  reason: string | null;
  on_inconclusive: 'hold' | 'extend' | 'rollback';
  /** How many further windows `extend` may add by itself. */
  max_extensions: number;
  decision_deadline_minutes: number;
  on_deadline: 'rollback' | 'escalate';
  /** What other changes inside the window do to its verdict; absent: they are recorded. */
  confounders?: 'record' | 'extend' | 'block' | undefined;
}

export interface MetricTarget {
  metric_id: string;
  comparator: Comparator;
  target: number;
  rolling_window_minutes?: number | undefined;
}

/** What a `metric_targets` entry means as a metric of the window. */
const gateDefaults = {
  role: 'gate', failure_limit: 0, inconclusive_limit: 2, consecutive_error_limit: 4, no_data: 'inconclusive',
} as const;

/**
 * Fills the defaults: interval min(30 s, duration ÷ 20), initial delay min(60 s, duration ÷ 10), aggregation `last`
 * (`avg` with a rolling window), stale after max(5 s, 3 × interval). The mission's targets become gate metrics.
 */
export function resolveWindow(
  durationMinutes: number,
  input: ObservationWindowInput | undefined,
  targets: readonly MetricTarget[],
): WindowSpec {
  const durationSeconds = durationMinutes * 60;
  const interval = input?.interval_seconds ?? Math.min(30, durationSeconds / 20);
  const written = input?.metrics === undefined || input.metrics === 'none' ? [] : input.metrics;
  const fromTargets = targets
    .filter((target) => !written.some((metric) => metric.metric_id === target.metric_id && metric.role === 'gate'))
    .map((target): WindowMetricInput => ({ ...gateDefaults, ...target }));
  const metrics = [...written, ...fromTargets].map((metric): WindowMetric => ({
    metric_id: metric.metric_id,
    aggregation: metric.aggregation ?? (metric.rolling_window_minutes === undefined ? 'last' : 'avg'),
    rolling_window_minutes: metric.rolling_window_minutes ?? null,
    comparator: metric.comparator,
    target: metric.target ?? null,
    ...(metric.baseline === undefined ? {} : { baseline: metric.baseline }),
    role: metric.role,
    failure_limit: metric.failure_limit,
    inconclusive_limit: metric.inconclusive_limit,
    consecutive_error_limit: metric.consecutive_error_limit,
    ...(metric.consecutive_success_limit === undefined ? {} : { consecutive_success_limit: metric.consecutive_success_limit }),
    no_data: metric.no_data,
    stale_after_seconds: metric.stale_after_seconds ?? Math.max(5, 3 * interval),
  }));
  return {
    ...(input?.subject === undefined ? {} : { subject: input.subject }),
    duration_minutes: durationMinutes,
    initial_delay_seconds: input?.initial_delay_seconds ?? Math.min(60, durationSeconds / 10),
    interval_seconds: interval,
    min_samples: input?.min_samples ?? 3,
    min_coverage: input?.min_coverage ?? 0.8,
    metrics: metrics.length === 0 ? 'none' : metrics,
    reason: input?.reason ?? null,
    on_inconclusive: input?.on_inconclusive ?? 'hold',
    max_extensions: input?.max_extensions ?? 2,
    decision_deadline_minutes: input?.decision_deadline_minutes ?? 240,
    on_deadline: input?.on_deadline ?? 'rollback',
    confounders: input?.confounders ?? 'record',
  };
}

/** End of the window, milliseconds since the epoch. */
export const windowEnd = (spec: WindowSpec, t0: number): number => t0 + spec.duration_minutes * 60_000;

/**
 * Times of the ticks, on a fixed grid `t0 + initial_delay + k × interval`, none after the end of the window.
 * @param t0 milliseconds since the epoch
 */
export function tickTimes(spec: WindowSpec, t0: number): number[] {
  const first = t0 + spec.initial_delay_seconds * 1_000;
  const step = spec.interval_seconds * 1_000;
  // Counted without t0: so far from the epoch a double has lost the digits that decide about the last tick.
  const room = spec.duration_minutes * 60_000 - spec.initial_delay_seconds * 1_000;
  const count = Math.max(0, Math.floor(room / step + 1e-9) + 1);
  return Array.from({ length: count }, (_, k) => first + k * step);
}

/** Why a window could never pass, by field: a mistake to be told of before it begins, not after its end. */
export function whatCannotPass(spec: WindowSpec): { path: string; message: string }[] {
  if (spec.metrics === 'none') return [];
  const ticks = tickTimes(spec, 0).length;
  return [
    ...(ticks < spec.min_samples
      ? [{ path: 'min_samples', message: `is ${spec.min_samples}, and the window has only ${ticks} ticks: it could never pass` }] : []),
    ...spec.metrics.flatMap(({ consecutive_success_limit: limit = 0 }, i) => (ticks < limit
      ? [{ path: `metrics.${i}.consecutive_success_limit`, message: `is ${limit}, and the window has only ${ticks} ticks: it could never pass` }] : [])),
  ];
}
