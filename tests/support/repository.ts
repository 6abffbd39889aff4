/** Real git repositories for tests. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

export interface TestRepository {
  path: string;
  git(...args: string[]): string;
  write(files: Record<string, string | null>): void;
  commit(files: Record<string, string | null>, message?: string): string;
  /** The diff that these changes make, against the present commit; the working copy stays as it was. */
  diff(files: Record<string, string | null>): string;
  tip(branch?: string): string;
  tree(ref?: string): string;
  log(branch?: string): string[];
}

const identity = ['-c', 'user.name=Test', '-c', 'user.email=test@localhost', '-c', 'commit.gpgsign=false'];

/** @param parent folder that the repository is made in */
export function makeRepository(parent: string, files: Record<string, string>, name = 'repo'): TestRepository {
  mkdirSync(parent, { recursive: true });
  const path = mkdtempSync(join(parent, `${name}-`));
  const git = (...args: string[]): string =>
    execFileSync('git', [...identity, '-C', path, ...args], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, GIT_CONFIG_GLOBAL: '/dev/null' } });
  const write = (changes: Record<string, string | null>): void => {
    for (const [file, text] of Object.entries(changes)) {
      const target = join(path, file);
      if (text === null) rmSync(target);
      else {
        mkdirSync(dirname(target), { recursive: true });
        writeFileSync(target, text);
      }
    }
  };
  const repository: TestRepository = {
    path, git, write,
    commit(changes, message = 'change') {
      write(changes);
      git('add', '-A');
      git('commit', '-q', '-m', message);
      return repository.tip();
    },
    diff(changes) {
      write(changes);
      git('add', '-A');
      const text = git('diff', '--cached', '--binary', '--full-index');
      git('reset', '-q', '--hard');
      return text;
    },
    tip: (branch = 'main') => git('rev-parse', branch).trim(),
    tree: (ref = 'main') => git('rev-parse', `${ref}^{tree}`).trim(),
    log: (branch = 'main') => git('log', '--format=%H', '--first-parent', branch).trim().split('\n'),
  };
  git('init', '-q', '--initial-branch=main');
  repository.commit(files, 'first');
  return repository;
}

export const temporaryFolder = (): string => mkdtempSync(join(tmpdir(), 'mission-control-test-'));

/** A small package with node:test: `adds` fails on the base, `is here` passes. */
export const calculator = {
  'package.json': JSON.stringify({ name: 'calculator', private: true, type: 'module', scripts: { test: 'node --test' } }),
  'add.js': 'export const add = (a, b) => a - b;\n',
  'test/add.test.js': [
    "import assert from 'node:assert/strict';", "import test from 'node:test';", "import { add } from '../add.js';",
    "test('adds', () => assert.equal(add(2, 2), 4));", "test('is here', () => assert.equal(typeof add, 'function'));", '',
  ].join('\n'),
};
export const fixedAdd = { 'add.js': 'export const add = (a, b) => a + b;\n' };
export const brokenAdd = { 'add.js': 'export const add = (a, b) => a * b + 1;\n' };
