/** The dates of a CAPA record, and what its effectiveness measurement says. */
import { aggregate } from './aggregate.ts';
import { isClosed, type Capa, type EffectivenessCriterion, type EffectivenessResult } from './capa.ts';
import { lastTo } from './capa-transitions.ts';
import { meets } from './metric.ts';

/** A record without a date of its own should be closed after this. */
export const defaultDueDays = 30;

export interface CapaDate {
  /** `record`, `action:<id>` or `effectiveness`. */
  what: string;
  at: string;
  /** Who is late when it passes; null for nobody in particular. */
  owner: string | null;
}

/** The dates that still stand: the record's, those of unfinished actions while they are worked on, the measurement's. */
export function datesOf(capa: Capa): CapaDate[] {
  if (isClosed(capa.state)) return [];
  const working = ['PLAN_APPROVED', 'IMPLEMENTING'].includes(capa.state);
  return [
    ...(capa.due_at === null ? [] : [{ what: 'record', at: capa.due_at, owner: null }]),
    ...(working ? capa.actions.filter(({ done }) => done === null) : [])
      .map(({ action_id, due_at, owner }) => ({ what: `action:${action_id}`, at: due_at, owner })),
    ...(measurementDue(capa) === null ? [] : [{ what: 'effectiveness', at: measurementDue(capa)!, owner: null }]),
  ];
}

/** When the metric is measured; null when no measurement is to come. */
export const measurementDue = (capa: Capa): string | null =>
  (capa.state === 'EFFECTIVENESS_DUE' && capa.result === null ? capa.effectiveness_due_at : null);

const isDue = (now: number) => ({ at }: CapaDate): boolean => Date.parse(at) <= now;

/** What a person is late with. The measurement is ours to do, so it makes nobody late. */
export const overdueDates = (capa: Capa, now: number): CapaDate[] =>
  datesOf(capa).filter(({ what }) => what !== 'effectiveness').filter(isDue(now));

/** The earliest date that somebody can be late with. Kept beside the record for the list of what is overdue. */
export const firstDueAt = (capa: Capa): string | null =>
  datesOf(capa).filter(({ what }) => what !== 'effectiveness').map(({ at }) => at)
    .reduce<string | null>((first, at) => (first === null || Date.parse(at) < Date.parse(first) ? at : first), null);

/** The next date after `now`, in milliseconds since the epoch. */
export function nextDate(capa: Capa, now: number): number | null {
  const ahead = datesOf(capa).map(({ at }) => Date.parse(at)).filter((at) => at > now);
  return ahead.length === 0 ? null : ahead.reduce((a, b) => Math.min(a, b));
}

/** The window to measure: it ends at its due date and begins after what was verified, whatever its length. */
export function measurementWindow(capa: Capa): { from: string; until: string } | null {
  const until = measurementDue(capa);
  if (until === null || capa.criterion === null) return null;
  const began = lastTo(capa, 'EFFECTIVENESS_DUE')?.at;
  const from = Date.parse(until) - capa.criterion.window_minutes * 60_000;
  return { from: new Date(Math.max(from, began === undefined ? from : Date.parse(began))).toISOString(), until };
}

/** Whether the samples of the window meet the criterion. Too few, none, or no figure at all: they do not. */
export function judgeEffectiveness(
  criterion: EffectivenessCriterion, window: { from: string; until: string }, samples: readonly { value: number; at: number }[],
): EffectivenessResult {
  const { metric_id, aggregation, comparator, target, min_samples } = criterion;
  const finite = samples.filter(({ value }) => Number.isFinite(value));
  const value = aggregate(aggregation, finite);
  const base = { ...window, value, samples: finite.length };
  if (finite.length < Math.max(1, min_samples) || value === null) {
    return { ...base, passed: false, reason: `${finite.length} samples of ${metric_id}, and ${min_samples} are needed: not known is not effective` };
  }
  const passed = meets(value, comparator, target);
  return { ...base, passed, reason: `${aggregation} of ${finite.length} samples of ${metric_id} is ${value}, ${passed ? 'as it should be' : 'not'} ${comparator} ${target}` };
}
