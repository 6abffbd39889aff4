/** Runners are asked where they stand, whatever started them; programs that are none, or that tests start, are left alone. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, beforeEach, describe, expect, test } from 'vitest';
import { askingEnvironment, isAsked, readAsked } from '../../src/activities/reports/asking.ts';
import type { ReportFormat } from '../../src/domain/commands.ts';
import { projectRoot } from '../../src/project.ts';
import { temporaryFolder } from '../support/repository.ts';

const folder = temporaryFolder();
afterAll(() => rmSync(folder, { recursive: true }));
let worktree: string;
let reports: string;
let count = 0;
beforeEach(() => {
  count += 1;
  // A blank and a quote, as folders of people have them.
  worktree = join(folder, `it's worktree ${count}`);
  reports = join(folder, `reports of ${count}`);
  for (const made of [worktree, reports]) mkdirSync(made);
});

function write(files: Record<string, string>): void {
  for (const [file, text] of Object.entries(files)) {
    mkdirSync(dirname(join(worktree, file)), { recursive: true });
    writeFileSync(join(worktree, file), text);
  }
}
const run = (argv: readonly string[]): { status: number | null; stdout: string; stderr: string } => spawnSync(argv[0]!, argv.slice(1), {
  cwd: worktree, encoding: 'utf8', env: { PATH: process.env['PATH'], PYENV_ROOT: process.env['PYENV_ROOT'], HOME: folder, CI: '1', ...askingEnvironment(reports) },
});
const reported = async (format: ReportFormat = 'auto', stdout = ''): Promise<string[] | undefined> =>
  (await readAsked(format, reports, worktree, stdout))?.cases.map(({ file, path, status }) => `${file}: ${path.join(' > ')}: ${status}`);

test('vitest behind a script, behind a script, behind npm', async () => {
  symlinkSync(join(projectRoot, 'node_modules'), join(worktree, 'node_modules'));
  write({
    'package.json': JSON.stringify({ type: 'module', scripts: { test: 'npm run lint && npm run unit && node end.mjs', lint: 'node --version', unit: 'vitest run' } }),
    'end.mjs': '', 'sums.test.js': "import { test } from 'vitest';\ntest('adds', () => {});\ntest('breaks', () => { throw new Error('no'); });\n",
  });
  const { status, stdout } = run(['npm', 'test']);
  expect(await reported()).toEqual(['sums.test.js: adds: passed', 'sums.test.js: breaks: failed']);
  expect(await reported('jest_json')).toBeUndefined();
  expect(status).toBe(1);
  expect(stdout).toContain('sums.test.js');
});

/** A package that shows what its main program was started with, and what a program that it starts sees of us. */
const shows = `require('node:fs').writeFileSync('seen.json', JSON.stringify({ args: process.argv.slice(2), child: require('node:child_process')
  .execFileSync(process.execPath, ['-p', 'JSON.stringify([process.env.MISSION_CONTROL_REPORTS, process.env.NODE_OPTIONS])'], { encoding: 'utf8' }).trim() }));`;

const seen = (): { args: string[]; child: string } =>
  JSON.parse(readFileSync(join(worktree, 'seen.json'), 'utf8')) as { args: string[]; child: string };

test.each([
  ['jest', 'jest/bin/jest.js', ['--json', expect.stringMatching(/^--outputFile=.*\/jest-\d+\.json$/)]],
  ['mocha', 'mocha/bin/mocha.js', ['--reporter', expect.stringMatching(/mocha-reporter\.cjs$/)]],
])('%s is asked through its link in .bin, and what it starts is not', async (name, program, args) => {
  write({ [`node_modules/${program}`]: `#!/usr/bin/env node\n${shows}` });
  mkdirSync(join(worktree, 'node_modules', '.bin'));
  symlinkSync(join('..', program), join(worktree, 'node_modules', '.bin', name));
  run([process.execPath, join('node_modules', '.bin', name), '--colors']);
  expect(seen()).toEqual({ args: ['--colors', ...args], child: '[null,null]' });
});

test('a program that is no runner is left as it is', async () => {
  write({ 'jest.js': shows });
  run([process.execPath, 'jest.js', 'a']);
  expect(seen().args).toEqual(['a']);
  expect(readdirSync(reports)).toEqual([]);
});

