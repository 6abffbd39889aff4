/** A report is written by the program under test: it may say anything, at any length. */
import { performance } from 'node:perf_hooks';
import { describe, expect, test } from 'vitest';
import { parseMetricsJson } from '../../src/activities/reports/metrics-json.ts';
import { parseTestReport } from '../../src/activities/reports/read.ts';
import { testReportFormats, type ReportFormat } from '../../src/domain/commands.ts';
import type { TestCase } from '../../src/domain/test-report.ts';

const casesOf = (format: ReportFormat, text: string): TestCase[] | undefined => parseTestReport(format, [text], '/worktree')?.cases;
const lines = (format: ReportFormat, text: string): string[] | undefined => casesOf(format, text)?.map(({ path, status }) => `${path.join(' > ')}: ${status}`);
const readable = testReportFormats.filter((format) => format !== 'metrics_json');
const large = 200 * 1024;
const filled = (text: string): string => text.repeat(Math.ceil(large / text.length));

describe.each(readable)('%s', (format) => {
  test.each([
    ['nothing', ''], ['blanks', ' \n\n'], ['words', 'all tests passed\n'], ['null', 'null'], ['a number', '1'], ['a list', '[]'], ['an object', '{}'],
    ['bytes', '\0\u0001\uFFFD<<>>{[("'], ['an ok that is talk', 'ok then\nit is not ok\n'],
  ])('reads no test in %s', (_, text) => expect(casesOf(format, text) ?? []).toEqual([]));

  test.each([
    ['braces', '{'], ['braces on lines', '{\n'], ['objects that are none', '{x}\n'], ['brackets', '['], ['nested lists', '['.repeat(1_000) + ']'.repeat(1_000)], ['tags', '<testsuite>'], ['lines that begin', 'test a ... '],
    ['events', '{"Action":"run","Package":"p","Test":"t"}\n'], ['blanks', ' '], ['newlines', '\n'], ['points', '    '.repeat(60) + 'ok 1 - a # skip\n'],
    ['hashes', 'ok # '], ['dashes', 'ok - - '], ['targets', 'running 1 test\n'], ['digits', '1'], ['doc tests', 'test a.rs - '], ['deep plans', '        1..1\n    ok\n'],
    ['half a surrogate', '\uD83D'], ['colour', '\u001b[31m'],
  ])('is done with 200 KiB of %s', (_, text) => {
    const started = performance.now();
    casesOf(format, `TAP version 13\n${filled(text)}`);
    casesOf(format, filled(text));
    // Seconds at worst, here and on a machine that is ten times slower; an expression that backtracks takes hours.
    expect(performance.now() - started).toBeLessThan(10_000);
  });

  test('names that mean something to JavaScript are names', () => {
    for (const name of ['__proto__', 'constructor', 'toString']) {
      const text = [
        `{"Action":"pass","Package":"${name}","Test":"${name}"}`, `{"file":"${name}","path":["${name}"],"status":"passed"}`,
        `running 1 test\ntest ${name} ... ok\ntest result: ok. 1 passed`, `1..1\nok 1 - ${name}`,
      ].join('\n');
      expect((casesOf(format, text) ?? []).every((found) => found.path.includes(name) || found.path[0]?.startsWith('the whole'))).toBe(true);
    }
  });
});

test.each(['\n', '{\n', '{x}\n', '[', '{"a":'])('figures are looked for in 200 KiB of %j without effort', (text) => {
  const started = performance.now();
  expect(parseMetricsJson(filled(text))).toBeNull();
  expect(performance.now() - started).toBeLessThan(10_000);
});

test('more tests than any suite has are no report', () => {
  expect(casesOf('go_test_json', '{"Action":"pass","Package":"p","Test":"t"}\n'.repeat(200_001))).toBeUndefined();
});

test('suites nested deeper than anybody writes them are no tests, and no crash', () => {
  for (const depth of [101, 50_000]) expect(casesOf('junit', '<testsuite name="s">'.repeat(depth) + '</testsuite>'.repeat(depth)) ?? []).toEqual([]);
});

