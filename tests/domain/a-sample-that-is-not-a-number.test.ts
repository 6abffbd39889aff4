import fc from 'fast-check';
import { expect, test } from 'vitest';
import { classify, type Reading } from '../../src/domain/judge.ts';
import { comparators, meets } from '../../src/domain/metric.ts';
import { gate, t0 } from './windows.ts';

const landedAt = t0;
const tickAt = t0 + 60_000;
const reading = (value: unknown, more: { at?: number; observed_revision?: string | null } = {}): Reading =>
  ({ kind: 'value', value, at: tickAt, observed_revision: null, ...more });
const classified = (given: Reading, more = {}) => classify(gate({ stale_after_seconds: 30, ...more }), given, tickAt, landedAt, 'c0ffee');

const notNumbers = [null, undefined, NaN, Infinity, -Infinity, '', '5', 'NaN', true, false, [], [5], {}, 5n, new Date(0)];

test.each(notNumbers.flatMap((value) => comparators.map((comparator) => [value, comparator] as const)))(
  '%o is an error and meets no target, not even %s', (value, comparator) => {
    expect(classified(reading(value), { comparator })).toEqual({ kind: 'ERROR', value: null, reason: 'not a finite number' });
    expect(meets(value, comparator, 100)).toBe(false);
    expect(meets(value, comparator, -100)).toBe(false);
  });

test.each([['<', 'yes', 'no', 'no'], ['<=', 'yes', 'yes', 'no'], ['>', 'no', 'no', 'yes'], ['>=', 'no', 'yes', 'yes'], ['==', 'no', 'yes', 'no']] as const)(
  '%s 100: 99.9 %s, 100 %s, 100.1 %s', (comparator, ...answers) => {
    expect([99.9, 100, 100.1].map((value) => (meets(value, comparator, 100) ? 'yes' : 'no'))).toEqual(answers);
  });

test('a finite number passes or fails by the target, and a failure says why', () => {
  fc.assert(fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (value) => {
    expect(classified(reading(value)).kind).toBe(value < 100 ? 'PASS' : 'FAIL');
  }));
  expect(classified(reading(150))).toEqual({ kind: 'FAIL', value: 150, reason: '150 is not < 100' });
});

test('a source that answered nothing or failed gives no number', () => {
  expect(classified({ kind: 'nothing' })).toEqual({ kind: 'NO_DATA', value: null, reason: 'no sample' });
  expect(classified({ kind: 'error', reason: 'HTTP 500' })).toEqual({ kind: 'ERROR', value: null, reason: 'HTTP 500' });
});

test('a sample without a revision counts, one of the landed commit counts, one of another commit does not', () => {
  expect(classified(reading(5)).kind).toBe('PASS');
  expect(classified(reading(5, { observed_revision: 'c0ffee' })).kind).toBe('PASS');
  expect(classified(reading(5, { observed_revision: 'decade' }))).toEqual({ kind: 'WRONG_REVISION', value: 5, reason: 'sample is of decade' });
  expect(classified(reading(500, { observed_revision: '' })).kind).toBe('WRONG_REVISION');
});

test('a sample from before the landing is no data', () => {
  expect(classified(reading(5, { at: landedAt }), { stale_after_seconds: 60 }).kind).toBe('PASS');
  expect(classified(reading(5, { at: landedAt - 1 }), { stale_after_seconds: 3_600 }).kind).toBe('NO_DATA');
});

test('a sample is stale when it is older than allowed, not when it is exactly as old', () => {
  expect(classified(reading(5, { at: tickAt - 30_000 })).kind).toBe('PASS');
  expect(classified(reading(5, { at: tickAt - 30_001 }))).toEqual({ kind: 'STALE', value: 5, reason: '30 s old' });
});
