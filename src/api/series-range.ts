/** Which part of a series is asked for, and in what steps. */
import { metricRetention } from '../store/metric-maintenance.ts';
import { Problem } from './problem.ts';

const maxPoints = 1_000;
const usualPoints = 200;
const rollupSeconds = 300;
const dayMs = 24 * 3_600_000;

/** Steps that are offered by themselves, in seconds: from raw samples, then from roll-ups. */
const usualSteps = [1, 5, 10, 30, 60, 300, 900, 1_800, 3_600, 6 * 3_600, 24 * 3_600, 7 * 24 * 3_600];

export interface SeriesRange { from: number; to: number; stepMs: number }

/**
 * Widens the range to whole steps. Without a range it is the last hour; without a step, one that gives about 200 points.
 * @throws Problem 422 naming the parameter that is wrong
 */
export function seriesRange(query: { from?: string | undefined; to?: string | undefined; step?: number | undefined }, now: number): SeriesRange {
  const to = query.to === undefined ? now : Date.parse(query.to);
  const from = query.from === undefined ? to - 3_600_000 : Date.parse(query.from);
  if (from >= to) refuse('from', 'must be before `to`');
  if (to - from > (metricRetention.rollups_days + 1) * dayMs) refuse('from', `a series spans at most ${metricRetention.rollups_days} days`);
  const seconds = query.step ?? usualSteps.find((step) => (to - from) / 1_000 / step <= usualPoints) ?? usualSteps.at(-1)!;
  if (!Number.isInteger(seconds) || seconds < 1 || (seconds > rollupSeconds && seconds % rollupSeconds !== 0)) {
    refuse('step', `must be whole seconds, and from ${rollupSeconds} on a multiple of ${rollupSeconds}`);
  }
  const stepMs = seconds * 1_000;
  if (seconds < rollupSeconds && from < now - metricRetention.samples_days * dayMs) {
    refuse('step', `steps under ${rollupSeconds} s are kept for ${metricRetention.samples_days} days`);
  }
  const range = { from: Math.floor(from / stepMs) * stepMs, to: Math.ceil(to / stepMs) * stepMs, stepMs };
  const points = (range.to - range.from) / stepMs;
  if (points > maxPoints) refuse('step', `would give ${points} points, at most ${maxPoints} are given`);
  return range;
}

function refuse(path: 'from' | 'step', message: string): never {
  throw new Problem(422, 'SERIES_RANGE', `${path}: ${message}`, [{ path, message }]);
}

/**
 * Moments of a range, its ends among them. Without a range it is the last 24 hours; what lies ahead is nobody's to tell.
 * @throws Problem 422 naming the parameter that is wrong
 */
export function historyMoments(query: { from?: string | undefined; to?: string | undefined; points: number }, now: number): number[] {
  const to = Math.min(now, query.to === undefined ? now : Date.parse(query.to));
  const from = query.from === undefined ? to - dayMs : Date.parse(query.from);
  if (from >= to) refuse('from', 'must be before `to`, and not ahead');
  return Array.from({ length: query.points }, (_, i) => Math.round(from + ((to - from) * i) / (query.points - 1)));
}
