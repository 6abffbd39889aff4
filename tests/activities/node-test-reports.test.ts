import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, describe, expect, test } from 'vitest';
import { parseNodeTest } from '../../src/activities/reports/node-test.ts';
import { judgeTests, type TestCase, type TestRun } from '../../src/domain/test-report.ts';
import { nodeTestReporter } from '../../src/project.ts';
import { temporaryFolder } from '../support/repository.ts';

const folders: string[] = [];
afterAll(() => { for (const folder of folders) rmSync(folder, { recursive: true }); });

/** A real `node --test` on these files, each time in another folder. */
function runNode(files: Record<string, string>): { cases: TestCase[]; exit_code: number | null; output: string } {
  const folder = temporaryFolder();
  folders.push(folder);
  for (const [file, text] of Object.entries({ 'package.json': '{"type":"module"}', ...files })) {
    mkdirSync(dirname(join(folder, file)), { recursive: true });
    writeFileSync(join(folder, file), text);
  }
  const report = join(folder, 'report of this run.ndjson');
  const options = [`--test-reporter=${pathToFileURL(nodeTestReporter).href}`, '--test-reporter-destination=stdout', '--test-reporter=spec', '--test-reporter-destination=stdout'];
  // vitest's own variables would make node take this for a test inside of a test.
  const { status, stdout } = spawnSync(process.execPath, ['--test'], {
    cwd: folder, encoding: 'utf8', env: { PATH: process.env['PATH'], HOME: folder, NODE_OPTIONS: options.join(' '), MISSION_CONTROL_NODE_TEST_REPORT: report },
  });
  return { cases: parseNodeTest(readFileSync(report, 'utf8'))?.cases ?? [], exit_code: status, output: stdout };
}

const head = "import test, { describe, it, before } from 'node:test';\nimport assert from 'node:assert/strict';\n";
const lines = (cases: readonly TestCase[]): string[] => cases.map((test) => `${test.file}: ${test.path.join(' > ')}: ${test.status}`);

test('suites, subtests, skip, todo and duplicate names come out with their whole path', () => {
  const run = runNode({ 'test/all.test.js': `${head}
    describe('outer', () => {
      describe('inner', () => { it('passes', () => {}); it('fails', () => assert.equal(1, 2, 'one is not two')); });
      it('after inner', () => {});
    });
    test('parent', async (t) => { await t.test('child', async (t) => { await t.test('grandchild', () => {}); }); });
    test('same', () => {}); test('same', () => { throw new Error('the second one'); });
    test.skip('skipped', () => {}); it.todo('to do'); test('failing to do', { todo: 'later' }, () => { throw new Error('x'); });
  ` });
  expect(lines(run.cases)).toEqual([
    'outer > inner > passes: passed', 'outer > inner > fails: failed', 'outer > after inner: passed',
    'parent > child > grandchild: passed', 'parent > child: passed', 'parent: passed', 'same: passed', 'same: failed',
    'skipped: skipped', 'to do: skipped', 'failing to do: skipped',
  ].map((line) => `test/all.test.js: ${line}`));
  expect(run.cases.filter((test) => test.status === 'failed').map((test) => test.message?.split('\n')[0])).toEqual(['one is not two', 'the second one']);
  for (const { duration_ms } of run.cases) expect(duration_ms).toBeGreaterThanOrEqual(0);
  expect(run.exit_code).toBe(1);
  // The runner's own report is still there for people.
  expect(run.output).toContain('one is not two');
});

test('names come out as they were written', () => {
  const names = ['with "quotes" and \'more\'', 'brackets [x] {y} (z) <w/>', 'ünïcödé 💥 日本', 'a > b', 'back\\slash', '\ttabs  and  blanks', 'two\nlines', '\u001b[31mred\u001b[0m', '# not a comment', '__proto__'];
  const run = runNode({ 'names.test.js': `${head}for (const name of ${JSON.stringify(names)}) test(name, () => {});` });
  expect(run.cases.map((test) => test.path)).toEqual(names.map((name) => [name]));
  for (const name of names) expect(judgeTests([name], null, { tree: '', exit_code: 0, timed_out: false, report: run }), name).toMatchObject({ passed: true });
});

