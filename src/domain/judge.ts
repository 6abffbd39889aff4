/**
 * The judge of an observation window: a pure function from what was sampled to a verdict.
 * No clock, no I/O, no throw for bad data: bad data is a sample kind.
 */
import { holdsAgainst, type BaselineFigure } from './baseline.ts';
import { meets } from './metric.ts';
import { tickTimes, type WindowMetric, type WindowSpec } from './observation.ts';

export const sampleKinds = [
  'PASS', 'FAIL', 'INCONCLUSIVE', 'ERROR', 'NO_DATA', 'STALE', 'WRONG_REVISION', 'MISSED',
] as const;
export type SampleKind = (typeof sampleKinds)[number];

/** One tick of one metric. `at` is the tick's time on the grid, milliseconds since the epoch. */
export interface Sample {
  metric_id: string;
  tick: number;
  at: number;
  kind: SampleKind;
  value: number | null;
  reason: string | null;
}

/** What a source gave for one tick, before classification. */
export type Reading =
  | { kind: 'value'; value: unknown; at: number; observed_revision: string | null }
  | { kind: 'nothing' }
  | { kind: 'error'; reason: string };

export type Verdict = 'PASSED' | 'FAILED' | 'INCONCLUSIVE' | 'ERROR';
export type RunningVerdict = Verdict | 'RUNNING';

export interface MetricVerdict {
  metric_id: string;
  role: WindowMetric['role'];
  verdict: Verdict;
  expected: number;
  valid: number;
  failed: number;
  reason: string;
  /** What its verdict rests on, where that is less than was asked for. */
  note?: string;
}

export interface WindowVerdict {
  verdict: RunningVerdict;
  /** A window without metrics: it passed time, it proved nothing. */
  unobserved: boolean;
  reason: string;
  metrics: MetricVerdict[];
  /** Other changes fell into the window, and its spec wants them to count: `extend` asks for one more window. */
  confounded?: 'extend' | 'block';
}

type Classified = Pick<Sample, 'kind' | 'value' | 'reason'>;

/**
 * Classifies one reading.
 * @param landedAt samples from before the landing never count (milliseconds since the epoch)
 * @param revision of the subject; a sample of another revision never counts towards passing
 * @param figure what was measured of the metric's baseline, if it has one
 */
export function classify(
  metric: WindowMetric, reading: Reading, tickAt: number, landedAt: number, revision: string, figure?: BaselineFigure,
): Classified {
  if (reading.kind === 'error') return { kind: 'ERROR', value: null, reason: reading.reason };
  if (reading.kind === 'nothing') return { kind: 'NO_DATA', value: null, reason: 'no sample' };
  const { value, at, observed_revision: observed } = reading;
  if (typeof value !== 'number' || !Number.isFinite(value)) {
    return { kind: 'ERROR', value: null, reason: 'not a finite number' };
  }
  if (observed !== null && observed !== revision) {
    return { kind: 'WRONG_REVISION', value, reason: `sample is of ${observed}` };
  }
  if (at < landedAt) return { kind: 'NO_DATA', value, reason: 'only samples from before the landing' };
  if (tickAt - at > metric.stale_after_seconds * 1_000) {
    return { kind: 'STALE', value, reason: `${Math.round((tickAt - at) / 1_000)} s old` };
  }
  return compare(metric, value, figure);
}

/** A target that was given is always held against; a baseline that cannot be is said, and never passes alone. */
function compare({ comparator, target, baseline }: WindowMetric, value: number, figure: BaselineFigure | undefined): Classified {
  if (target !== null && !meets(value, comparator, target)) {
    return { kind: 'FAIL', value, reason: `${value} is not ${comparator} ${target}` };
  }
  if (baseline === undefined) {
    return target === null ? { kind: 'INCONCLUSIVE', value, reason: 'neither target nor baseline' } : { kind: 'PASS', value, reason: null };
  }
  const comparison = holdsAgainst(baseline, comparator, value, figure);
  if (comparison.kind === 'holds') return { kind: 'PASS', value, reason: null };
  if (comparison.kind === 'worse') return { kind: 'FAIL', value, reason: comparison.reason };
  return target === null
    ? { kind: 'INCONCLUSIVE', value, reason: comparison.reason }
    : { kind: 'PASS', value, reason: `judged by its target alone: ${comparison.reason}` };
}

