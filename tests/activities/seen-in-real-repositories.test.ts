/** What real suites did to tools like this one, each as a small repository: real git, real worktrees, real runners. */
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { TestsResult } from '../../src/domain/coding.ts';
import type { TestRun } from '../../src/domain/test-report.ts';
import { brokenAdd, calculator, fixedAdd } from '../support/repository.ts';
import { openWorkspace, type Workspace } from '../support/workspace.ts';

let workspace: Workspace;
beforeAll(async () => { workspace = await openWorkspace(); });
afterAll(() => workspace.close());

const head = "import assert from 'node:assert/strict';\nimport test from 'node:test';\nimport { add } from '../add.js';\n";
const manifest = (more: object): string => JSON.stringify({ name: 'calculator', private: true, type: 'module', ...more });
const tested = (files: Record<string, string>, changes: Record<string, string | null>, required?: string[]): Promise<TestsResult> =>
  workspace.tested(workspace.repository(files), changes, required);
const runOf = async (result: TestsResult, kind = 'test_run'): Promise<TestRun> =>
  JSON.parse((await workspace.artifacts.read(result.evidence.find((item) => item.kind === kind)!.sha256)).toString('utf8')) as TestRun;

describe('a suite that says nothing', () => {
  const silent = { ...calculator, 'package.json': manifest({ scripts: { test: 'node report.mjs' } }), 'report.mjs': "console.log('1..1\\nok 1 - adds');\n" };

  test('with exit code 0, because the program is broken, has not passed', async () => {
    const result = await tested(silent, { 'report.mjs': 'process.exit(0);\n' });
    expect(result).toMatchObject({ outcome: 'failed', reason: 'the report is empty or unreadable, and on the base it was not' });
  });

  test('on the base either proves its exit code and nothing else, and the mission says so', async () => {
    const files = { ...calculator, 'package.json': manifest({ scripts: { test: 'node check.mjs' } }), 'check.mjs': "import { add } from './add.js';\nprocess.exit(add(2, 2) === 4 ? 0 : 1);\n" };
    expect(await tested(files, fixedAdd)).toMatchObject({ outcome: 'passed', reason: 'no readable report: the run proves its exit code 0 and nothing else' });
    expect(await tested(files, brokenAdd)).toMatchObject({ outcome: 'failed', reason: expect.stringContaining('the test command ended with exit code 1') });
    expect(await tested(files, fixedAdd, ['adds'])).toMatchObject({ outcome: 'failed', reason: expect.stringContaining('no readable test report: adds not seen to pass') });
  });
});

describe('a suite that crashes half-way', () => {
  const suite = (middle: string): string => `${head}test('first', () => {});\ntest('adds', () => { ${middle} assert.equal(add(2, 2), 4); });\ntest('last', () => {});\n`;
  test.each([['exit code 0', 'process.exit(0);'], ['another exit code', 'process.exit(3);'], ['a signal', "process.kill(process.pid, 'SIGKILL');"]])('with %s has not passed, whatever was reported before', async (_, crash) => {
    const result = await tested({ ...calculator, 'test/add.test.js': suite('') }, { ...fixedAdd, 'test/add.test.js': suite(crash) }, ['first']);
    expect(result.outcome).toBe('failed');
    expect(result.reason).toMatch(/first/);
  });
});

test('an exit code that is the number of failures is no crash: failures of the base do not count', async () => {
  const script = "console.log('1..4\\nnot ok 1 - a\\nnot ok 2 - b\\nnot ok 3 - c');\nconst { add } = await import('./add.js');\nconst ok = add(2, 2) === 4;\nconsole.log(`${ok ? '' : 'not '}ok 4 - adds`);\nprocess.exit(ok ? 3 : 4);\n";
  const result = await tested({ ...calculator, 'package.json': manifest({ scripts: { test: 'node report.mjs' } }), 'report.mjs': script }, fixedAdd, ['adds']);
  expect(result).toMatchObject({ outcome: 'passed', reason: '1 passed, 3 failed, 0 skipped; failing on the base too:  › a,  › b,  › c' });
});

test('a test that needs the internet fails on base and fix alike, and stops nobody', async () => {
  const online = "import test from 'node:test';\nimport { connect } from 'node:net';\nimport { once } from 'node:events';\ntest('asks the world', async () => { await once(connect(1, '127.0.0.1'), 'connect'); });\n";
  const result = await tested({ ...calculator, 'test/online.test.js': online }, fixedAdd, ['adds']);
  expect(result).toMatchObject({ outcome: 'passed', reason: expect.stringContaining('failing on the base too: test/online.test.js › asks the world') });
});

