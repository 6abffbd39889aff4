import fc from 'fast-check';
import { expect, test } from 'vitest';
import { judge, sampleKinds, type Sample } from '../../src/domain/judge.ts';
import { tickTimes } from '../../src/domain/observation.ts';
import { endOf, metricsOf, rank, sample, samplesArb, specArb, t0, windowArb } from './windows.ts';

const runs = { numRuns: 1_000 };
const unusable = ['WRONG_REVISION', 'STALE', 'NO_DATA', 'MISSED'] as const;

test('the generated windows reach every verdict, so the properties below are about something', () => {
  const seen = new Set(fc.sample(windowArb(), 1_000).map(({ spec, samples }) => judge(spec, samples, t0, endOf(spec)).verdict));
  expect([...seen].sort()).toEqual(['ERROR', 'FAILED', 'INCONCLUSIVE', 'PASSED']);
});

test('more failures never improve a verdict', () => {
  const withChosen = windowArb().chain(({ spec, samples }) => fc.record({
    spec: fc.constant(spec), samples: fc.constant(samples), chosen: fc.subarray(samples.map((_, i) => i)),
  }));
  fc.assert(fc.property(withChosen, ({ spec, samples, chosen }) => {
    const as = (kind: 'PASS' | 'FAIL'): Sample[] => samples.map((one, i) => (chosen.includes(i) ? { ...one, kind } : one));
    const better = judge(spec, as('PASS'), t0, endOf(spec));
    const worse = judge(spec, as('FAIL'), t0, endOf(spec));
    expect(rank(worse.verdict)).toBeGreaterThanOrEqual(rank(better.verdict));
  }), runs);
});

test('one failure too many of a gate is FAILED, whatever else was sampled', () => {
  fc.assert(fc.property(windowArb(), ({ spec, samples }) => {
    const verdict = judge(spec, samples, t0, endOf(spec));
    const breached = metricsOf(spec).some((metric) => metric.role !== 'advisory' &&
      samples.filter((one) => one.metric_id === metric.metric_id && one.kind === 'FAIL').length > metric.failure_limit);
    if (breached) expect(verdict.verdict).toBe('FAILED');
  }), runs);
});

test('no samples never pass', () => {
  fc.assert(fc.property(specArb, fc.integer({ min: -1, max: 1_000 }), (spec, lateMinutes) => {
    expect(judge(spec, [], t0, endOf(spec) + lateMinutes * 60_000).verdict).not.toBe('PASSED');
  }), runs);
});

test('samples that measured nothing never pass, however many there are', () => {
  fc.assert(fc.property(windowArb([...unusable, 'INCONCLUSIVE', 'ERROR']), ({ spec, samples }) => {
    expect(judge(spec, samples, t0, endOf(spec)).verdict).not.toBe('PASSED');
  }), runs);
});

test('PASSED means: every gate and key metric was measured often enough and failed no more than tolerated', () => {
  fc.assert(fc.property(windowArb(), ({ spec, samples }) => {
    if (judge(spec, samples, t0, endOf(spec)).verdict !== 'PASSED') return;
    for (const metric of metricsOf(spec).filter(({ role }) => role !== 'advisory')) {
      const own = samples.filter((one) => one.metric_id === metric.metric_id);
      const measured = own.filter(({ kind }) => kind === 'PASS' || kind === 'FAIL').length;
      expect(measured).toBeGreaterThanOrEqual(spec.min_samples);
      expect(measured / tickTimes(spec, t0).length).toBeGreaterThanOrEqual(spec.min_coverage);
      expect(own.filter(({ kind }) => kind === 'FAIL').length).toBeLessThanOrEqual(metric.failure_limit);
    }
  }), runs);
});

test.each(unusable)('a %s sample never counts towards passing: a passing one in its place is at least as good', (kind) => {
  const withPlace = windowArb().filter(({ samples }) => samples.length > 0).chain(({ spec, samples }) =>
    fc.record({ spec: fc.constant(spec), samples: fc.constant(samples), place: fc.nat(samples.length - 1) }));
  fc.assert(fc.property(withPlace, ({ spec, samples, place }) => {
    const as = (kind: Sample['kind']) => judge(spec, samples.map((one, i) => (i === place ? { ...one, kind } : one)), t0, endOf(spec));
    expect(rank(as(kind).verdict)).toBeGreaterThanOrEqual(rank(as('PASS').verdict));
    const valid = (judged: ReturnType<typeof judge>): number => judged.metrics.reduce((sum, metric) => sum + metric.valid, 0);
    expect(valid(as(kind))).toBe(valid(as('PASS')) - 1);
  }), runs);
});

test('a window whose duration is not over never passes, and says that it runs or has failed', () => {
  fc.assert(fc.property(windowArb(), fc.double({ min: 0, max: 1, noNaN: true }), ({ spec, samples }, share) => {
    const now = Math.min(t0 + spec.duration_minutes * 60_000 * share, endOf(spec) - 1);
    expect(['RUNNING', 'FAILED']).toContain(judge(spec, samples, t0, now).verdict);
  }), runs);
});

test('a FAILED window stays FAILED, whatever is sampled afterwards', () => {
  const story = windowArb().chain(({ spec, samples }) => fc.record({
    spec: fc.constant(spec), now: fc.constant(samples), later: samplesArb(spec, ['PASS']),
    at: fc.integer({ min: 0, max: 20 }), again: fc.integer({ min: 0, max: 100 }),
  }));
  fc.assert(fc.property(story, ({ spec, now, later, at, again }) => {
    if (judge(spec, now, t0, t0 + at * 60_000).verdict !== 'FAILED') return;
    expect(judge(spec, [...now, ...later], t0, t0 + (at + again) * 60_000).verdict).toBe('FAILED');
  }), runs);
});

test('replaying the same samples gives the same verdict, in any order', () => {
  const shuffled = windowArb().chain(({ spec, samples }) => fc.record({
    spec: fc.constant(spec), samples: fc.constant(samples),
    other: fc.shuffledSubarray(samples, { minLength: samples.length, maxLength: samples.length }),
  }));
  fc.assert(fc.property(shuffled, ({ spec, samples, other }) => {
    expect(judge(spec, other, t0, endOf(spec))).toEqual(judge(spec, samples, t0, endOf(spec)));
  }), runs);
});

test('a tick that was stored twice counts once, as the worse of the two, in either order', () => {
  fc.assert(fc.property(windowArb(), fc.constantFrom(...sampleKinds), fc.nat(9), ({ spec, samples }, kind, tick) => {
    const double = sample(tick, kind, 'a');
    const first = judge(spec, [double, ...samples], t0, endOf(spec));
    const last = judge(spec, [...samples, double], t0, endOf(spec));
    const facts = (of: typeof first) => of.metrics.map(({ verdict, valid, failed }) => ({ verdict, valid, failed }));
    expect(last.verdict).toBe(first.verdict);
    expect(facts(last)).toEqual(facts(first));
  }), runs);
});
