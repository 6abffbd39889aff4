/** Arbitrary observation windows and samples, for properties of the judge. */
import fc from 'fast-check';
import { sampleKinds, type Sample, type SampleKind, type Verdict } from '../../src/domain/judge.ts';
import { tickTimes, type WindowMetric, type WindowSpec } from '../../src/domain/observation.ts';

export const t0 = Date.parse('2025-01-10T12:00:00Z');
export const endOf = (spec: WindowSpec): number => t0 + spec.duration_minutes * 60_000;
export const metricsOf = (spec: WindowSpec): WindowMetric[] => (spec.metrics === 'none' ? [] : spec.metrics);

/** From best to worst. */
export const rank = (verdict: Verdict | 'RUNNING'): number => ['PASSED', 'INCONCLUSIVE', 'ERROR', 'FAILED'].indexOf(verdict);

export const gate = (more: Partial<WindowMetric> = {}): WindowMetric => ({
  metric_id: 'latency', aggregation: 'last', rolling_window_minutes: null, comparator: '<', target: 100, role: 'gate',
  failure_limit: 0, inconclusive_limit: 2, consecutive_error_limit: 4, no_data: 'inconclusive', stale_after_seconds: 30, ...more,
});

/** Ten ticks in ten minutes, one gate metric. */
export const tenTicks = (metric: Partial<WindowMetric> = {}, more: Partial<WindowSpec> = {}): WindowSpec => ({
  duration_minutes: 10, initial_delay_seconds: 60, interval_seconds: 60, min_samples: 3, min_coverage: 0.8,
  metrics: [gate(metric)], reason: null, on_inconclusive: 'hold', max_extensions: 2, decision_deadline_minutes: 240,
  on_deadline: 'rollback', ...more,
});

export const sample = (tick: number, kind: SampleKind, metricId = 'latency'): Sample =>
  ({ metric_id: metricId, tick, at: t0 + (tick + 1) * 60_000, kind, value: null, reason: kind === 'PASS' ? null : kind });

const letters = { p: 'PASS', f: 'FAIL', i: 'INCONCLUSIVE', e: 'ERROR', n: 'NO_DATA', s: 'STALE', w: 'WRONG_REVISION', m: 'MISSED' } as const;

/** One letter a tick: `ppfp`. A dot is a tick without a sample. */
export const samplesOf = (text: string, metricId = 'latency'): Sample[] => text.split('').flatMap((letter, tick) =>
  (letter === '.' ? [] : [sample(tick, letters[letter as keyof typeof letters], metricId)]));

const limit = fc.integer({ min: 0, max: 4 });
const metricArb = (metricId: string): fc.Arbitrary<WindowMetric> => fc.record({
  failure_limit: limit, inconclusive_limit: limit, consecutive_error_limit: limit,
  role: fc.constantFrom('gate', 'key', 'advisory'), no_data: fc.constantFrom('inconclusive', 'fail', 'error'),
}).map((some) => gate({ metric_id: metricId, ...some }));

export const specArb: fc.Arbitrary<WindowSpec> = fc.record({
  duration_minutes: fc.integer({ min: 1, max: 15 }), min_samples: fc.integer({ min: 1, max: 5 }),
  min_coverage: fc.double({ min: 0.05, max: 1, noNaN: true }),
  metrics: fc.integer({ min: 1, max: 3 }).chain((n) => fc.tuple(...['a', 'b', 'c'].slice(0, n).map(metricArb))),
}).map((some) => tenTicks({}, some));

/** What each tick of each metric gave; now and then nothing. Mostly passing, or no window would ever pass. */
export const samplesArb = (spec: WindowSpec, kinds: readonly SampleKind[] = sampleKinds): fc.Arbitrary<Sample[]> => {
  const kind = kinds.includes('PASS')
    ? fc.oneof({ weight: 12, arbitrary: fc.constant<SampleKind>('PASS') }, { weight: 3, arbitrary: fc.constantFrom(...kinds) })
    : fc.constantFrom(...kinds);
  const slots = metricsOf(spec).flatMap((metric) => tickTimes(spec, t0).map((_, tick) => ({ id: metric.metric_id, tick })));
  return fc.tuple(...slots.map(({ id, tick }) => fc.option(kind.map((k) => sample(tick, k, id)), { freq: 15, nil: null })))
    .map((all) => all.filter((one) => one !== null));
};

export const windowArb = (kinds?: readonly SampleKind[]): fc.Arbitrary<{ spec: WindowSpec; samples: Sample[] }> =>
  specArb.chain((spec) => samplesArb(spec, kinds).map((samples) => ({ spec, samples })));