/**
 * Verdict of an observation window from what was sampled so far.
 * Limits are tolerated counts: a metric fails when its failures exceed `failure_limit`.
 * FAILED is sticky and ends the window at once; everything else waits for the whole duration.
 * @param t0 start of the window, `now` the time of judgement, both milliseconds since the epoch
 */
export function judge(spec: WindowSpec, samples: readonly Sample[], t0: number, now: number): WindowVerdict {
  const over = now >= t0 + spec.duration_minutes * 60_000;
  if (spec.metrics === 'none') {
    return {
      verdict: over ? 'PASSED' : 'RUNNING', unobserved: true, metrics: [],
      reason: `unobserved: ${spec.reason ?? 'no metrics'}`,
    };
  }
  const expected = tickTimes(spec, t0).length;
  const metrics = spec.metrics.map((metric) =>
    judgeMetric(spec, metric, samples.filter((sample) => sample.metric_id === metric.metric_id), expected));
  const deciding = metrics.filter((metric) => metric.role !== 'advisory');
  const worst = (['FAILED', 'ERROR', 'INCONCLUSIVE'] as const)
    .map((verdict) => deciding.find((metric) => metric.verdict === verdict))
    .find((metric) => metric !== undefined);
  if (worst?.verdict === 'FAILED') return { verdict: 'FAILED', unobserved: false, reason: explain(worst), metrics };
  if (!over) return { verdict: 'RUNNING', unobserved: false, reason: 'the window is not over', metrics };
  if (deciding.length === 0) {
    return { verdict: 'INCONCLUSIVE', unobserved: false, reason: 'no gate or key metric', metrics };
  }
  if (worst !== undefined) return { verdict: worst.verdict, unobserved: false, reason: explain(worst), metrics };
  const notes = deciding.flatMap((metric) => (metric.note === undefined ? [] : [`${metric.metric_id}: ${metric.note}`]));
  return { verdict: 'PASSED', unobserved: false, reason: ['every metric held for the whole window', ...notes].join('; '), metrics };
}

/** So many errors of a source in a row mean that nobody is looking. */
const blindAfter = 3;

/** Metrics whose source gave nothing but errors for three ticks in a row, with what it said last. */
export function blindMetrics(samples: readonly Sample[]): { metric_id: string; reason: string }[] {
  return [...new Set(samples.map((sample) => sample.metric_id))].flatMap((id) => {
    const own = samples.filter((sample) => sample.metric_id === id).sort((a, b) => a.tick - b.tick);
    const end = own.findIndex((_, i) => i + 1 >= blindAfter && own.slice(i + 1 - blindAfter, i + 1).every((sample) => sample.kind === 'ERROR'));
    return end === -1 ? [] : [{ metric_id: id, reason: own[end]!.reason ?? 'error' }];
  });
}

const explain = (metric: MetricVerdict): string => `${metric.metric_id}: ${metric.reason}`;

