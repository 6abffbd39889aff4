/** A flaky test is told from a broken one by running again, is never passed in silence, and excuses nobody. */
import { expect, test } from 'vitest';
import { bestOf, flakyTests, withFlaky, worthAnotherRun } from '../../src/domain/flaky.ts';
import { judgeTests, type TestRun, type TestStatus } from '../../src/domain/test-report.ts';

const run = (statuses: Record<string, TestStatus>, more: Partial<TestRun> = {}): TestRun => ({
  tree: 't', exit_code: Object.values(statuses).includes('failed') ? 1 : 0, timed_out: false,
  report: { cases: Object.entries(statuses).map(([name, status]) => ({ file: 'a', path: [name], status, duration_ms: 1, message: null })) }, ...more,
});

test('what failed once and passed last is flaky; what failed last is not', () => {
  const runs = [run({ slow: 'failed', broken: 'failed', well: 'passed' }), run({ slow: 'passed', broken: 'failed', well: 'passed' })];
  expect(flakyTests(runs)).toEqual(['a › slow']);
  expect(flakyTests([runs[1]!])).toEqual([]);
});

test('a required test that was seen to fail is not proved by passing once', () => {
  const runs = [run({ adds: 'failed', well: 'passed' }), run({ adds: 'passed', well: 'passed' })];
  const verdict = withFlaky(judgeTests(['adds'], null, runs[1]!), runs, ['adds']);
  expect(verdict).toMatchObject({ passed: false, flaky: ['a › adds'] });
  expect(verdict.reasons.join()).toContain('required test is flaky');
  expect(withFlaky(judgeTests(['well'], null, runs[1]!), runs, ['well'])).toMatchObject({ passed: true, flaky: ['a › adds'] });
});

test.each<[string, TestRun, boolean]>([
  ['a test that is not required failed', run({ slow: 'failed' }), true],
  ['a required one failed', run({ adds: 'failed', slow: 'failed' }), false],
  ['nothing failed and the exit code is 1', run({ well: 'passed' }, { exit_code: 1 }), false],
  ['it ran into its time limit', run({ slow: 'failed' }, { timed_out: true }), false],
  ['a signal ended it', run({ slow: 'failed' }, { exit_code: null }), false],
  ['its setup failed', run({ slow: 'failed' }, { setup_failure: 'npm ci' }), false],
  ['there is no report', run({}, { report: null, exit_code: 1 }), false],
])('another run when %s: %#', (_, one, worth) => expect(worthAnotherRun(one, ['adds'])).toBe(worth));

test('a test that failed on the base by chance does not excuse the candidate', () => {
  const base = run({ slow: 'failed', broken: 'failed' });
  const candidate = run({ slow: 'failed', broken: 'failed' });
  expect(judgeTests([], base, candidate)).toMatchObject({ passed: true, tolerated: ['a › slow', 'a › broken'] });
  const best = bestOf(base, run({ slow: 'passed', broken: 'failed' }));
  expect(judgeTests([], best, candidate)).toMatchObject({ passed: false, reasons: ['test failed: a › slow'], tolerated: ['a › broken'] });
});
