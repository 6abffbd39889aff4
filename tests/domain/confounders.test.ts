import fc from 'fast-check';
import { expect, test } from 'vitest';
import { withConfounders, type Confounder } from '../../src/domain/confounders.ts';
import { blindMetrics, judge } from '../../src/domain/judge.ts';
import { endOf, rank, samplesOf, t0, tenTicks, windowArb } from './windows.ts';

const landing: Confounder = { key: 'e1', kind: 'landing', at: '2025-01-10T12:05:00.000Z', mission_id: 'mission_20250110_002', summary: 'mission_20250110_002 landed on the same repository' };
const judged = (text: string, confounders: 'record' | 'extend' | 'block', found = [landing]) => {
  const spec = tenTicks({}, { confounders });
  return withConfounders(spec, judge(spec, samplesOf(text), t0, endOf(spec)), found);
};

test('recorded confounders leave the verdict as it is', () => {
  expect(judged('pppppppppp', 'record')).toMatchObject({ verdict: 'PASSED', reason: 'every metric held for the whole window' });
});

test.each(['extend', 'block'] as const)('%s: a pass among other changes is inconclusive, and says why', (policy) => {
  expect(judged('pppppppppp', policy)).toMatchObject({
    verdict: 'INCONCLUSIVE', confounded: policy,
    reason: 'confounded by mission_20250110_002 landed on the same repository (by itself: PASSED: every metric held for the whole window)',
  });
  expect(judged('pppppppppp', policy, [])).not.toHaveProperty('confounded');
});

test('a failure stays a failure, an error an error, and a running window runs', () => {
  expect(judged('f', 'block')).toMatchObject({ verdict: 'FAILED' });
  expect(judged('f', 'block')).not.toHaveProperty('confounded');
  expect(judged('peeeeepppp', 'block')).toMatchObject({ verdict: 'ERROR', confounded: 'block' });
  const spec = tenTicks({}, { confounders: 'block' });
  expect(withConfounders(spec, judge(spec, samplesOf('pp'), t0, t0 + 120_000), [landing]).verdict).toBe('RUNNING');
});

test('a window that was stored without the field records', () => {
  const spec = tenTicks();
  const verdict = judge(spec, samplesOf('pppppppppp'), t0, endOf(spec));
  expect(withConfounders(spec, verdict, [landing])).toEqual(verdict);
});

test('confounders never improve a verdict, and under block or extend a confounded window never passes', () => {
  fc.assert(fc.property(windowArb(), fc.constantFrom('record', 'extend', 'block'), ({ spec, samples }, confounders) => {
    const alone = judge(spec, samples, t0, endOf(spec));
    const among = withConfounders({ ...spec, confounders }, alone, [landing]);
    expect(rank(among.verdict)).toBeGreaterThanOrEqual(rank(alone.verdict));
    if (confounders !== 'record') expect(among.verdict).not.toBe('PASSED');
  }));
});

test.each([
  ['peeepp', true], ['peepe', false], ['eemee', false], ['nnnnn', false], ['eee', true], ['ee', false], ['ppp', false],
])('%s: the detector is blind: %s', (text, blind) => {
  expect(blindMetrics(samplesOf(text))).toEqual(blind ? [{ metric_id: 'latency', reason: 'ERROR' }] : []);
});

test('blindness is of one metric, and stays once it was', () => {
  expect(blindMetrics([...samplesOf('eeepppp', 'a'), ...samplesOf('eppepp', 'b')]).map((one) => one.metric_id)).toEqual(['a']);
});
