import fc from 'fast-check';
import { expect, test } from 'vitest';
import { resolveWindow, tickTimes } from '../../src/domain/observation.ts';
import { observationWindowSchema } from '../../src/domain/schema/observation.ts';
import { t0, tenTicks } from './windows.ts';

const target = { metric_id: 'latency', comparator: '<' as const, target: 100 };

test.each([
  [30, 30, 60], // the interval ends at 30 s, the delay at 60 s
  [10, 30, 60],
  [5, 15, 30],
  [1, 3, 6],
  [0.05, 0.15, 0.3],
])('a window of %d minutes ticks every %d s after a delay of %d s', (minutes, interval, delay) => {
  const spec = resolveWindow(minutes, undefined, [target]);
  expect(spec.interval_seconds).toBeCloseTo(interval, 9);
  expect(spec.initial_delay_seconds).toBeCloseTo(delay, 9);
});

test('everything unsaid has the documented default', () => {
  expect(resolveWindow(30, undefined, [target])).toEqual({
    duration_minutes: 30, initial_delay_seconds: 60, interval_seconds: 30, min_samples: 3, min_coverage: 0.8, reason: null,
    on_inconclusive: 'hold', max_extensions: 2, decision_deadline_minutes: 240, on_deadline: 'rollback', confounders: 'record',
    metrics: [{
      metric_id: 'latency', aggregation: 'last', rolling_window_minutes: null, comparator: '<', target: 100, role: 'gate',
      failure_limit: 0, inconclusive_limit: 2, consecutive_error_limit: 4, no_data: 'inconclusive', stale_after_seconds: 90,
    }],
  });
});

test('what is said stays as it is said', () => {
  const input = observationWindowSchema.parse({
    initial_delay_seconds: 0, interval_seconds: 7, min_samples: 9, min_coverage: 0.5, reason: 'why', on_inconclusive: 'rollback',
    max_extensions: 0, decision_deadline_minutes: 5, on_deadline: 'escalate', confounders: 'block',
    subject: { kind: 'deployment', revision: 'shop 7' },
    metrics: [{ ...target, aggregation: 'p99', rolling_window_minutes: 2, role: 'key', failure_limit: 1, inconclusive_limit: 0,
      baseline: { kind: 'peer', peer_metric_id: 'canary', max_ratio: 1.1, min_effect: 2, min_n: 4 },
      consecutive_error_limit: 0, consecutive_success_limit: 3, no_data: 'fail', stale_after_seconds: 1 }],
  });
  expect(resolveWindow(3, input, [])).toEqual({ ...input, duration_minutes: 3 });
});

test.each([[0.1, 5], [1, 5], [2, 6], [30, 30]])('with ticks every %d s a sample is stale after max(5, 3 × interval) s', (interval) => {
  const spec = resolveWindow(30, observationWindowSchema.parse({ interval_seconds: interval, metrics: [target] }), []);
  expect(spec.metrics[0]).toMatchObject({ stale_after_seconds: Math.max(5, 3 * interval) });
});

test('a rolling window is averaged unless said otherwise', () => {
  expect(resolveWindow(30, undefined, [{ ...target, rolling_window_minutes: 5 }]).metrics[0])
    .toMatchObject({ aggregation: 'avg', rolling_window_minutes: 5 });
});

test("the mission's targets become gates beside the metrics of the window, each metric once", () => {
  const input = observationWindowSchema.parse({ metrics: [{ ...target, failure_limit: 2 }, { metric_id: 'cpu', comparator: '<', target: 70, role: 'key' }] });
  const { metrics } = resolveWindow(30, input, [target, { metric_id: 'errors', comparator: '==', target: 0 }]);
  expect(metrics).toMatchObject([{ metric_id: 'latency', failure_limit: 2 }, { metric_id: 'cpu', role: 'key' }, { metric_id: 'errors', role: 'gate' }]);
});

test('a window without metrics and targets has none', () => {
  expect(resolveWindow(30, undefined, []).metrics).toBe('none');
});

test('ticks lie on a fixed grid from the delay to the end, both included', () => {
  expect(tickTimes(tenTicks(), t0).map((at) => (at - t0) / 60_000)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
  expect(tickTimes(resolveWindow(30, undefined, [target]), t0)).toHaveLength(59);
  expect(tickTimes(tenTicks({}, { initial_delay_seconds: 600 }), t0)).toEqual([t0 + 600_000]);
  expect(tickTimes(tenTicks({}, { initial_delay_seconds: 601 }), t0)).toEqual([]);
});

test('no rounding adds or loses a tick: a default window of any duration of ten minutes or less has 19', () => {
  fc.assert(fc.property(fc.double({ min: 0.001, max: 10, noNaN: true }), (minutes) => {
    const spec = resolveWindow(minutes, undefined, [target]);
    const ticks = tickTimes(spec, t0);
    expect(ticks).toHaveLength(19);
    // Floats near the epoch step by 0.0002 ms.
    expect(ticks.at(-1)! - (t0 + minutes * 60_000)).toBeLessThan(0.001);
  }));
});

test('every tick is one interval after the one before, none after the end of the window', () => {
  const inputs = { duration: fc.integer({ min: 1, max: 600 }), delay: fc.integer({ min: 0, max: 600 }), interval: fc.integer({ min: 1, max: 120 }) };
  fc.assert(fc.property(fc.record(inputs), ({ duration, delay, interval }) => {
    const ticks = tickTimes(tenTicks({}, { duration_minutes: duration / 60, initial_delay_seconds: delay, interval_seconds: interval }), t0);
    const expected: number[] = [];
    for (let at = delay; at <= duration; at += interval) expected.push(t0 + at * 1_000);
    expect(ticks).toEqual(expected);
  }));
});
