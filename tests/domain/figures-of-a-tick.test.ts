import fc from 'fast-check';
import { expect, test } from 'vitest';
import { aggregate } from '../../src/domain/aggregate.ts';
import { aggregations } from '../../src/domain/observation.ts';

const every = (seconds: number, ...values: number[]) => values.map((value, i) => ({ value, at: i * seconds * 1_000 }));

test.each(aggregations)('%s of nothing is nothing, never 0', (how) => expect(aggregate(how, [])).toBeNull());

test.each([
  ['last', 3], ['avg', 26.75], ['max', 100], ['min', 1], ['p50', 3], ['p95', 100], ['p99', 100], ['rate', 0.1],
] as const)('%s of 1, 100, 3, 3 is %d', (how, expected) => {
  // One sample every 20 s / 3: from 1 to 3 within 20 s.
  expect(aggregate(how, every(20 / 3, 1, 100, 3, 3))).toBeCloseTo(expected, 9);
});

test.each(aggregations.filter((how) => how !== 'rate'))('%s of one sample is that sample', (how) => {
  expect(aggregate(how, every(1, 42))).toBe(42);
});

test('a rate needs time to have passed', () => {
  expect(aggregate('rate', every(1, 42))).toBeNull();
  expect(aggregate('rate', every(0, 1, 2))).toBeNull();
  expect(aggregate('rate', every(10, 100, 50))).toBe(-5);
});

test('of a hundred values the 95th is the p95', () => {
  const hundred = every(1, ...Array.from({ length: 100 }, (_, i) => i + 1).reverse());
  expect([aggregate('p50', hundred), aggregate('p95', hundred), aggregate('p99', hundred)]).toEqual([50, 95, 99]);
});

test('a percentile is one of the values, at least its share of them are no greater, and it changes nothing', () => {
  const values = fc.array(fc.double({ noNaN: true, noDefaultInfinity: true }), { minLength: 1, maxLength: 50 });
  fc.assert(fc.property(values, fc.constantFrom('p50' as const, 'p95' as const, 'p99' as const), (given, how) => {
    const samples = every(1, ...given);
    const figure = Number(aggregate(how, samples));
    const share = Number(how.slice(1)) / 100;
    expect(given).toContain(figure);
    expect(given.filter((value) => value <= figure).length).toBeGreaterThanOrEqual(share * given.length);
    expect(samples.map((sample) => sample.value)).toEqual(given);
  }));
});

test('a flood of samples is aggregated too', () => {
  const flood = Array.from({ length: 200_000 }, (_, i) => ({ value: i, at: i }));
  expect(aggregate('max', flood)).toBe(199_999);
  expect(aggregate('min', flood)).toBe(0);
});
