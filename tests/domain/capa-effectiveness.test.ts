import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { EffectivenessCriterion } from '../../src/domain/capa.ts';
import { datesOf, firstDueAt, judgeEffectiveness, measurementWindow, nextDate, overdueDates } from '../../src/domain/capa-dates.ts';
import { comparators } from '../../src/domain/metric.ts';
import { aggregations } from '../../src/domain/observation.ts';
import { capaStates, isClosed } from '../../src/domain/capa.ts';
import { decided, later, now, whole } from './capas.ts';

const criterion: EffectivenessCriterion = { metric_id: 'mesh.p95', aggregation: 'avg', comparator: '<', target: 100, window_minutes: 10, min_samples: 3 };
const window = { from: later(0), until: later(10) };
const samples = (...values: number[]) => values.map((value, i) => ({ value, at: now + i * 1_000 }));

test.each<[string, number[], boolean, string]>([
  ['good samples', [80, 90, 99], true, 'avg of 3 samples of mesh.p95 is 89.66666666666667, as it should be < 100'],
  ['a bad figure', [100, 100, 100], false, 'avg of 3 samples of mesh.p95 is 100, not < 100'],
  ['no samples', [], false, '0 samples of mesh.p95, and 3 are needed: not known is not effective'],
  ['too few', [1, 1], false, '2 samples of mesh.p95, and 3 are needed: not known is not effective'],
  ['values that are no numbers', [1, 1, NaN, Infinity], false, '2 samples of mesh.p95, and 3 are needed: not known is not effective'],
])('%s', (_, values, passed, reason) => expect(judgeEffectiveness(criterion, window, samples(...values))).toMatchObject({ passed, reason, ...window }));

test('no samples never pass, and neither do fewer than are asked for', () => {
  fc.assert(fc.property(
    fc.constantFrom(...comparators), fc.constantFrom(...aggregations), fc.double(), fc.integer({ min: 0, max: 20 }), fc.array(fc.double(), { maxLength: 20 }),
    (comparator, aggregation, target, min_samples, values) => {
      const result = judgeEffectiveness({ ...criterion, comparator, aggregation, target, min_samples }, window, samples(...values));
      const finite = values.filter(Number.isFinite).length;
      if (finite === 0 || finite < min_samples) expect(result.passed).toBe(false);
      if (result.passed) expect(Number.isFinite(result.value)).toBe(true);
    }));
});

test('the window ends at its due date and begins no earlier than the measuring did', () => {
  const capa = whole('EFFECTIVENESS_DUE', { result: null, effectiveness_due_at: later(30) });
  expect(measurementWindow(capa)).toEqual({ from: later(20), until: later(30) });
  expect(measurementWindow({ ...capa, decisions: [decided('EFFECTIVENESS_DUE', 'olga', later(25))] })).toEqual({ from: later(25), until: later(30) });
});

test('only a record that waits for it is measured, and once', () => {
  for (const state of capaStates) {
    expect(measurementWindow(whole(state, { result: null })) === null, state).toBe(state !== 'EFFECTIVENESS_DUE');
    expect(measurementWindow(whole(state)), state).toBeNull();
  }
});

test('a closed record has no dates; an open one is late with itself once its date has passed', () => {
  for (const state of capaStates) {
    const capa = whole(state, { due_at: later(-1), result: null });
    expect(datesOf(capa).length === 0, state).toBe(isClosed(state));
    expect(overdueDates(capa, now).map(({ what }) => what), state).toEqual(isClosed(state) ? [] : ['record']);
  }
});

test('actions are due while they are worked on, until they are done', () => {
  const late = { ...whole('OPENED').actions[0]!, due_at: later(-1) };
  for (const state of capaStates) {
    const expected = ['PLAN_APPROVED', 'IMPLEMENTING'].includes(state) ? [{ what: 'action:a1', at: later(-1), owner: 'olga' }] : [];
    expect(overdueDates(whole(state, { actions: [{ ...late, done: null }] }), now), state).toEqual(expected);
    expect(overdueDates(whole(state, { actions: [late] }), now), state).toEqual([]);
  }
});

test('the measurement is waited for, and makes nobody late', () => {
  const capa = whole('EFFECTIVENESS_DUE', { result: null, due_at: later(600), effectiveness_due_at: later(10) });
  expect(nextDate(capa, now)).toBe(now + 600_000);
  expect(overdueDates(capa, now + 700_000)).toEqual([]);
  expect(nextDate(capa, now + 700_000)).toBe(Date.parse(later(600)));
  expect(firstDueAt(capa)).toBe(later(600));
  expect(nextDate(whole('EFFECTIVENESS_DUE', { due_at: null }), now)).toBeNull();
});
