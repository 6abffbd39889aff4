/** Every file in `recorded/` is what the named version of a runner wrote, with its folders called `/worktree`. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { parseTestReport } from '../../src/activities/reports/read.ts';
import type { ReportFormat } from '../../src/domain/commands.ts';
import { matchesName, type TestCase } from '../../src/domain/test-report.ts';

const recorded = (file: string): string => readFileSync(join(import.meta.dirname, 'recorded', file), 'utf8');
const casesOf = (format: ReportFormat, file: string): TestCase[] => parseTestReport(format, [recorded(file)], '/worktree')!.cases;
const line = ({ file, path, status }: TestCase): string => `${file}: ${path.join(' > ')}: ${status}`;

const jestLike = [
  'sums > small [x] > adds 1 + 1: passed', 'sums > small [x] > fails: failed', 'sums > skipped: skipped', 'sums > same: passed', 'sums > same: passed',
];

test.each<[ReportFormat, string, string[]]>([
  ['jest_json', 'jest-29.json', [...jestLike.map((of) => `jest/sums.test.js: ${of}`), 'jest/sums.test.js: sums > later: skipped', 'jest/broken.test.js: jest/broken.test.js: failed']],
  ['vitest_json', 'vitest-3.json', [...jestLike.map((of) => `vitest/sums.test.mjs: ${of}`), 'vitest/broken.test.mjs: vitest/broken.test.mjs: failed']],
  ['go_test_json', 'go-1.26.ndjson', [
    'example.com/sums/broken: example.com/sums/broken: failed',
    'example.com/sums/crash: TestFirst: passed', 'example.com/sums/crash: TestPanics: failed',
    'example.com/sums/quits: TestFirst: passed', 'example.com/sums/quits: TestQuits: failed',
    'example.com/sums/sums: TestAdds > small_numbers_[x]: passed', 'example.com/sums/sums: TestAdds > large: failed',
    'example.com/sums/sums: TestAdds > same: passed', 'example.com/sums/sums: TestAdds > same#01: passed', 'example.com/sums/sums: TestAdds: failed',
    'example.com/sums/sums: TestSkipped: skipped', 'example.com/sums/sums: TestFine: passed',
  ]],
  ['cargo_test', 'cargo-1.95.txt', [
    ': tests > ignored: skipped', ': tests > panics: passed', ': tests > fails: failed', ': tests > small > adds: passed',
    ': the whole target: failed', ': adds: passed', 'src/lib.rs: add: passed',
  ]],
  ['cargo_test', 'cargo-1.95-one-thread.txt', [
    ': tests > fails: failed', ': tests > ignored: skipped', ': tests > panics: passed', ': tests > small > adds: passed',
  ]],
  ['pytest_junit', 'pytest-9.xml', [
    'tests/test_broken.py: tests.test_broken: failed', 'tests/test_sums.py: test_adds[1-2]: passed', 'tests/test_sums.py: test_adds[x y-[z]]: passed',
    'tests/test_sums.py: test_fails: failed', 'tests/test_sums.py: test_skipped: skipped', 'tests/test_sums.py: test_expected_to_fail: skipped',
    'tests/test_sums.py: test_errors: failed', 'tests/test_sums.py: TestSums > TestInner > test_deep: passed',
    'tests/test_sums.py: TestSums > test_colour: passed', 'tests/test_sums.py: Old > test_old: passed',
  ]],
  ['pytest_junit', 'pytest-9-xunit2.xml', [
    ': tests.test_broken: failed', 'tests.test_sums: test_adds[1-2]: passed', 'tests.test_sums: test_adds[x y-[z]]: passed',
    'tests.test_sums: test_fails: failed', 'tests.test_sums: test_skipped: skipped', 'tests.test_sums: test_expected_to_fail: skipped',
    'tests.test_sums: test_errors: failed', 'tests.test_sums.TestSums.TestInner: test_deep: passed',
    'tests.test_sums.TestSums: test_colour: passed', 'tests.test_sums.Old: test_old: passed',
  ]],
  ['tap', 'node-20.tap', [': sums > adds # 1: passed', ': sums > fails: failed', ': sums > later: skipped', ': sums: failed', ': flat: passed']],
  ['tap', 'tape-5.tap', [': adds # not a comment: passed', ': fails: failed']],
])('%s of %s', (format, file, lines) => expect(casesOf(format, file).map(line).toSorted()).toEqual(lines.toSorted()));

test.each<[ReportFormat, string, string]>([
  ['jest_json', 'jest-29.json', 'sums small [x] adds 1 + 1'],
  ['vitest_json', 'vitest-3.json', 'vitest/sums.test.mjs > sums > small [x] > adds 1 + 1'],
  ['go_test_json', 'go-1.26.ndjson', 'TestAdds/small_numbers_[x]'],
  ['go_test_json', 'go-1.26.ndjson', 'example.com/sums/sums.TestAdds/small_numbers_[x]'],
  ['cargo_test', 'cargo-1.95.txt', 'tests::small::adds'],
  ['pytest_junit', 'pytest-9.xml', 'tests/test_sums.py::TestSums::TestInner::test_deep'],
  ['pytest_junit', 'pytest-9.xml', 'tests/test_sums.py::test_adds[x y-[z]]'],
  ['pytest_junit', 'pytest-9-xunit2.xml', 'tests.test_sums.TestSums.TestInner.test_deep'],
])('in %s of %s, the runner\'s own id %j names one test', (format, file, id) => {
  expect(casesOf(format, file).filter((test) => matchesName(test, id))).toHaveLength(1);
});

test('why a test failed is kept', () => {
  const messages = (format: ReportFormat, file: string): string =>
    casesOf(format, file).flatMap((test) => (test.status === 'failed' ? [test.message ?? ''] : [])).join('\n');
  expect(messages('jest_json', 'jest-29.json')).toContain('expect(received).toBe(expected)');
  expect(messages('vitest_json', 'vitest-3.json')).toContain("Cannot find module './nowhere.mjs'");
  expect(messages('go_test_json', 'go-1.26.ndjson')).toContain('3 is not 4');
  expect(messages('pytest_junit', 'pytest-9.xml')).toContain('one is not two');
  expect(messages('cargo_test', 'cargo-1.95.txt')).toContain('2 tests promised, 0 reported');
});
