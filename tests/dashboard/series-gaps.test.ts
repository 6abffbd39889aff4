import { expect, test } from 'vitest';
import { withGaps, type SeriesPoint } from '../../src/dashboard/parts/series.ts';

const at = (seconds: number): string => new Date(seconds * 1_000).toISOString();
const point = (seconds: number): SeriesPoint => ({ at: at(seconds), count: 1, min: seconds, max: seconds, avg: seconds, p95: seconds });
const shape = (points: SeriesPoint[]) => ({ points, step_seconds: 10, from: at(0), to: at(100), target: { value: 5 } });

test('where nothing was measured the line breaks; the target spans the whole time', () => {
  const [x, avg, , , target] = withGaps(shape([point(20), point(30), point(60)]));
  expect(x).toEqual([0, 20, 30, 40, 60, 100]);
  expect(avg).toEqual([null, 20, 30, null, 60, null]);
  expect(target).toEqual([5, 5, 5, 5, 5, 5]);
});

test('steps that follow each other are one line', () => {
  expect(withGaps({ ...shape([point(0), point(10), point(20)]), to: at(20) })[1]).toEqual([0, 10, 20]);
});

test('nothing measured is no line at all', () => {
  expect(withGaps(shape([]))[1]).toEqual([null]);
});
