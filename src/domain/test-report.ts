/** What a test run proved. Pure rules over machine-readable reports; an exit code alone proves little. */

import type { LimitHit } from './limits.ts';

export type TestStatus = 'passed' | 'failed' | 'skipped';

/** One test as its runner reported it. */
export interface TestCase {
  /** Test file relative to the worktree, or the suite's class name; '' when the runner names neither. */
  file: string;
  /** Names from the outermost suite to the test itself. */
  path: string[];
  status: TestStatus;
  duration_ms: number | null;
  message: string | null;
}

export interface TestReport {
  cases: TestCase[];
}

/** One run of a test command on one tree. `report` is null when nothing readable came out. */
export interface TestRun {
  tree: string;
  exit_code: number | null;
  timed_out: boolean;
  /** The limit that it came up against, if any. */
  limit?: LimitHit;
  report: TestReport | null;
  /** The setup command failed on this tree, so that its tests never ran. */
  setup_failure?: string;
  /** How this run came about, where it was not simply the command. */
  note?: string;
}

export interface TestVerdict {
  passed: boolean;
  /** One line per reason not to pass, each naming the test. */
  reasons: string[];
  /** Failed on the base too: does not count against the candidate. */
  tolerated: string[];
  /** Passed on the base and gone now: a person must agree. */
  vanished: string[];
  /** Passed now and not there on the base: beside the vanished ones, what they may be called now. */
  appeared: string[];
  /** Failed in one run of this very tree and passed in another: a person must agree. */
  flaky: string[];
  counts: { passed: number; failed: number; skipped: number };
}

export const testId = (test: TestCase): string => `${normalise(test.file)} › ${test.path.map(normalise).join(' > ')}`;

/** How runners write a test's place in one line: ours, vitest's, Go's, cargo's and pytest's, JUnit's, jest's. */
const separators = [' > ', ' › ', '/', '::', '.', ' '];

/** A test's name matches exactly, or as `suite > … > name`, or as the runner's own id. */
export function matchesName(test: TestCase, name: string): boolean {
  const wanted = normalise(name);
  const path = test.path.map(normalise);
  // Most tests of a suite are told apart by their last name: no need to build the others.
  if (wanted === '' || !wanted.endsWith(path.at(-1) ?? '')) return false;
  const file = normalise(test.file);
  const whole = separators.map((separator) => path.join(separator));
  return wanted === path.at(-1) || whole.includes(wanted)
    || (file !== '' && separators.some((separator) => whole.includes(wanted.slice(file.length + separator.length)) && wanted.startsWith(file + separator)));
}

// Runners put byte-order marks and colour codes into names.
// oxlint-disable-next-line no-control-regex -- the escape character is what we look for
const ansi = /\u001b\[[0-9;]*m/g;
const normalise = (name: string): string => name.replace(/^\uFEFF/, '').replace(ansi, '').trim();

interface Tally { passed: number; failed: number }

/** Passes and failures per test id: tests may share a name, and none of them may hide another. */
function tally(report: TestReport): Map<string, Tally> {
  const result = new Map<string, Tally>();
  for (const test of report.cases) {
    const seen = result.get(testId(test)) ?? { passed: 0, failed: 0 };
    if (test.status !== 'skipped') seen[test.status] += 1;
    result.set(testId(test), seen);
  }
  return result;
}

/**
 * Judges a candidate's run against the base's run of the same command.
 * - every required name was *seen* to pass; absent or skipped is failed;
 * - no test that passed on the base fails now;
 * - a test that failed on the base too does not count; a new failing test does;
 * - a run that a signal, the time limit or one of its limits ended proves nothing;
 * - without a readable report only the exit code counts, and no required name can be met.
 */
export function judgeTests(required: readonly string[], base: TestRun | null, candidate: TestRun): TestVerdict {
  const verdict: TestVerdict = {
    passed: false, reasons: [], tolerated: [], vanished: [], appeared: [], flaky: [], counts: { passed: 0, failed: 0, skipped: 0 },
  };
  if (candidate.setup_failure !== undefined) {
    verdict.reasons.push(`setup failed: ${candidate.setup_failure}`);
    return verdict;
  }
  if (candidate.timed_out) verdict.reasons.push('the test command ran into its time limit');
  verdict.reasons.push(...certainLimit(candidate, ''));
  const report = candidate.report;
  if (report === null || report.cases.length === 0) {
    if (required.length > 0) {
      verdict.reasons.push(`no readable test report: ${required.join(', ')} not seen to pass`);
    }
    if ((base?.report?.cases.length ?? 0) > 0) {
      verdict.reasons.push('the report is empty or unreadable, and on the base it was not');
    }
    if (candidate.exit_code !== 0) verdict.reasons.push(`the test command ended with exit code ${candidate.exit_code}`);
    return withLimits(verdict, base, candidate);
  }

  for (const test of report.cases) verdict.counts[test.status] += 1;
  for (const name of required) {
    const matching = report.cases.filter((test) => matchesName(test, name));
    if (matching.length === 0) verdict.reasons.push(`required test not found: ${name}`);
    else if (matching.some((test) => test.status === 'failed')) verdict.reasons.push(`required test failed: ${name}`);
    else if (matching.some((test) => test.status === 'skipped')) verdict.reasons.push(`required test was skipped: ${name}`);
  }

  const before = base?.report ? tally(base.report) : new Map<string, Tally>();
  const now = tally(report);
  for (const [id, { failed }] of now) {
    if (failed === 0) continue;
    const was = before.get(id);
    if (was === undefined) verdict.reasons.push(`new failing test: ${id}`);
    else if (failed > was.failed) verdict.reasons.push(`test failed: ${id}`);
    else verdict.tolerated.push(id);
  }
  for (const [id, was] of before) {
    const { passed, failed } = now.get(id) ?? { passed: 0, failed: 0 };
    if (passed < was.passed && failed <= was.failed) verdict.vanished.push(id);
  }
  for (const [id, { passed }] of now) if (passed > 0 && !before.has(id) && base !== null) verdict.appeared.push(id);
  if (candidate.exit_code !== 0 && verdict.counts.failed === 0) {
    verdict.reasons.push(`the test command ended with exit code ${candidate.exit_code} although no reported test failed`);
  } else if (candidate.exit_code === null && !candidate.timed_out) {
    verdict.reasons.push('the test command was ended by a signal before it finished');
  } else if (crashed(candidate.exit_code ?? 0, verdict.counts.failed) && candidate.exit_code !== base?.exit_code) {
    verdict.reasons.push(`the test command ended with exit code ${candidate.exit_code}, as a crashed program does`);
  }
  return withLimits(verdict, base, candidate);
}

/** A limit that the kernel or we held is a reason by itself; one that only the output speaks of explains other reasons. */
function withLimits(verdict: TestVerdict, base: TestRun | null, candidate: TestRun): TestVerdict {
  if (verdict.reasons.length === 0) return { ...verdict, passed: true };
  if (candidate.limit?.evidence === 'suspected') verdict.reasons.push(`RESOURCE_LIMIT suspected: ${candidate.limit.detail}`);
  if (base !== null) verdict.reasons.push(...certainLimit(base, ' on the base too'));
  return verdict;
}

const certainLimit = ({ limit }: TestRun, where: string): string[] =>
  (limit?.evidence === 'certain' ? [`RESOURCE_LIMIT${where}: ${limit.detail}`] : []);

/** Some runners end with the number of failures, up to 255; a shell says 128 and the signal's number of a program that crashed. */
const crashed = (exitCode: number, failures: number): boolean => exitCode > 128 && exitCode !== Math.min(failures, 255);
