import fc from 'fast-check';
import { expect, test } from 'vitest';
import { holdsAgainst, type Baseline } from '../../src/domain/baseline.ts';
import { classify, type Reading } from '../../src/domain/judge.ts';
import type { Comparator } from '../../src/domain/metric.ts';
import { windowMetricSchema } from '../../src/domain/schema/observation.ts';
import { gate, t0 } from './windows.ts';

const before = (more: Partial<Baseline> = {}): Baseline => ({ kind: 'prechange', max_ratio: 1.1, min_effect: 0, min_n: 3, ...more }) as Baseline;
const of = (value: number | null, n = 10) => ({ value, n });

test.each<[Comparator, number, number, Partial<Baseline>, string]>([
  ['<', 110, 100, {}, 'holds'],
  ['<', 110.1, 100, {}, 'worse'],
  ['<=', 5, 100, {}, 'holds'],
  ['>', 91, 100, {}, 'holds'],
  ['>', 90.9, 100, {}, 'worse'],
  ['>=', 500, 100, {}, 'holds'],
  // A tenth more of almost nothing is nothing.
  ['<', 3, 1, { min_effect: 5 }, 'holds'],
  ['<', 6, 1, { min_effect: 5 }, 'worse'],
  ['<', 0, 0, {}, 'holds'],
  ['<', 0.001, 0, {}, 'worse'],
  ['<', -9.5, -10, {}, 'holds'],
  ['<', -8, -10, {}, 'worse'],
  ['>', -10.5, -10, {}, 'holds'],
  ['>', -12, -10, {}, 'worse'],
  ['==', 1, 1, {}, 'unusable'],
])('%s: %d against %d (%o) %s', (comparator, value, base, more, kind) => {
  expect(holdsAgainst(before(more), comparator, value, of(base)).kind).toBe(kind);
});

const number = fc.double({ noNaN: true, noDefaultInfinity: true, min: -1e9, max: 1e9 });
const direction = fc.constantFrom<Comparator>('<', '<=', '>', '>=');
const tolerance = fc.record({ max_ratio: fc.double({ min: 1, max: 1_000, noNaN: true }), min_effect: fc.double({ min: 0, max: 1e6, noNaN: true }) });

test('what did not change always holds, and what holds still holds when it is better', () => {
  fc.assert(fc.property(direction, number, number, number, tolerance, (comparator, base, value, better, more) => {
    expect(holdsAgainst(before(more), comparator, base, of(base)).kind).toBe('holds');
    const improved = comparator.startsWith('<') ? value - Math.abs(better) : value + Math.abs(better);
    if (holdsAgainst(before(more), comparator, value, of(base)).kind !== 'holds') return;
    expect(holdsAgainst(before(more), comparator, improved, of(base)).kind).toBe('holds');
  }));
});

test('more tolerance never turns what holds into worse', () => {
  fc.assert(fc.property(direction, number, number, tolerance, fc.double({ min: 0, max: 10, noNaN: true }), (comparator, base, value, less, extra) => {
    const more = { max_ratio: less.max_ratio + extra, min_effect: less.min_effect + extra };
    if (holdsAgainst(before(less), comparator, value, of(base)).kind !== 'holds') return;
    expect(holdsAgainst(before(more), comparator, value, of(base)).kind).toBe('holds');
  }));
});

const reading = (value: unknown): Reading => ({ kind: 'value', value, at: t0, observed_revision: null });
const judged = (metric: Parameters<typeof gate>[0], value: unknown, figure?: { value: number | null; n: number }) =>
  classify(gate(metric), reading(value), t0, t0, 'c', figure);

test('too few samples: inconclusive with the reason, or the target alone, and it says so', () => {
  for (const figure of [undefined, of(null, 0), of(100, 2)]) {
    expect(judged({ target: null, baseline: before() }, 1, figure)).toMatchObject({ kind: 'INCONCLUSIVE', reason: expect.stringMatching(/has [02] samples, 3 needed/) });
    expect(judged({ target: 50, baseline: before() }, 1, figure)).toMatchObject({ kind: 'PASS', reason: expect.stringContaining('judged by its target alone: ') });
    expect(judged({ target: 50, baseline: before() }, 51, figure)).toMatchObject({ kind: 'FAIL', reason: '51 is not < 50' });
  }
});

test('with a target and a baseline both must hold', () => {
  const both = { target: 150, baseline: before() };
  expect(judged(both, 105, of(100))).toEqual({ kind: 'PASS', value: 105, reason: null });
  expect(judged(both, 120, of(100))).toMatchObject({ kind: 'FAIL', reason: expect.stringContaining('the baseline from before the change is 100') });
  expect(judged(both, 160, of(1_000))).toMatchObject({ kind: 'FAIL', reason: '160 is not < 150' });
});

test('without a usable finite figure nothing passes by its baseline, whatever was measured', () => {
  const odd = fc.constantFrom<unknown>(null, Number.NaN, Infinity, -Infinity, '5', undefined, []);
  fc.assert(fc.property(fc.oneof(odd, number), fc.oneof(fc.constantFrom(Number.NaN, Infinity, -Infinity, null), number), fc.nat(5), direction, (value, base, n, comparator) => {
    const { kind } = judged({ target: null, comparator, baseline: before() }, value, of(base, n));
    if (typeof value !== 'number' || !Number.isFinite(value)) expect(kind).toBe('ERROR');
    else if (base === null || !Number.isFinite(base) || n < 3) expect(kind).toBe('INCONCLUSIVE');
    else expect(['PASS', 'FAIL']).toContain(kind);
  }));
});

test('a sample of another revision is one of another revision, also against a baseline', () => {
  const other: Reading = { kind: 'value', value: 1, at: t0, observed_revision: 'old' };
  expect(classify(gate({ target: null, baseline: before() }), other, t0, t0, 'c', of(100)).kind).toBe('WRONG_REVISION');
});

const window = (metric: object) => windowMetricSchema.safeParse({ metric_id: 'm', comparator: '<', ...metric });
const peer = { kind: 'peer', peer_metric_id: 'other', max_ratio: 1 };

test.each<[string, object, string[]]>([
  ['neither target nor baseline', {}, ['target']],
  ['== with a baseline', { comparator: '==', baseline: peer }, ['comparator']],
  ['a metric as its own peer', { baseline: { ...peer, peer_metric_id: 'm' } }, ['baseline', 'peer_metric_id']],
  ['a peer without a name', { baseline: { kind: 'peer', max_ratio: 1 } }, ['baseline', 'peer_metric_id']],
  ['a ratio below 1', { baseline: { ...peer, max_ratio: 0.9 } }, ['baseline', 'max_ratio']],
  ['no ratio', { baseline: { kind: 'prechange' } }, ['baseline', 'max_ratio']],
  ['a kind we do not know', { baseline: { ...peer, kind: 'guess' } }, ['baseline', 'kind']],
])('%s is refused by name', (_, metric, path) => {
  expect(window(metric).error?.issues.map((issue) => issue.path)).toContainEqual(path);
});

test('a target, a baseline, and both are taken', () => {
  for (const metric of [{ target: 1 }, { baseline: peer }, { target: 1, baseline: { kind: 'prechange', max_ratio: 2 } }]) {
    expect(window(metric).success).toBe(true);
  }
});
