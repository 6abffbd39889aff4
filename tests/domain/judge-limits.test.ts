import { expect, test } from 'vitest';
import { judge, type Verdict } from '../../src/domain/judge.ts';
import type { WindowMetric, WindowSpec } from '../../src/domain/observation.ts';
import { endOf, gate, samplesOf, t0, tenTicks } from './windows.ts';

const verdictOf = (spec: WindowSpec, text: string) => judge(spec, samplesOf(text), t0, endOf(spec));

// A limit is a tolerated number: breached when count > limit.
const limits: [string, Partial<WindowMetric>, string, Verdict][] = [
  ['no failure is tolerated by default', {}, 'pppppppppf', 'FAILED'],
  ['2 failures where 2 are tolerated', { failure_limit: 2 }, 'fpppfppppp', 'PASSED'],
  ['3 failures where 2 are tolerated', { failure_limit: 2 }, 'fpppfppppf', 'FAILED'],
  ['2 inconclusive where 2 are tolerated', {}, 'ippppppppi', 'PASSED'],
  ['3 inconclusive where 2 are tolerated', { inconclusive_limit: 2 }, 'ippppippip', 'INCONCLUSIVE'],
  ['2 errors in a row where 2 are tolerated', { consecutive_error_limit: 2 }, 'peeppppppp', 'PASSED'],
  ['3 errors in a row where 2 are tolerated', { consecutive_error_limit: 2 }, 'peeepppppp', 'ERROR'],
  ['1 error where none is tolerated', { consecutive_error_limit: 0 }, 'eppppppppp', 'ERROR'],
  ['errors that are not in a row', { consecutive_error_limit: 1 }, 'eppppepppp', 'PASSED'],
  ['missed ticks are errors', { consecutive_error_limit: 1 }, 'mmpppppppp', 'ERROR'],
  ['another revision is inconclusive', { inconclusive_limit: 1 }, 'wwpppppppp', 'INCONCLUSIVE'],
  ['no data is inconclusive by default', { inconclusive_limit: 1 }, 'nspppppppp', 'INCONCLUSIVE'],
  ['no data as fail', { no_data: 'fail' }, 'pppppppppn', 'FAILED'],
  ['stale data is no data', { no_data: 'fail' }, 'ppppppppps', 'FAILED'],
  ['no data as error', { no_data: 'error', consecutive_error_limit: 1 }, 'ppppppppnn', 'ERROR'],
  ['FAILED is worse than ERROR', { consecutive_error_limit: 0 }, 'epppppppf.', 'FAILED'],
  ['ERROR is worse than INCONCLUSIVE', { consecutive_error_limit: 0, inconclusive_limit: 0 }, 'eipppppppp', 'ERROR'],
];
test.each(limits)('%s', (_, metric, text, verdict) => {
  expect(verdictOf(tenTicks(metric), text).verdict).toBe(verdict);
});

test('coverage of exactly the minimum is enough, one sample less is not', () => {
  expect(verdictOf(tenTicks(), 'pppppppp..').verdict).toBe('PASSED');
  expect(verdictOf(tenTicks(), 'ppppppp...')).toMatchObject({ verdict: 'INCONCLUSIVE', reason: expect.stringContaining('7 of 10') });
});

test('as many valid samples as the minimum are enough, one less is not', () => {
  const few = tenTicks({}, { min_samples: 3, min_coverage: 0.01 });
  expect(verdictOf(few, 'ppp').verdict).toBe('PASSED');
  expect(verdictOf(few, 'pp').verdict).toBe('INCONCLUSIVE');
});

test('a window passes in the millisecond in which its duration is over, not one before', () => {
  const spec = tenTicks();
  expect(judge(spec, samplesOf('pppppppppp'), t0, endOf(spec) - 1).verdict).toBe('RUNNING');
  expect(judge(spec, samplesOf('pppppppppp'), t0, endOf(spec)).verdict).toBe('PASSED');
});

test('a failed gate ends the window at once; errors and missing data wait for its end', () => {
  const spec = tenTicks({ consecutive_error_limit: 0, inconclusive_limit: 0 });
  expect(judge(spec, samplesOf('f'), t0, t0 + 60_000).verdict).toBe('FAILED');
  expect(judge(spec, samplesOf('ei'), t0, t0 + 120_000).verdict).toBe('RUNNING');
});

test('the worst gate or key metric decides, and is named', () => {
  const spec = tenTicks({}, { metrics: [gate({ metric_id: 'a' }), gate({ metric_id: 'b', role: 'key' }), gate({ metric_id: 'c' })] });
  const samples = [...samplesOf('pppppppppp', 'a'), ...samplesOf('pppppppppf', 'b'), ...samplesOf('eeeeeeeeee', 'c')];
  expect(judge(spec, samples, t0, endOf(spec))).toMatchObject({ verdict: 'FAILED', reason: expect.stringMatching(/^b: 1 failed/) });
});

test('an advisory metric is shown and decides nothing', () => {
  const spec = tenTicks({}, { metrics: [gate({ metric_id: 'a' }), gate({ metric_id: 'b', role: 'advisory' })] });
  const verdict = judge(spec, [...samplesOf('pppppppppp', 'a'), ...samplesOf('ffffffffff', 'b')], t0, endOf(spec));
  expect(verdict.verdict).toBe('PASSED');
  expect(verdict.metrics.map((metric) => metric.verdict)).toEqual(['PASSED', 'FAILED']);
});

test('a window of advisory metrics alone proves nothing', () => {
  expect(verdictOf(tenTicks({ role: 'advisory' }), 'pppppppppp').verdict).toBe('INCONCLUSIVE');
});

test('samples of another metric count for nothing', () => {
  const spec = tenTicks();
  expect(judge(spec, samplesOf('pppppppppp', 'other'), t0, endOf(spec)).verdict).toBe('INCONCLUSIVE');
});

test('a window without metrics is labelled unobserved, gives its reason, and passes only when it is over', () => {
  const spec = tenTicks({}, { metrics: 'none', reason: 'a change of comments' });
  expect(judge(spec, [], t0, endOf(spec) - 1)).toMatchObject({ verdict: 'RUNNING', unobserved: true });
  expect(judge(spec, [], t0, endOf(spec))).toMatchObject({ verdict: 'PASSED', unobserved: true, reason: 'unobserved: a change of comments' });
  expect(verdictOf(tenTicks(), 'pppppppppp').unobserved).toBe(false);
});

test.each<[string, number, string, Verdict]>([
  ['three in a row where three are asked for', 3, 'pppfpfpfpf', 'PASSED'],
  ['two in a row where three are asked for', 3, 'ppfppfppfp', 'INCONCLUSIVE'],
  ['a tick without a sample ends the run', 5, 'pppp.pppp.', 'INCONCLUSIVE'],
  ['all of them', 10, 'pppppppppp', 'PASSED'],
])('consecutive_success_limit: %s', (_, limit, text, verdict) => {
  expect(verdictOf(tenTicks({ consecutive_success_limit: limit, failure_limit: 5 }), text).verdict).toBe(verdict);
});

test('consecutive successes end nothing early', () => {
  const spec = tenTicks({ consecutive_success_limit: 2 });
  expect(judge(spec, samplesOf('ppppppppp'), t0, endOf(spec) - 1).verdict).toBe('RUNNING');
});