describe('unittest', () => {
  const sums = [
    'import unittest', 'class Sums(unittest.TestCase):', '  def test_adds(self): pass', '  def test_fails(self): self.fail("one is not two")',
    '  @unittest.skip("no network")', '  def test_skipped(self): pass', '',
  ].join('\n');

  test('is asked from a Makefile, and says what it says to people', async () => {
    write({ 'tests/test_sums.py': sums, Makefile: 'test:\n\tpython3 -m unittest discover -s tests\n' });
    const { status, stderr } = run(['make', 'test']);
    expect(await reported()).toEqual(['test_sums: Sums > test_adds: passed', 'test_sums: Sums > test_fails: failed', 'test_sums: Sums > test_skipped: skipped']);
    expect(status).toBe(2);
    expect(stderr).toContain('FAILED (failures=1, skipped=1)');
  });

  test('that ends in the middle, with exit code 0, has a failed test', async () => {
    write({ 'test_quits.py': 'import os, unittest\nclass Quits(unittest.TestCase):\n  def test_a(self): pass\n  def test_b(self): os._exit(0)\n  def test_c(self): pass\n' });
    expect(run(['python3', '-m', 'unittest']).status).toBe(0);
    expect(await reported()).toEqual(['test_quits: Quits > test_a: passed', 'test_quits: Quits > test_b: failed']);
  });

  test('that a test starts is test material', async () => {
    write({ 'test_sums.py': 'import subprocess, sys, unittest\nclass Sums(unittest.TestCase):\n  def test_adds(self): self.assertEqual(subprocess.call([sys.executable, "inner.py"], stderr=subprocess.DEVNULL), 1)\n', 'inner.py': `${sums}\nunittest.main()\n` });
    run(['python3', '-m', 'unittest']);
    expect(await reported()).toEqual(['test_sums: Sums > test_adds: passed']);
  });

  test('leaves the interpreter\'s own customisation in force', async () => {
    write({ 'site/sitecustomize.py': 'import builtins\nbuiltins.ours = 1\n', 'test_site.py': 'import unittest\nclass Site(unittest.TestCase):\n  def test_site(self): self.assertEqual(ours, 1)\n' });
    const { PYTHONPATH, ...environment } = askingEnvironment(reports);
    spawnSync('python3', ['-m', 'unittest'], { cwd: worktree, env: { PATH: process.env['PATH'], PYENV_ROOT: process.env['PYENV_ROOT'], ...environment, PYTHONPATH: `${PYTHONPATH}:${join(worktree, 'site')}` } });
    expect(await reported()).toEqual(['test_site: Site > test_site: passed']);
  });
});

test('only the format that was named is read', async () => {
  writeFileSync(join(reports, 'pytest.xml'), '<testsuite name="pytest"><testcase name="a"/></testsuite>');
  writeFileSync(join(reports, 'lines-x.ndjson'), '{"path":["b"],"status":"passed"}\n');
  expect(await reported('pytest_junit')).toEqual([': a: passed']);
  expect(await reported('node_test')).toEqual([': b: passed']);
  expect(await reported('auto')).toEqual([': b: passed', ': a: passed']);
});

test('standard output counts only where nobody else reported, and only with auto', async () => {
  const tap = '1..1\nok 1 - told\n';
  expect(await reported('auto', tap)).toEqual([': told: passed']);
  expect(await reported('node_test', tap)).toBeUndefined();
  writeFileSync(join(reports, 'lines-x.ndjson'), '{"path":["b"],"status":"passed"}\n');
  expect(await reported('auto', tap)).toEqual([': b: passed']);
});

test('links, pipes, folders and files of other names in the folder are no reports and hold nobody up', async () => {
  writeFileSync(join(folder, 'secret'), '{"path":["secret"],"status":"passed"}\n');
  symlinkSync(join(folder, 'secret'), join(reports, 'lines-link.ndjson'));
  spawnSync('mkfifo', [join(reports, 'lines-pipe.ndjson')]);
  mkdirSync(join(reports, 'lines-folder'));
  writeFileSync(join(reports, 'constructor'), '{"path":["a"],"status":"passed"}\n');
  expect(existsSync(join(reports, 'lines-pipe.ndjson'))).toBe(true);
  expect(await reported()).toBeUndefined();
});

test.each<[ReportFormat, boolean]>([['auto', true], ['node_test', true], ['pytest_junit', true], ['junit', false], ['tap', false], ['cargo_test', false]])('%s without a place is asked for: %s', (format, asked) => {
  expect(isAsked({ format })).toBe(asked);
  expect(isAsked({ format, from: 'stdout' })).toBe(false);
  expect(isAsked({ format, path: '*.xml' })).toBe(false);
});
test('no report is not asked for', () => expect(isAsked(undefined)).toBe(false));
