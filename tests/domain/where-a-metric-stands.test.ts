import fc from 'fast-check';
import { expect, test } from 'vitest';
import { comparators, metricState } from '../../src/domain/metric.ts';

const metric = { comparator: '<', target: 100, stale_after_seconds: 60 } as const;
const now = 1_000_000_000;

test.each<[string, { value: unknown; at: number } | undefined, string]>([
  ['good and fresh', { value: 99, at: now - 1_000 }, 'ok'],
  ['good, just within its time', { value: 99, at: now - 60_000 }, 'ok'],
  ['good, of a clock that is ahead', { value: 99, at: now + 30_000 }, 'ok'],
  ['good and a moment too old', { value: 99, at: now - 60_001 }, 'stale'],
  ['bad and old', { value: 500, at: now - 3_600_000 }, 'stale'],
  ['bad and fresh', { value: 100, at: now }, 'breached'],
  ['nothing', undefined, 'no_data'],
  ['null', { value: null, at: now }, 'no_data'],
  ['a text', { value: '5', at: now }, 'no_data'],
  ['NaN', { value: NaN, at: now }, 'no_data'],
  ['minus infinity', { value: -Infinity, at: now }, 'no_data'],
  ['good, at no time', { value: 99, at: NaN }, 'stale'],
])('%s', (_, figure, state) => expect(metricState(metric, figure, now)).toBe(state));

test('only a finite, fresh number that meets the target is ok', () => {
  fc.assert(fc.property(fc.anything(), fc.constantFrom(...comparators), fc.double(), fc.double(), (value, comparator, target, age) => {
    if (metricState({ comparator, target, stale_after_seconds: 60 }, { value, at: now - age * 1_000 }, now) !== 'ok') return;
    expect(Number.isFinite(value)).toBe(true);
    expect(age).toBeLessThanOrEqual(60);
  }), { numRuns: 2_000 });
});
