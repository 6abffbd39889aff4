/** Suites that are run again on the same tree: what fails once and passes once there is flaky, and is said to be. */
import { matchesName, testId, type TestRun, type TestVerdict } from './test-report.ts';

/** Whether another run could change anything: the program ended by itself, and tests are what failed, none of them required. */
export function worthAnotherRun(run: TestRun, required: readonly string[]): boolean {
  if (run.setup_failure !== undefined || run.timed_out || run.limit !== undefined || run.exit_code === null) return false;
  const failed = run.report?.cases.filter((test) => test.status === 'failed') ?? [];
  return failed.length > 0 && !failed.some((test) => required.some((name) => matchesName(test, name)));
}

/** Ids of tests that failed in an earlier run of the tree and passed in its last one. */
export function flakyTests(runs: readonly TestRun[]): string[] {
  const passed = idsOf(runs.at(-1), 'passed');
  return [...new Set(runs.slice(0, -1).flatMap((run) => [...idsOf(run, 'failed')]))].filter((id) => passed.has(id)).sort();
}

/**
 * The verdict of the last run, with what was flaky. A required test was *seen* to fail: that it passed once proves nothing.
 * @param required as given to `judgeTests`
 */
export function withFlaky(verdict: TestVerdict, runs: readonly TestRun[], required: readonly string[]): TestVerdict {
  const flaky = flakyTests(runs);
  const named = required.filter((name) => runs.at(-1)?.report?.cases.some((test) => matchesName(test, name) && flaky.includes(testId(test))));
  const reasons = [...verdict.reasons, ...named.map((name) => `required test is flaky, it failed in another run of the same tree: ${name}`)];
  return { ...verdict, reasons, passed: verdict.passed && named.length === 0, flaky };
}

/** A base run in which a test counts as passed if any run of that tree saw it pass: a flaky base excuses nobody. */
export function bestOf(first: TestRun, second: TestRun): TestRun {
  const passed = idsOf(second, 'passed');
  const cases = first.report?.cases.map((test) => (test.status === 'failed' && passed.has(testId(test)) ? { ...test, status: 'passed' as const } : test));
  return { ...first, report: cases === undefined ? null : { cases } };
}

const idsOf = (run: TestRun | undefined, status: 'passed' | 'failed'): Set<string> =>
  new Set(run?.report?.cases.filter((test) => test.status === status).map(testId));
