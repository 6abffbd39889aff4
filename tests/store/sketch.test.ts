import fc from 'fast-check';
import { expect, test } from 'vitest';
import { aggregate } from '../../src/domain/aggregate.ts';
import { addValue, average, emptySummary, merge, mergeStored, percentile, sketchBytes, type Summary } from '../../src/store/sketch.ts';

const shares = { p50: 0.5, p95: 0.95, p99: 0.99 } as const;

/** Values of any size and sign, with many that are equal or close; below 1e-300 a double keeps no 1 %. */
const value = fc.oneof(
  fc.double({ min: 1e-300, max: Number.MAX_VALUE, noNaN: true }),
  fc.double({ min: -Number.MAX_VALUE, max: -1e-300, noNaN: true }),
  fc.double({ min: 0.1, max: 500, noNaN: true }), fc.integer({ min: -3, max: 3 }), fc.constantFrom(0, -0, 1, 100, 1e-9),
);
const values = fc.array(value, { minLength: 1, maxLength: 60 });

const summaryOf = (list: readonly number[]): Summary => {
  const summary = emptySummary();
  for (const one of list) addValue(summary, one);
  return summary;
};
const merged = (...parts: readonly Summary[]): Summary => {
  const whole = emptySummary();
  for (const part of parts) merge(whole, part);
  return whole;
};
const stored = (summary: Summary): Summary => {
  const read = emptySummary();
  mergeStored(read, { ...summary, sketch: sketchBytes(summary) });
  return read;
};

function expectPercentilesOf(summary: Summary, list: readonly number[]): void {
  for (const [name, share] of Object.entries(shares)) {
    const exact = aggregate(name as keyof typeof shares, list.map((one, at) => ({ value: one, at })))!;
    const error = Math.abs(percentile(summary, share)! - exact);
    // Rounding of the logarithm at the edge of a bin, beside the 1 %.
    expect(error, `${name} of ${list.join(', ')}`).toBeLessThanOrEqual(Math.abs(exact) * 0.01 * (1 + 1e-9));
  }
}

test('p50, p95 and p99 are within 1 % of the exact ones, for values of any size and sign', () => {
  fc.assert(fc.property(values, (list) => expectPercentilesOf(summaryOf(list), list)), { numRuns: 200 });
});

test('so they are after merging in any grouping, and after having been stored', () => {
  fc.assert(fc.property(values, values, values, (a, b, c) => {
    const all = [...a, ...b, ...c];
    const [x, y, z] = [summaryOf(a), summaryOf(b), summaryOf(c)];
    const one = merged(merged(x, y), z);
    const other = merged(stored(z), stored(merged(y, x)));
    for (const summary of [one, other, stored(one)]) {
      expectPercentilesOf(summary, all);
      expect(summary).toMatchObject({ count: all.length, min: Math.min(...all), max: Math.max(...all) });
    }
    for (const share of Object.values(shares)) expect(percentile(one, share)).toBe(percentile(other, share));
  }), { numRuns: 60 });
});

test('merging leaves the merged one as it was', () => {
  const part = summaryOf([1, 2]);
  const whole = merged(part);
  addValue(whole, 1_000);
  expect(part.count).toBe(2);
  expect(percentile(part, 1)).toBeCloseTo(2, 1);
});

test('sum and average: of few values exact, and never infinite', () => {
  expect(average(summaryOf([1, 2, 6]))).toBe(3);
  expect(summaryOf([Number.MAX_VALUE, Number.MAX_VALUE]).sum).toBe(Number.MAX_VALUE);
  expect(average(merged(summaryOf([-Number.MAX_VALUE]), summaryOf([-Number.MAX_VALUE])))).toBe(-Number.MAX_VALUE / 2);
});

test('no values have no percentile and no average', () => {
  expect(percentile(emptySummary(), 0.95)).toBeNull();
  expect(average(emptySummary())).toBeNull();
});

test('a stored sketch of ordinary latencies is small', () => {
  const summary = summaryOf(Array.from({ length: 10_000 }, (_, i) => 5 + (i % 200)));
  expect(sketchBytes(summary).length).toBeLessThan(4_000);
});