function judgeMetric(
  spec: WindowSpec, metric: WindowMetric, samples: readonly Sample[], expected: number,
): MetricVerdict {
  // One sample per tick, the worst one, in tick order, whatever the order they were stored in.
  const byTick = [...worstPerTick(metric, samples).values()].sort((a, b) => a.tick - b.tick);
  const kinds = byTick.map((sample) => countsAs(metric, sample.kind));
  const count = (kind: CountedKind): number => kinds.filter((k) => k === kind).length;
  const failed = count('FAIL');
  const inconclusive = count('INCONCLUSIVE');
  const valid = byTick.filter((sample) => sample.kind === 'PASS' || sample.kind === 'FAIL').length;
  const base = { metric_id: metric.metric_id, role: metric.role, expected, valid, failed };

  if (failed > metric.failure_limit) {
    const first = byTick.find((_, index) => kinds[index] === 'FAIL');
    return {
      ...base, verdict: 'FAILED',
      reason: `${failed} failed, ${metric.failure_limit} tolerated (first: ${first?.reason ?? 'no data'})`,
    };
  }
  const errorsInARow = longestRun(kinds, 'ERROR');
  if (errorsInARow > metric.consecutive_error_limit) {
    return {
      ...base, verdict: 'ERROR',
      reason: `${errorsInARow} errors in a row, ${metric.consecutive_error_limit} tolerated`,
    };
  }
  if (inconclusive > metric.inconclusive_limit) {
    return {
      ...base, verdict: 'INCONCLUSIVE',
      reason: `${inconclusive} without a usable sample, ${metric.inconclusive_limit} tolerated (first: ${
        byTick.find((_, index) => kinds[index] === 'INCONCLUSIVE')?.reason ?? 'no data'})`,
    };
  }
  if (valid < spec.min_samples) {
    return { ...base, verdict: 'INCONCLUSIVE', reason: `${valid} valid samples, ${spec.min_samples} needed` };
  }
  if (valid / expected < spec.min_coverage) {
    return {
      ...base, verdict: 'INCONCLUSIVE',
      reason: `${valid} of ${expected} ticks have a valid sample, ${Math.round(spec.min_coverage * 100)} % needed`,
    };
  }
  const needed = metric.consecutive_success_limit ?? 0;
  const passedInARow = longestPass(byTick, kinds);
  if (passedInARow < needed) {
    return { ...base, verdict: 'INCONCLUSIVE', reason: `${passedInARow} ticks in a row passed, ${needed} needed` };
  }
  const note = byTick.find((sample) => sample.kind === 'PASS' && sample.reason !== null)?.reason;
  return {
    ...base, verdict: 'PASSED', reason: `${valid} of ${expected} ticks valid, ${failed} failed`, ...(note ? { note } : {}),
  };
}

const countedKinds = ['PASS', 'INCONCLUSIVE', 'ERROR', 'FAIL'] as const;
type CountedKind = (typeof countedKinds)[number];

/** What a sample counts as: the metric says it of missing data, and only PASS speaks for passing. */
function countsAs(metric: WindowMetric, kind: SampleKind): CountedKind {
  switch (kind) {
    case 'NO_DATA':
    case 'STALE': return ({ inconclusive: 'INCONCLUSIVE', fail: 'FAIL', error: 'ERROR' } as const)[metric.no_data];
    case 'MISSED': return 'ERROR';
    case 'WRONG_REVISION': return 'INCONCLUSIVE';
    case 'PASS':
    case 'FAIL':
    case 'INCONCLUSIVE':
    case 'ERROR': return kind;
  }
}

function worstPerTick(metric: WindowMetric, samples: readonly Sample[]): Map<number, Sample> {
  const badness = ({ kind }: Sample): number =>
    countedKinds.indexOf(countsAs(metric, kind)) * sampleKinds.length + sampleKinds.indexOf(kind);
  const worst = new Map<number, Sample>();
  for (const sample of samples) {
    const seen = worst.get(sample.tick);
    if (seen === undefined || badness(sample) > badness(seen)) worst.set(sample.tick, sample);
  }
  return worst;
}

function longestRun(kinds: readonly CountedKind[], wanted: CountedKind): number {
  let longest = 0;
  let current = 0;
  for (const kind of kinds) {
    current = kind === wanted ? current + 1 : 0;
    longest = Math.max(longest, current);
  }
  return longest;
}

/** A tick that is not there is no pass: it ends a run. */
function longestPass(byTick: readonly Sample[], kinds: readonly CountedKind[]): number {
  let longest = 0;
  let current = 0;
  byTick.forEach(({ tick }, i) => {
    const goesOn = i > 0 && byTick[i - 1]!.tick === tick - 1;
    current = kinds[i] === 'PASS' ? (goesOn ? current : 0) + 1 : 0;
    longest = Math.max(longest, current);
  });
  return longest;
}
