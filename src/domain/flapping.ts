/** Flapping: a symptom that comes and goes so often that acting on each coming would do more harm than the symptom. */

/** Newest last: `b` for bad, `g` for good. What could not be measured is not among them. */
export type Evaluations = string;

const kept = 21;
const startsAtPercent = 30;
const stopsBelowPercent = 15;

/** The evaluations with one more, at most 21 of them. */
export const remember = (evaluations: Evaluations, outcome: 'bad' | 'good'): Evaluations =>
  (evaluations + (outcome === 'bad' ? 'b' : 'g')).slice(-kept);

/**
 * State changes as a share of those that 21 evaluations can have, in percent. A recent change weighs more: 1.2 for the
 * newest, 0.8 for the oldest. What was never evaluated counts as no change.
 */
export function changePercent(evaluations: Evaluations): number {
  const possible = kept - 1;
  let sum = 0;
  for (let age = 0; age < evaluations.length - 1; age += 1) {
    const newer = evaluations.length - 1 - age;
    if (evaluations[newer] !== evaluations[newer - 1]) sum += 1.2 - (0.4 * age) / (possible - 1);
  }
  return (sum / possible) * 100;
}

/** On at 30 %, off below 15 %; in between it stays what it was. */
export function isFlapping(evaluations: Evaluations, was: boolean): boolean {
  const percent = changePercent(evaluations);
  return was ? percent >= stopsBelowPercent : percent >= startsAtPercent;
}
