import type { Severity } from './mission.ts';
import type { Aggregation } from './observation.ts';

export const comparators = ['<', '<=', '>', '>=', '=='] as const;
export type Comparator = (typeof comparators)[number];

/**
 * Whether a measured value meets a target.
 * A value that is not a finite number never does: `null < 100` is true in JavaScript.
 */
export function meets(value: unknown, comparator: Comparator, target: number): boolean {
  if (typeof value !== 'number' || !Number.isFinite(value)) return false;
  switch (comparator) {
    case '<': return value < target;
    case '<=': return value <= target;
    case '>': return value > target;
    case '>=': return value >= target;
    case '==': return value === target;
  }
}

export const processFigures = ['rss_bytes', 'cpu_percent', 'open_fds', 'threads'] as const;
export type ProcessFigure = (typeof processFigures)[number];

/** Figures of our own: computed from what is recorded, or measured on the worker that is asked. */
export const internalFigures = [
  'plan_success_rate', 'missions.per_minute', 'missions.success_rate', 'stage.duration_p95_ms', 'queue.oldest_age_seconds',
  'infra.cpu_utilization', 'worker.event_loop_delay_p99_ms', 'worker.rss_bytes',
] as const;
export type InternalFigure = (typeof internalFigures)[number];

/** Where samples come from. Only `push` can be defined through the API: an argv, an address or a query is ours alone. */
export type MetricSource =
  | { kind: 'push' }
  | { kind: 'http_json'; url: string; pointer: string }
  | { kind: 'command'; argv: string[]; pointer?: string | undefined; timeout_seconds: number }
  | { kind: 'prometheus'; url: string; query: string }
  /** `url_env` names the environment variable that holds the connection URL: a password has no place in a file. */
  | { kind: 'postgres'; url_env: string; query: string; timeout_seconds: number }
  | { kind: 'process'; pid_file: string; figure: ProcessFigure }
  | { kind: 'internal'; figure: InternalFigure };

/** One entry of the catalog; a target is met or not by `comparator`. */
export interface CatalogMetric {
  metric_id: string;
  source: MetricSource;
  comparator: Comparator;
  target: number;
  unit: string;
  description: string | null;
  subsystem_id: string | null;
  /** How the judged figure is made of the samples; anything but `last` looks back `rolling_window_minutes`. */
  aggregation: Aggregation;
  rolling_window_minutes: number | null;
  /** How often it is measured and judged. */
  interval_seconds: number;
  /** A figure older than this says nothing. */
  stale_after_seconds: number;
  /** How long it must be off target before anything is made of it. */
  for_seconds: number;
  severity: Severity;
  /** Playbooks that may heal it, best first. */
  playbooks: string[];
  defined_by: 'file' | 'api';
}

export const metricStates = ['ok', 'breached', 'stale', 'no_data'] as const;
export type MetricState = (typeof metricStates)[number];

/**
 * Where a metric stands. Unknown is never ok: an old figure is `stale` however good it was, and one that is no finite
 * number is no data.
 * @param at time of the newest sample behind the figure, `now` both milliseconds since the epoch
 */
export function metricState(
  metric: Pick<CatalogMetric, 'comparator' | 'target' | 'stale_after_seconds'>,
  figure: { value: unknown; at: number } | undefined, now: number,
): MetricState {
  if (figure === undefined || typeof figure.value !== 'number' || !Number.isFinite(figure.value)) return 'no_data';
  if (isStale(metric, figure.at, now)) return 'stale';
  return meets(figure.value, metric.comparator, metric.target) ? 'ok' : 'breached';
}

/** Whether a sample is too old to say anything. A time that is none makes it so. */
export const isStale = (metric: Pick<CatalogMetric, 'stale_after_seconds'>, at: number, now: number): boolean =>
  !(now - at <= metric.stale_after_seconds * 1_000);

/** A metric of the catalog and where it stands. */
export interface MetricStanding extends CatalogMetric {
  /** The figure it is judged by: the last sample, or its aggregation over the rolling window. */
  value: number | null;
  last_value: number | null;
  last_at: string | null;
  age_seconds: number | null;
  state: MetricState;
}

/** The samples of one step of a series. */
export interface SeriesPoint { at: string; count: number; min: number; max: number; avg: number; p95: number }
