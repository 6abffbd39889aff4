/**
 * A finding: a detected symptom with a fingerprint and a state. What was measured moves its condition; whatever keeps
 * it from having effects (a silence, a failing parent, flapping, no data) only changes the state that is shown.
 */
import type { Severity } from './mission.ts';

export const findingConditions = ['PENDING', 'FIRING', 'RECOVERING', 'RESOLVED'] as const;
export type FindingCondition = (typeof findingConditions)[number];

export const findingStates = [...findingConditions, 'NO_DATA', 'FLAPPING', 'SILENCED', 'INHIBITED'] as const;
export type FindingState = (typeof findingStates)[number];

/** One look at what a rule watches. `at` in milliseconds since the epoch. */
export interface Evaluation {
  outcome: 'bad' | 'good' | 'no_data';
  value: number | null;
  at: number;
  reason: string;
}

/** How long something must be bad before it fires, and good before it is resolved. */
export interface FindingRule {
  for_seconds: number;
  keep_firing_for_seconds: number;
  severity: Severity;
}

/** The part of a finding that evaluations move. Times in milliseconds since the epoch. */
export interface FindingProgress {
  condition: FindingCondition;
  condition_since: number;
  /** When it began to fire for the first time; null while it never did. */
  fired_at: number | null;
  occurrences: number;
  first_seen_at: number;
  last_seen_at: number;
  resolved_at: number | null;
  /** Evaluations in a row that could not measure. */
  no_data: number;
  value: number | null;
  reason: string;
}

export type FindingChange = 'opened' | 'fired' | 'recovering' | 'fired_again' | 'resolved';

export interface FindingStep {
  /** Undefined where nothing is wrong and nothing was. */
  finding: FindingProgress | undefined;
  changes: FindingChange[];
}

/**
 * What an evaluation makes of a finding. `PENDING(for) → FIRING → RECOVERING(keep firing for) → RESOLVED`; no data
 * changes no condition, in neither direction: what was not measured is neither bad nor good.
 * @param finding the open finding, or undefined when there is none
 * @param lastAt time of the newest evaluation of this rule so far; one that is not newer changes nothing
 */
export function stepFinding(
  finding: FindingProgress | undefined, evaluation: Evaluation, rule: Pick<FindingRule, 'for_seconds' | 'keep_firing_for_seconds'>, lastAt = -Infinity,
): FindingStep {
  if (evaluation.at <= lastAt) return { finding, changes: [] };
  if (finding === undefined) return evaluation.outcome === 'bad' ? open(evaluation, rule) : { finding, changes: [] };
  if (evaluation.outcome === 'no_data') return { finding: { ...finding, no_data: finding.no_data + 1 }, changes: [] };
  const seen = { ...finding, no_data: 0, value: evaluation.value, reason: evaluation.reason };
  return evaluation.outcome === 'bad' ? stepBad(seen, evaluation.at, rule.for_seconds) : stepGood(seen, evaluation.at, rule.keep_firing_for_seconds);
}

function open({ at, value, reason }: Evaluation, rule: Pick<FindingRule, 'for_seconds'>): FindingStep {
  const fires = rule.for_seconds <= 0;
  return {
    finding: {
      condition: fires ? 'FIRING' : 'PENDING', condition_since: at, fired_at: fires ? at : null, occurrences: 1,
      first_seen_at: at, last_seen_at: at, resolved_at: null, no_data: 0, value, reason,
    },
    changes: fires ? ['opened', 'fired'] : ['opened'],
  };
}

function stepBad(before: FindingProgress, at: number, forSeconds: number): FindingStep {
  const finding = { ...before, occurrences: before.occurrences + 1, last_seen_at: at };
  const to = (change: FindingChange): FindingStep =>
    ({ finding: { ...finding, condition: 'FIRING', condition_since: at, fired_at: finding.fired_at ?? at }, changes: [change] });
  if (before.condition === 'RECOVERING') return to('fired_again');
  if (before.condition === 'PENDING' && at - before.condition_since >= forSeconds * 1_000) return to('fired');
  return { finding, changes: [] };
}

function stepGood(finding: FindingProgress, at: number, keepSeconds: number): FindingStep {
  const resolved: FindingStep = { finding: { ...finding, condition: 'RESOLVED', condition_since: at, resolved_at: at }, changes: ['resolved'] };
  switch (finding.condition) {
    // It never fired: nobody was told, nothing is kept waiting.
    case 'PENDING': return resolved;
    case 'FIRING': return keepSeconds <= 0 ? resolved : { finding: { ...finding, condition: 'RECOVERING', condition_since: at }, changes: ['recovering'] };
    case 'RECOVERING': return at - finding.condition_since >= keepSeconds * 1_000 ? resolved : { finding, changes: [] };
    case 'RESOLVED': return { finding, changes: [] };
  }
}

/** What keeps a finding from having effects. */
export interface Suppression {
  inhibited_by: string | null;
  silence_id: string | null;
  flapping: boolean;
}

/** The one state that is shown, the strongest reason first. */
export function shownState({ condition, no_data }: Pick<FindingProgress, 'condition' | 'no_data'>, suppression: Suppression): FindingState {
  if (condition === 'RESOLVED') return 'RESOLVED';
  if (suppression.inhibited_by !== null) return 'INHIBITED';
  if (suppression.silence_id !== null) return 'SILENCED';
  if (suppression.flapping) return 'FLAPPING';
  return no_data > 0 ? 'NO_DATA' : condition;
}

/** Only what fires, undisturbed and measured, may ask for healing. */
export const mayHeal = (state: FindingState): boolean => state === 'FIRING';

/** After this many evaluations in a row without data, the detector itself is the finding. */
export const blindAfter = 3;

/** Names that never tell one symptom from another: two sightings of one problem differ in them. */
const alwaysVolatile = new Set([
  'timestamp', 'ts', 'at', 'time', 'startsat', 'endsat', 'starts_at', 'ends_at', 'started_at', 'pid', 'count', 'value', 'values', 'duration_ms',
]);

export interface FindingIdentity {
  rule_id: string;
  attributes: Record<string, string>;
}

/**
 * What a fingerprint is made of: the rule and its identity attributes, sorted by name.
 * @param volatile names that this rule excludes, beside those that are always excluded
 */
export function identityOf(ruleId: string, attributes: Readonly<Record<string, string>>, volatile: readonly string[] = []): FindingIdentity {
  const excluded = new Set(volatile.map((name) => name.toLowerCase()));
  const names = Object.keys(attributes).filter((name) => !alwaysVolatile.has(name.toLowerCase()) && !excluded.has(name.toLowerCase())).sort();
  return { rule_id: ruleId, attributes: Object.fromEntries(names.map((name) => [name, attributes[name]!])) };
}