describe('what is missing has failed', () => {
  test.each<[string, ReportFormat, string, string[]]>([
    ['fewer points than planned', 'tap', '1..3\nok 1 - a\n', ['a: passed', 'the whole plan: failed']],
    ['more points than planned', 'tap', '1..1\nok 1 - a\nok 2 - b\n', ['a: passed', 'b: passed', 'the whole plan: failed']],
    ['no plan at all', 'tap', 'TAP version 14\nok 1 - a\n', ['a: passed', 'the whole plan: failed']],
    ['a bail-out', 'tap', '1..2\nok 1 - a\nBail out! no database\n', ['a: passed', 'the whole plan: failed', 'the whole plan: failed']],
    ['a subtest that ended early', 'tap', '1..1\n    1..2\n    ok 1 - in\nok 1 - out\n', ['out > in: passed', 'out > the whole plan: failed', 'out: passed']],
    ['a subtest whose end never came', 'tap', 'TAP version 14\n1..1\n    ok 1 - in\n', ['the whole plan: failed', 'in: passed', 'the whole plan: failed']],
    ['a YAML block without an end', 'tap', '1..2\nnot ok 1 - a\n  ---\n  message: no\nok 2 - b\n', ['a: failed', 'the whole plan: failed']],
    ['a target cut off', 'cargo_test', 'running 2 tests\ntest a ... ok\n', ['a: passed', 'the whole target: failed']],
    ['a target followed by the next one', 'cargo_test', 'running 1 test\nrunning 1 test\ntest a ... ok\ntest result: ok. 1 passed', ['the whole target: failed', 'a: passed']],
    ['a result that never came', 'cargo_test', 'running 1 test\ntest a ... hello', ['the whole target: failed']],
    ['a Go test that never ended', 'go_test_json', '{"Action":"run","Package":"p","Test":"T"}\n', ['T: failed']],
    ['a test of ours that never ended', 'node_test', '{"file":"a","path":["x"],"status":"started"}\n{"file":"a","path":["y"],"status":"passed"}', ['y: passed', 'x: failed']],
    ['the second of two that have one name', 'node_test', '{"path":["x"],"status":"started"}\n{"path":["x"],"status":"passed"}\n{"path":["x"],"status":"started"}', ['x: passed', 'x: failed']],
    ['a jest file that failed without a test', 'jest_json', '{"testResults":[{"name":"/worktree/a.js","status":"failed","assertionResults":[{"title":"t","status":"passed"}]}]}', ['t: passed', 'a.js: failed']],
    ['a word nobody knows', 'jest_json', '{"testResults":[{"name":"a.js","assertionResults":[{"title":"t","status":"PASSED"}]}]}', ['t: failed']],
  ])('%s', (_, format, text, expected) => expect(lines(format, text)).toEqual(expected));
});

describe('TAP', () => {
  test.each([
    ['ok 1 - adds', 'adds: passed'], ['ok adds', 'adds: passed'], ['ok 1', 'test 1: passed'], ['not ok 2 - adds', 'adds: failed'],
    ['not ok 1 - later # TODO not yet', 'later: skipped'], ['ok 1 - there # SKIP no network', 'there: skipped'], ['ok 1 - a \\# b # skip', 'a # b: skipped'],
    ['ok 1 - a # b', 'a # b: passed'], ['ok 1 - timed # time=12.5ms', 'timed: passed'], ['ok 1 - with block # time=3ms {', 'with block: passed'],
    ['ok 1 - brackets [x] (y) {z}', 'brackets [x] (y) {z}: passed'], ['ok 1 - ünïcödé 💥', 'ünïcödé 💥: passed'], ['ok 1 - a\r', 'a: passed'],
  ])('%j is %j', (text, expected) => expect(lines('tap', `1..1\n${text}\n`)).toEqual([expected]));

  test('a plan at the end, a version and a byte-order mark are as good', () => {
    expect(lines('tap', '\uFEFFTAP version 13\nok 1 - a\n1..1\n# done\n')).toEqual(['a: passed']);
    expect(lines('tap', '1..0 # SKIP no tests here\n')).toBeUndefined();
    expect(lines('tap', 'TAP version 13\n1..0\n')).toEqual([]);
  });
});

describe('cargo test', () => {
  test('a test that prints what a result looks like makes no test of it', () => {
    const text = ['running 2 tests', 'test real ... FAILED', 'test other ... ok', '', 'failures:', '', '---- real stdout ----', 'test fake ... ok', '', 'test result: FAILED. 1 passed; 1 failed'].join('\n');
    expect(lines('cargo_test', text)).toEqual(['real: failed', 'other: passed']);
  });

  test('the line of a test in the documentation is no part of its name', () => {
    const at = (line: number): string[] | undefined => lines('cargo_test', `running 1 test\ntest src/lib.rs - add (line ${line}) ... ok\ntest result: ok. 1 passed`);
    expect(at(3)).toEqual(at(30));
  });
});

test('with auto, standard output is read as what it is', () => {
  expect(lines('auto', 'npm noise\n1..1\nok 1 - tap\n')).toEqual(['tap: passed']);
  expect(lines('auto', 'go: downloading\n{"Action":"pass","Package":"p","Test":"T"}\n')).toEqual(['T: passed']);
  expect(lines('auto', 'Compiling\nrunning 1 test\ntest a ... ok\n\ntest result: ok. 1 passed\n')).toEqual(['a: passed']);
  expect(lines('auto', '5 passing (3ms)\n')).toBeUndefined();
});