test('tests that run at once keep their parents', () => {
  const run = runNode({
    'at-once.test.js': `${head}
      test('at once', { concurrency: 3 }, async (t) => {
        let first; const started = new Promise((resolve) => { first = resolve; });
        await Promise.all([t.test('slow', async (t) => { await started; await t.test('of slow', () => {}); }), t.test('fast', async (t) => { await t.test('of fast', () => {}); first(); })]);
      });`,
    'other.test.js': `${head}describe('other', () => { it('of other', () => {}); });`,
  });
  expect(lines(run.cases).toSorted()).toEqual([
    'at-once.test.js: at once > fast > of fast: passed', 'at-once.test.js: at once > fast: passed', 'at-once.test.js: at once > slow > of slow: passed',
    'at-once.test.js: at once > slow: passed', 'at-once.test.js: at once: passed', 'other.test.js: other > of other: passed',
  ]);
});

describe('a file that cannot tell', () => {
  const broken = {
    'syntax.test.js': 'import test from "node:test"; test("never", () => {',
    'throws.test.js': 'throw new Error("at the top");',
    'crash.test.js': `${head}test('first', () => {}); test('crashes', () => process.exit(7)); test('never', () => {});`,
    'killed.test.js': `${head}test('kills itself', () => process.kill(process.pid, 'SIGKILL'));`,
    'fine.test.js': `${head}test('fine', () => {});`,
  };

  test('is a failed test of its own, and the other files count', () => {
    const run = runNode(broken);
    expect(lines(run.cases)).toEqual([
      'crash.test.js: crash.test.js: failed', 'fine.test.js: fine: passed', 'killed.test.js: killed.test.js: failed',
      'syntax.test.js: syntax.test.js: failed', 'throws.test.js: throws.test.js: failed',
    ]);
    expect(run.exit_code).toBe(1);
  });

  test('is the same test in every worktree: broken on the base too, it does not count against a candidate', () => {
    const asRun = (report: ReturnType<typeof runNode>): TestRun => ({ tree: '', exit_code: report.exit_code, timed_out: false, report });
    expect(judgeTests(['fine'], asRun(runNode(broken)), asRun(runNode(broken)))).toMatchObject({ passed: true, reasons: [], vanished: [], tolerated: expect.arrayContaining(['syntax.test.js › syntax.test.js']) });
  });
});

test('a suite whose hook fails has failed tests', () => {
  const run = runNode({ 'hook.test.js': `${head}describe('suite', () => { before(() => { throw new Error('no database'); }); it('needs it', () => {}); });` });
  expect(lines(run.cases)).toEqual(['hook.test.js: suite > needs it: failed']);
});

test.each([
  ['nothing', ''], ['lines of others', 'ok 1 - x\n# tests 1\n'], ['JSON that is no test', '{}\n[]\nnull\n1\n"x"\n'],
  ['a test without a name', '{"file":"a","path":[],"status":"passed"}'], ['names that are no text', '{"file":"a","path":[1],"status":"passed"}'],
  ['a status of its own', '{"file":"a","path":["x"],"status":"PASSED"}'], ['half a line', '{"file":"a","path":["x"],"status":"pas'],
])('%s is no report', (_, text) => expect(parseNodeTest(text)).toBeNull());

test('a line cut off by a crash takes only itself away', () => {
  const text = '{"file":"a","path":["x"],"status":"passed","duration_ms":1.6,"message":null}\n{"file":"a","path":["y"],"sta';
  expect(parseNodeTest(text)).toEqual({ cases: [{ file: 'a', path: ['x'], status: 'passed', duration_ms: 2, message: null }] });
});
