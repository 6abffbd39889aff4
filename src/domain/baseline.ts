/** What a metric is held against beside, or instead of, a fixed target: itself before the change, or a peer at the same tick. */
import type { Comparator } from './metric.ts';

interface Tolerance {
  /** How many times as bad as the baseline is tolerated; at least 1. What is bad, the comparator says. */
  max_ratio: number;
  /** A difference to the baseline smaller than this is none, in the metric's unit. */
  min_effect: number;
  /** Fewer samples than this are no baseline. */
  min_n: number;
}

export type Baseline =
  | Tolerance & { kind: 'prechange' }
  | Tolerance & { kind: 'peer'; peer_metric_id: string };

/** What was measured of a baseline: its figure, and from how many samples. */
export interface BaselineFigure {
  value: number | null;
  n: number;
}

export type Comparison = { kind: 'holds' } | { kind: 'worse' | 'unusable'; reason: string };

/**
 * Whether a value is no worse than its baseline allows. The tolerance is reckoned from the baseline's size, so that an
 * unchanged value always holds, also where the baseline is 0 or below.
 */
export function holdsAgainst(baseline: Baseline, comparator: Comparator, value: number, figure: BaselineFigure | undefined): Comparison {
  const name = baseline.kind === 'peer' ? `the peer ${baseline.peer_metric_id}` : 'the baseline from before the change';
  const unusable = (why: string): Comparison => ({ kind: 'unusable', reason: `${name} ${why}` });
  if (figure === undefined || figure.value === null || figure.n < baseline.min_n) {
    return unusable(`has ${figure?.n ?? 0} samples, ${baseline.min_n} needed`);
  }
  const base = figure.value;
  const smallerIsBetter = comparator === '<' || comparator === '<=';
  if (!smallerIsBetter && comparator !== '>' && comparator !== '>=') return unusable(`says nothing about ${comparator}`);
  const limit = smallerIsBetter
    ? base + Math.abs(base) * (baseline.max_ratio - 1)
    : base - Math.abs(base) * (1 - 1 / baseline.max_ratio);
  if (![value, base, limit].every(Number.isFinite)) return unusable('is not a finite number');
  const beyond = smallerIsBetter ? value > limit : value < limit;
  const effect = smallerIsBetter ? value - base : base - value;
  if (!beyond || effect < baseline.min_effect) return { kind: 'holds' };
  return { kind: 'worse', reason: `${value} is beyond ${limit}: ${name} is ${base}, max_ratio ${baseline.max_ratio}` };
}
