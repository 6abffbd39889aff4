import { expect, test } from 'vitest';
import { judgeTests, matchesName, type TestCase, type TestRun, type TestStatus } from '../../src/domain/test-report.ts';

const one = (name: string, status: TestStatus = 'passed', file = 'a.test.js'): TestCase =>
  ({ file, path: name.split(' > '), status, duration_ms: 1, message: null });

/** `adds:p subtracts:f` → a run with those two tests; the exit code is what such a run ends with. */
function run(text: string, more: Partial<TestRun> = {}): TestRun {
  const word = { p: 'passed', f: 'failed', s: 'skipped' } as const;
  const cases = text.split(' ').filter(Boolean).map((item) => {
    const [name, status] = item.split(':') as [string, keyof typeof word];
    return one(name, word[status]);
  });
  return { tree: 't', exit_code: cases.some((test) => test.status === 'failed') ? 1 : 0, timed_out: false, report: { cases }, ...more };
}
const judged = (required: string[], base: string | TestRun | null, candidate: string | TestRun) => judgeTests(
  required, typeof base === 'string' ? run(base) : base, typeof candidate === 'string' ? run(candidate) : candidate);
const unreadable = (exitCode: number | null): TestRun => ({ tree: 't', exit_code: exitCode, timed_out: false, report: null });

test('a candidate passes when every required test was seen to pass and nothing else broke', () => {
  expect(judged(['adds'], 'adds:f other:p', 'adds:p other:p')).toEqual({
    passed: true, reasons: [], tolerated: [], vanished: [], appeared: [], flaky: [], counts: { passed: 2, failed: 0, skipped: 0 },
  });
});

test.each([
  ['absent', 'other:p', 'required test not found: adds'],
  ['skipped', 'adds:s other:p', 'required test was skipped: adds'],
  ['failing', 'adds:f other:p', 'required test failed: adds'],
  ['failing under a name that a passing test has too', 'adds:p adds:f', 'required test failed: adds'],
  ['skipped under a name that a passing test has too', 'adds:s adds:p', 'required test was skipped: adds'],
  ['named only as a part of another name', 'adds-up:p', 'required test not found: adds'],
  ['there in other letters', 'Adds:p', 'required test not found: adds'],
])('a required test that is %s has not passed', (_, candidate, reason) => {
  const verdict = judged(['adds'], 'adds:f other:p', candidate);
  expect(verdict.passed).toBe(false);
  expect(verdict.reasons).toContain(reason);
});

test('a required test that fails on the base too is not tolerated', () => {
  expect(judged(['adds'], 'adds:f', 'adds:f')).toMatchObject({ passed: false, reasons: ['required test failed: adds'] });
});

test('a test that passed on the base and fails now is named', () => {
  expect(judged([], 'adds:p', 'adds:f')).toMatchObject({ passed: false, reasons: ['test failed: a.test.js › adds'] });
});

test('a test that failed on the base too does not count, and is listed', () => {
  expect(judged([], 'adds:f other:p', 'adds:f other:p')).toMatchObject({ passed: true, tolerated: ['a.test.js › adds'] });
});

test.each([['was not there', 'other:p'], ['is all there is to compare with, and there is no base', null]])(
  'a new failing test counts when it %s', (_, base) => {
    expect(judged([], base, 'adds:f other:p').reasons).toContain('new failing test: a.test.js › adds');
  });

test('a test that was skipped on the base and fails now counts', () => {
  expect(judged([], 'adds:s', 'adds:f')).toMatchObject({ passed: false, reasons: ['test failed: a.test.js › adds'] });
});

test('a failure elsewhere in the suite is as bad under a duplicate name', () => {
  expect(judged([], 'adds:p adds:p', 'adds:p adds:f').passed).toBe(false);
});

test('a duplicate name that fails on the base does not excuse its passing namesake', () => {
  expect(judged([], 'adds:p adds:f', 'adds:f adds:f')).toMatchObject({ passed: false, reasons: ['test failed: a.test.js › adds'] });
  expect(judged([], 'adds:p adds:f', 'adds:p adds:f')).toMatchObject({ passed: true, vanished: [] });
});

test.each([
  ['removed', 'adds:p other:p', 'other:p'],
  ['renamed', 'adds:p other:p', 'adds-numbers:p other:p'],
  ['skipped', 'adds:p other:p', 'adds:s other:p'],
  ['one of two of its name', 'adds:p adds:p', 'adds:p'],
  ['the passing one of two of its name', 'adds:p adds:f', 'adds:f'],
])('a test that passed on the base and is %s now has vanished', (_, base, candidate) => {
  expect(judged([], base, candidate)).toMatchObject({ passed: true, vanished: ['a.test.js › adds'] });
});

test('a test that failed or was skipped on the base does not vanish', () => {
  expect(judged([], 'adds:f skips:s other:p', 'other:p').vanished).toEqual([]);
});

test('a moved test has vanished: its file is part of what it is', () => {
  const moved = { ...run(''), report: { cases: [one('adds', 'passed', 'b.test.js')] } };
  expect(judged([], 'adds:p', moved).vanished).toEqual(['a.test.js › adds']);
});

test('an empty report with exit code 0 proves nothing where the base reported tests', () => {
  expect(judged(['adds'], 'adds:f', '').reasons).toEqual([
    'no readable test report: adds not seen to pass', 'the report is empty or unreadable, and on the base it was not',
  ]);
  expect(judged([], 'other:p', run('', { exit_code: 0 })).passed).toBe(false);
  expect(judged([], 'other:p', unreadable(0)).passed).toBe(false);
});

