/**
 * One mission per language, with nothing configured: a first candidate that fixes nothing is not proved by the same tests
 * that prove the second one, which lands.
 */
import { spawnSync } from 'node:child_process';
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import type { MissionDetail } from '../../src/domain/mission-view.ts';
import { projectRoot } from '../../src/project.ts';
import { brokenAdd, calculator, fixedAdd, temporaryFolder, type TestRepository } from '../support/repository.ts';
import { startSystem, type System } from '../support/system.ts';

interface Language {
  /** What must be on this machine, and how it is asked whether it is. */
  tool: string[];
  files: Record<string, string>;
  fix: Record<string, string>;
  required: string;
  /** What is seen of the fix on the target branch afterwards. */
  landed: [file: string, text: string];
  argv: string[];
}

const languages: Record<string, Language> = {
  'npm and node:test': {
    tool: ['npm', '--version'], files: calculator, fix: fixedAdd, required: 'test/add.test.js › adds', landed: ['add.js', 'a + b'],
    argv: ['npm', 'test', '--silent'],
  },
  'Python and unittest': {
    tool: ['python3', '--version'],
    files: {
      'calc/__init__.py': 'def add(a, b):\n    return a - b\n', '.gitignore': '__pycache__\n',
      'tests/__init__.py': '', 'tests/test_calc.py': [
        'import unittest', 'from calc import add', '', 'class Sums(unittest.TestCase):', '    def test_adds(self):',
        '        self.assertEqual(add(2, 2), 4)', '', '    def test_is_here(self):', '        self.assertTrue(callable(add))', '',
      ].join('\n'),
    },
    fix: { 'calc/__init__.py': 'def add(a, b):\n    return a + b\n' }, required: 'tests.test_calc.Sums.test_adds', landed: ['calc/__init__.py', 'a + b'],
    argv: ['python3', '-m', 'unittest', 'discover', '-s', 'tests', '-t', '.'],
  },
  Go: {
    tool: ['go', 'version'],
    files: {
      'go.mod': 'module example.com/calc\n\ngo 1.21\n', 'calc.go': 'package calc\n\nfunc Add(a, b int) int { return a - b }\n',
      'calc_test.go': 'package calc\n\nimport "testing"\n\nfunc TestAdd(t *testing.T) {\n\tt.Run("small numbers", func(t *testing.T) {\n\t\tif Add(2, 2) != 4 {\n\t\t\tt.Fatal(Add(2, 2))\n\t\t}\n\t})\n}\n\nfunc TestIsHere(t *testing.T) {}\n',
    },
    fix: { 'calc.go': 'package calc\n\nfunc Add(a, b int) int { return a + b }\n' }, required: 'TestAdd/small_numbers', landed: ['calc.go', 'a + b'],
    argv: ['go', 'test', '-json', './...'],
  },
  Rust: {
    tool: ['cargo', '--version'],
    files: {
      'Cargo.toml': '[package]\nname = "calc"\nversion = "0.1.0"\nedition = "2021"\n', '.gitignore': 'target\n',
      'src/lib.rs': 'pub fn add(a: i32, b: i32) -> i32 { a - b }\n\n#[cfg(test)]\nmod tests {\n    use super::add;\n\n    #[test]\n    fn adds() { assert_eq!(add(2, 2), 4); }\n\n    #[test]\n    fn is_here() {}\n}\n',
    },
    fix: { 'src/lib.rs': 'pub fn add(a: i32, b: i32) -> i32 { a + b }\n\n#[cfg(test)]\nmod tests {\n    use super::add;\n\n    #[test]\n    fn adds() { assert_eq!(add(2, 2), 4); }\n\n    #[test]\n    fn is_here() {}\n}\n' },
    required: 'tests::adds', landed: ['src/lib.rs', 'a + b'], argv: ['cargo', 'test', '--offline', '--no-fail-fast'],
  },
  'a Makefile and TAP': {
    tool: ['make', '--version'],
    files: {
      'add.sh': 'expr "$1" - "$2"\n', Makefile: '.PHONY: test\ntest:\n\t@sh check.sh\n',
      'check.sh': 'echo 1..2\nif test "$(sh add.sh 2 2)" = 4; then echo "ok 1 - adds [2 + 2]"; else echo "not ok 1 - adds [2 + 2]"; failed=1; fi\necho "ok 2 - is here"\nexit ${failed:-0}\n',
    },
    fix: { 'add.sh': 'expr "$1" + "$2"\n' }, required: 'adds [2 + 2]', landed: ['add.sh', '"$1" + "$2"'], argv: ['make', 'test'],
  },
};
const present = ({ tool: [command, ...args] }: Language): boolean => spawnSync(command!, args, { stdio: 'ignore' }).status === 0;

let system: System;
const goCache = temporaryFolder();
const started = new Map<string, { repository: TestRepository; mission: MissionDetail }>();
beforeAll(async () => {
  // Go's standard library is compiled once here, not once a run: 14 s of processor time each.
  vi.stubEnv('GOCACHE', goCache);
  system = await startSystem();
  const policy = readFileSync(join(projectRoot, 'config', 'policy.yaml'), 'utf8');
  await system.configure('policy.yaml', policy.replace('writable: []', `writable: [${JSON.stringify(goCache)}]`));
  await system.startWorker();
  // All at once: compilers take their time, and the missions wait for each other no longer than they must.
  for (const [name, language] of Object.entries(languages)) {
    if (!present(language)) continue;
    const repository = system.repository(language.files);
    const mission = await system.send(repository, [repository.diff({ 'NOTES.md': 'Looked at it.\n' }), repository.diff(language.fix)], {
      acceptance_criteria: {
        must_pass_tests: [language.required], observation_window_minutes: 0.005, observation_window: { metrics: 'none', reason: 'a test of the pipeline' },
      },
    });
    started.set(name, { repository, mission });
  }
});
afterAll(async () => {
  vi.unstubAllEnvs();
  await system.stop();
  rmSync(goCache, { recursive: true, force: true });
});

test.for(Object.entries(languages))('%s: the fix lands; the same tests without it do not pass', { timeout: 600_000 }, async ([name, language], { skip }) => {
  skip(!present(language), `${language.tool[0]} is not on this machine`);
  const { repository, mission: { mission_id } } = started.get(name)!;
  const mission = await system.whenEnded(mission_id);
  expect(mission).toMatchObject({ status: 'resolved', outcome: 'landed' });
  expect(mission.remediation_history[0]).toMatchObject({ action: 'candidate 1', result: expect.stringContaining(`required test failed: ${language.required}`) });
  expect(repository.git('show', `main:${language.landed[0]}`)).toContain(language.landed[1]);
  expect(repository.git('ls-tree', '--name-only', 'main')).not.toContain('NOTES.md');
  const tests = system.stage(mission, 'run_tests');
  expect(tests.reason).toMatch(/^2 passed, 0 failed, 0 skipped|^3 passed, 0 failed, 0 skipped/);
  const run = JSON.parse((await system.artifacts.read(tests.evidence.find((item) => item.kind === 'test_run')!.sha256)).toString()) as { argv: string[] };
  expect(run.argv).toEqual(language.argv);
});

test('a change that breaks another test of the language does not land either', async () => {
  const repository = system.repository(calculator);
  const mission = await system.whenEnded((await system.send(repository, [repository.diff(brokenAdd)])).mission_id);
  expect(mission.status).toBe('escalated');
  expect(repository.log()).toHaveLength(1);
});
