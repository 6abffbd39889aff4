import fc from 'fast-check';
import { expect, test } from 'vitest';
import { fewestPoints, rollingMinima, secondsToLimit, theilSen, trendOf, type Point } from '../../src/domain/trend.ts';

const line = (n: number, slope: number, base: number): Point[] => Array.from({ length: n }, (_, at) => ({ at, value: base + slope * at }));
const slopes = fc.integer({ min: -1_000, max: 1_000 });
const bases = fc.integer({ min: 0, max: 1_000_000 });
const counts = fc.integer({ min: fewestPoints, max: 40 });

test('a straight line has its own slope, whatever its level', () => {
  fc.assert(fc.property(counts, slopes, bases, (n, slope, base) => {
    expect(trendOf(line(n, slope, base))!.slope).toBeCloseTo(slope, 6);
  }));
});

test('where it stands still nothing grows', () => {
  fc.assert(fc.property(counts, bases, (n, base) => {
    expect(trendOf(line(n, 0, base))).toMatchObject({ slope: 0, growing_share: 0 });
  }));
});

test('the level changes nothing, and the order of the samples neither', () => {
  const values = fc.array(fc.integer({ min: 0, max: 100_000 }), { minLength: fewestPoints, maxLength: 30 });
  fc.assert(fc.property(values, bases, fc.infiniteStream(fc.nat()), (all, lift, seeds) => {
    const points = all.map((value, at) => ({ at, value }));
    const lifted = points.map(({ at, value }) => ({ at, value: value + lift }));
    const shuffled = [...lifted].map((point) => ({ point, seed: seeds.next().value as number })).sort((a, b) => a.seed - b.seed).map(({ point }) => point);
    expect(trendOf(shuffled)!.slope).toBeCloseTo(trendOf(points)!.slope, 6);
    expect(trendOf(shuffled)!.growing_share).toBe(trendOf(points)!.growing_share);
  }));
});

test('the same seen in a mirror falls as fast as it grew', () => {
  const values = fc.array(fc.integer({ min: 0, max: 100_000 }), { minLength: 2, maxLength: 30 });
  fc.assert(fc.property(values, (all) => {
    const points = all.map((value, at) => ({ at, value }));
    expect(theilSen(points.map(({ at, value }) => ({ at, value: -value })))! + theilSen(points)!).toBeCloseTo(0, 6);
  }));
});

test('garbage between two collections does not look like a leak, and does not hide one', () => {
  fc.assert(fc.property(fc.integer({ min: 24, max: 60 }), fc.integer({ min: 0, max: 500 }), fc.integer({ min: 1_000, max: 1_000_000 }), (n, leak, garbage) => {
    // A collection at every third sample; between them garbage piles up.
    const points = line(n, leak, 1_000_000).map(({ at, value }) => ({ at, value: value + (at % 3) * garbage }));
    expect(trendOf(points)!.slope).toBeCloseTo(leak, 6);
  }));
});

test('garbage that piles up higher every time, and is collected down to the same level, is no leak', () => {
  fc.assert(fc.property(fc.integer({ min: 24, max: 60 }), fc.integer({ min: 1, max: 100_000 }), (n, garbage) => {
    const points = line(n, 0, 1_000_000).map(({ at, value }) => ({ at, value: value + (at % 4) * at * garbage }));
    expect(theilSen(points)).toBeGreaterThan(0);
    expect(trendOf(points)).toMatchObject({ slope: 0, growing_share: 0 });
  }));
});

test('one wild sample in eight does not turn the slope', () => {
  fc.assert(fc.property(fc.integer({ min: 1, max: 1_000 }), fc.uniqueArray(fc.integer({ min: 0, max: 39 }), { maxLength: 5 }), (slope, wild) => {
    const points = line(40, slope, 0).map(({ at, value }) => ({ at, value: wild.includes(at) ? 1e9 : value }));
    // Three quarters of all pairs are still those of the line.
    expect(theilSen(points)).toBeCloseTo(slope, 6);
  }));
});

test.each<[string, Point[]]>([
  ['too few points', line(fewestPoints - 1, 1, 0)],
  ['a value that is not a number', [...line(10, 1, 0), { at: 10, value: Number.NaN }]],
  ['a value without end', [...line(10, 1, 0), { at: 10, value: Infinity }]],
  ['a time that is not a number', [...line(10, 1, 0), { at: Number.NaN, value: 1 }]],
  ['one moment only', Array.from({ length: 10 }, (_, value) => ({ at: 5, value }))],
])('%s: unknown', (_, points) => {
  expect(trendOf(points)).toBeNull();
});

test('the lowest of each few successive points', () => {
  expect(rollingMinima([5, 3, 4, 9, 1].map((value, at) => ({ at, value })), 2)).toEqual([
    { at: 1, value: 3 }, { at: 2, value: 3 }, { at: 3, value: 4 }, { at: 4, value: 1 },
  ]);
});

test.each([[100, 10, 200, 10], [200, 10, 200, 0], [300, -1, 200, 0], [100, 0, 200, null], [100, -5, 200, null]])(
  'from %d by %d per second, %d is reached in %s s', (level, slope, limit, seconds) => {
    expect(secondsToLimit(level, slope, limit)).toBe(seconds);
  });