test('without a readable report only the exit code counts, and no required name can be met', () => {
  expect(judged([], unreadable(0), unreadable(0)).passed).toBe(true);
  expect(judged([], null, unreadable(0)).passed).toBe(true);
  expect(judged([], unreadable(1), unreadable(1))).toMatchObject({ passed: false, reasons: ['the test command ended with exit code 1'] });
  expect(judged(['adds'], unreadable(0), unreadable(0))).toMatchObject({ passed: false, reasons: ['no readable test report: adds not seen to pass'] });
});

test('a suite that crashed half-way has not passed, though all it reported did', () => {
  const verdict = judged(['adds'], 'adds:f other:p more:p', run('adds:p', { exit_code: 134 }));
  expect(verdict).toMatchObject({ passed: false, vanished: ['a.test.js › other', 'a.test.js › more'] });
  expect(verdict.reasons).toEqual(['the test command ended with exit code 134 although no reported test failed']);
});

test('a run that a signal ended has not passed, though its only failure is tolerated', () => {
  const verdict = judged([], 'adds:f other:p', run('adds:f other:p', { exit_code: null }));
  expect(verdict).toMatchObject({ passed: false, reasons: ['the test command was ended by a signal before it finished'] });
});

test('an exit code that is not 0 with no failed test has not passed', () => {
  expect(judged([], 'adds:p', run('adds:p', { exit_code: 1 })).reasons)
    .toEqual(['the test command ended with exit code 1 although no reported test failed']);
});

test('a run into the time limit has not passed, whatever it reported', () => {
  expect(judged(['adds'], 'adds:p', run('adds:p', { timed_out: true })).reasons).toContain('the test command ran into its time limit');
  expect(judged([], null, { ...unreadable(0), timed_out: true }).passed).toBe(false);
});

test('a renamed test is shown with both of its names', () => {
  expect(judged([], 'adds:p other:p', 'adds-numbers:p other:p')).toMatchObject({
    passed: true, vanished: ['a.test.js › adds'], appeared: ['a.test.js › adds-numbers'],
  });
  expect(judged([], null, 'adds:p').appeared).toEqual([]);
});

test.each([
  ['is the number of failures', 'adds:f other:f', 2, []],
  ['is the number of failures, up to 255', Array.from({ length: 300 }, (_, i) => `t${i}:f`).join(' '), 255, []],
  ['is 1 whatever failed', 'adds:f other:f', 1, []],
  ['is that of a crash', 'adds:f other:p', 134, ['the test command ended with exit code 134, as a crashed program does']],
  ['is that of a kill', 'adds:f other:p', 137, ['the test command ended with exit code 137, as a crashed program does']],
])('tolerated failures are tolerated, and an exit code that %s is what it is', (_, candidate, exit_code, reasons) => {
  expect(judged([], run(candidate), run(candidate, { exit_code })).reasons).toEqual(reasons);
});

test('a program that ends like a crashed one on the base too has not got worse', () => {
  expect(judged([], run('adds:f', { exit_code: 139 }), run('adds:f', { exit_code: 139 })).passed).toBe(true);
});

const nested: TestCase = one('calculator > adds > small numbers', 'passed', 'test/add.test.js');
test.each([
  'small numbers', 'calculator > adds > small numbers', 'test/add.test.js › calculator > adds > small numbers',
  'test/add.test.js::calculator::adds::small numbers', 'test/add.test.js.calculator.adds.small numbers', '  small numbers ',
  // jest's and mocha's full name, cargo's, Go's, vitest's.
  'calculator adds small numbers', 'calculator::adds::small numbers', 'calculator/adds/small numbers', 'test/add.test.js > calculator > adds > small numbers',
])('a nested test is found as %j', (name) => expect(matchesName(nested, name)).toBe(true));

test.each(['adds', 'numbers', 'adds > small numbers', 'small numbers > adds', '', 'calculator', 'test/add.test.js > small numbers', 'add.test.js > calculator > adds > small numbers', 'calculator > adds::small numbers'])(
  'a nested test is not found as %j', (name) => expect(matchesName(nested, name)).toBe(false));

const bom = '\uFEFF';
const red = (text: string): string => `\u001b[1;31m${text}\u001b[0m`;
test.each([
  ['a byte-order mark', `${bom}adds`], ['colour', red('adds')], ['both', `${bom}${red('adds')}`],
])('%s in a name neither hides nor changes a test', (_, name) => {
  const painted: TestCase = { ...one('adds'), path: [name] };
  expect(matchesName(painted, 'adds')).toBe(true);
  expect(matchesName(one('adds'), name)).toBe(true);
  expect(matchesName({ ...painted, path: [red('suite'), name] }, 'suite > adds')).toBe(true);
  const paintedRun = (status: TestStatus) => ({ ...run(''), exit_code: status === 'failed' ? 1 : 0, report: { cases: [{ ...painted, status }] } });
  expect(judged(['adds'], 'adds:p', paintedRun('passed'))).toMatchObject({ passed: true, vanished: [] });
  expect(judged([], 'adds:f', paintedRun('failed'))).toMatchObject({ passed: true, tolerated: ['a.test.js › adds'] });
});