describe('a run that asking for a report breaks', () => {
  const files = { ...calculator, 'package.json': manifest({ scripts: { test: 'node strict.mjs' } }), 'strict.mjs': "import { add } from './add.js';\nif (process.env.NODE_OPTIONS) process.exit(9);\nprocess.exit(add(2, 2) === 4 ? 0 : 1);\n" };

  test('is judged by the plain command, which proves its exit code', async () => {
    const result = await tested(files, fixedAdd);
    expect(result).toMatchObject({ outcome: 'passed', reason: 'no readable report: the run proves its exit code 0 and nothing else' });
    expect((await runOf(result)).note).toMatch(/^asked for a report, the command failed without one \(output in artefact [0-9a-f]{64}\); this is the plain command's run$/);
  });

  test('meets no required name, and says why there is no report', async () => {
    const result = await tested(files, fixedAdd, ['adds']);
    expect(result.outcome).toBe('failed');
    expect(result.reason).toMatch(/no readable test report: adds not seen to pass; asked for a report, the command failed without one/);
  });

  test('that fails without being asked, too, fails', async () => {
    expect(await tested(files, { 'README.md': 'x\n' })).toMatchObject({ outcome: 'failed', reason: expect.stringContaining('exit code 1') });
  });

  test('by NO_COLOR or FORCE_COLOR does not happen: neither is set', async () => {
    const script = "process.exit('NO_COLOR' in process.env || 'FORCE_COLOR' in process.env ? 9 : 0);\n";
    expect(await tested({ 'package.json': files['package.json'], 'strict.mjs': script }, { 'README.md': 'x\n' })).toMatchObject({ outcome: 'passed' });
  });
});

test('a fix that renames a test passes, with both names shown to whoever approves', async () => {
  const renamed = calculator['test/add.test.js'].replace("test('is here'", "test('is a function'");
  const result = await tested(calculator, { ...fixedAdd, 'test/add.test.js': renamed }, ['adds']);
  expect(result).toMatchObject({
    outcome: 'passed', vanished: ['test/add.test.js › is here'],
    reason: '2 passed, 0 failed, 0 skipped; vanished: test/add.test.js › is here; new: test/add.test.js › is a function',
  });
});

test('duplicate names, blanks, brackets, a byte-order mark and colour codes in names are names', async () => {
  const names = ['adds', 'adds', ' with  blanks ', 'brackets [x] {y} (z) <w>', '\uFEFFmarked', '\u001b[31mred\u001b[0m', 'a > b', 'ünï'];
  const suite = `${head}for (const name of ${JSON.stringify(names)}) test(name, () => assert.equal(add(2, 2), 4));\n`;
  const result = await tested({ ...calculator, 'test/add.test.js': suite }, fixedAdd, ['adds', 'with  blanks', 'brackets [x] {y} (z) <w>', 'marked', 'red', 'a > b', 'ünï']);
  expect(result).toMatchObject({ outcome: 'passed', vanished: [], reason: '8 passed, 0 failed, 0 skipped' });
});

describe('install scripts', () => {
  const lock = (dep: object): string => JSON.stringify({
    name: 'calculator', lockfileVersion: 3, requires: true,
    packages: { '': { name: 'calculator', dependencies: { dep: 'file:dep' } }, dep: { name: 'dep', version: '1.0.0', ...dep }, 'node_modules/dep': { resolved: 'dep', link: true } },
  });
  const withDependency = (install: string, scripts: object = {}): Record<string, string> => ({
    ...calculator, 'package.json': manifest({ scripts: { test: 'node --test', ...scripts }, dependencies: { dep: 'file:dep' } }),
    'package-lock.json': lock({ hasInstallScript: true }), '.gitignore': 'node_modules\n', 'dep/index.js': 'module.exports = 1;\n',
    'dep/package.json': JSON.stringify({ name: 'dep', version: '1.0.0', scripts: { install } }),
    'test/dep.test.js': "import test from 'node:test';\nimport assert from 'node:assert/strict';\nimport dep from 'dep';\ntest('is installed', () => assert.equal(dep, 1));\n",
  });

  test('that need the network fail without stopping a suite that does without them', async () => {
    const result = await tested(withDependency('node -e "process.exit(process.env.npm_config_offline ? 0 : 1)"'), fixedAdd, ['adds', 'is installed']);
    expect(result).toMatchObject({ outcome: 'passed' });
  });

  test('that write hooks into the shared .git bring none of them to run', async () => {
    const hook = [
      "import { execFileSync } from 'node:child_process';", "import { mkdirSync, writeFileSync } from 'node:fs';", "import { join } from 'node:path';",
      "const git = (...args) => execFileSync('git', args, { encoding: 'utf8' }).trim();",
      "const folder = join(git('rev-parse', '--path-format=absolute', '--git-common-dir'), 'hooks');",
      "for (const name of ['post-checkout', 'reference-transaction', 'pre-commit']) {",
      '  mkdirSync(folder, { recursive: true });', '  writeFileSync(join(folder, name), `#!/bin/sh\\necho ran >> "$(dirname "$0")/ran"\\n`, { mode: 0o755 });', '}',
      "git('config', 'core.hooksPath', folder);", '',
    ].join('\n');
    const repository = workspace.repository({ ...withDependency('node -e ""', { prepare: 'node hook.mjs' }), 'hook.mjs': hook });
    expect(await workspace.tested(repository, fixedAdd, ['adds', 'is installed'])).toMatchObject({ outcome: 'passed' });
    const { gitDir } = await workspace.fetched(repository);
    const hooks = join(gitDir, 'hooks');
    expect(existsSync(hooks) ? readdirSync(hooks).filter((name) => name === 'ran') : []).toEqual([]);
    // A setup that was configured may do what it likes in there; ours is restored with the next checkout.
    expect(await workspace.tested(repository, { ...fixedAdd, 'README.md': 'again\n' }, ['adds'])).toMatchObject({ outcome: 'passed' });
    expect(existsSync(join(hooks, 'ran'))).toBe(false);
  });
});

test('tools that need .git find it, at the commit under test, in setup and tests', async () => {
  const files = {
    'version.sh': 'set -e\ngit rev-parse --verify HEAD > version\ngit describe --always --dirty > description\n',
    'check.sh': 'echo 1..1\ntest "$(git rev-parse HEAD)" = "$(cat version)" && test -z "$(git status --porcelain)" && grep -q fixed state.txt && echo ok 1 - versioned || echo not ok 1 - versioned\n',
    'state.txt': 'broken\n', '.gitignore': 'version\ndescription\n',
    '.mission-control.yaml': 'commands: {setup: {argv: [sh, version.sh]}, test: {argv: [sh, check.sh], report: {format: tap, from: stdout}}}\n',
  };
  expect(await tested(files, { 'state.txt': 'fixed\n' }, ['versioned'])).toMatchObject({ outcome: 'passed', reason: '1 passed, 0 failed, 0 skipped' });
});

test('a virtualenv and an editable install belong to the worktree and tree that they were made for', async () => {
  const files = {
    'setup.py': "import os\npath = os.path.dirname(os.path.abspath(__file__))\nopen(os.path.join(path, 'installed'), 'w').write(path)\n",
    'calc.py': 'def add(a, b): return a - b\n', '.gitignore': '.venv\ninstalled\n__pycache__\n',
    // As an editable install does it: the virtualenv gets the absolute path of the worktree.
    'editable.py': "import os, sysconfig\nopen(os.path.join(sysconfig.get_path('purelib'), 'calc.pth'), 'w').write(os.getcwd())\n",
    'tests/test_calc.py': [
      'import os, shutil, sys, unittest', 'import calc', 'class Calc(unittest.TestCase):',
      '  def test_adds(self): self.assertEqual(calc.add(2, 2), 4)',
      "  def test_is_this_tree(self): self.assertEqual(os.path.dirname(os.path.abspath(calc.__file__)), os.path.dirname(os.path.dirname(os.path.abspath(__file__))))",
      "  def test_programs_are_its_own(self): self.assertEqual(os.path.dirname(shutil.which('python')), os.path.join(os.environ['VIRTUAL_ENV'], 'bin'))", '',
    ].join('\n'),
    '.mission-control.yaml': [
      'commands:', '  setup: {argv: [python3, -m, venv, --without-pip, .venv], next: [{argv: [.venv/bin/python, editable.py]}]}',
      '  test: {argv: [.venv/bin/python, -P, -m, unittest, discover, -s, tests], report: {format: auto}}', '',
    ].join('\n'),
  };
  const repository = workspace.repository(files);
  // A first mission still holds its worktree, so that the next one gets another.
  const first = await workspace.tested(repository, { 'calc.py': 'def add(a, b): return b + a\n' }, ['Calc > test_adds', 'Calc > test_is_this_tree', 'Calc > test_programs_are_its_own']);
  expect(first).toMatchObject({ outcome: 'passed', reason: '3 passed, 0 failed, 0 skipped' });
  expect(await workspace.tested(repository, { 'README.md': 'x\n' }, ['test_calc.Calc.test_adds'])).toMatchObject({ outcome: 'failed', reason: 'required test failed: test_calc.Calc.test_adds' });
});
