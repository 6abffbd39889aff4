import { execFileSync } from 'node:child_process';
import { chmodSync, existsSync, lstatSync, mkdirSync, readdirSync, readFileSync, readlinkSync, rmSync, statSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { CommandSpec } from '../../src/domain/commands.ts';
import type { CommitRef } from '../../src/domain/coding.ts';
import type { ReadyWorktree } from '../../src/activities/worktree.ts';
import type { TestRepository } from '../support/repository.ts';
import { openWorkspace, type Workspace } from '../support/workspace.ts';

let workspace: Workspace;
let repository: TestRepository;
let fetched: Awaited<ReturnType<Workspace['fetched']>>;
const path = process.env['PATH'];
const command = (...argv: string[]): CommandSpec => ({ argv, timeout_seconds: 60, network: false });
const npmCi = command('npm', 'ci', '--no-audit');
const script = command('sh', 'install.sh');

const lock = (version = '1.0.0', more: object = {}): string => JSON.stringify({
  name: 'x', lockfileVersion: 3,
  packages: { '': { name: 'x' }, 'node_modules/a': { version, resolved: 'https://registry.example/a.tgz', integrity: 'sha512-x', ...more } },
});
const files = {
  '.gitignore': 'node_modules/\n.venv/\n', 'package.json': '{"name": "x"}', 'package-lock.json': lock(), 'main.js': 'one\n',
  // Installs what the tests look at, and something that is never the same again.
  'install.sh': 'mkdir -p node_modules/a; od -An -N16 -tx1 /dev/urandom > node_modules/a/stamp; cat main.js > node_modules/a/index.js; ln -sf a node_modules/b; printf x > node_modules/a/run; chmod 755 node_modules/a/run\n',
};

beforeAll(async () => {
  workspace = await openWorkspace();
  // An npm that installs without a registry: what is kept of it is what matters here.
  const bin = join(workspace.home, 'bin');
  mkdirSync(bin);
  writeFileSync(join(bin, 'npm'), '#!/bin/sh\n[ "$1" = --version ] && echo 1.2.3 && exit\nexec sh ./install.sh\n');
  chmodSync(join(bin, 'npm'), 0o755);
  process.env['PATH'] = `${bin}:${path}`;
});
afterAll(async () => {
  process.env['PATH'] = path;
  await workspace.close();
});
beforeEach(async () => {
  await workspace.configure('{}');
  repository = workspace.repository(files);
  fetched = await workspace.fetched(repository);
});
const held: ReadyWorktree[] = [];
afterEach(async () => { for (const worktree of held.splice(0)) await worktree.release(); });

async function prepare(at: CommitRef, setup = npmCi, holder = 'MC-1'): Promise<ReadyWorktree> {
  const worktree = await workspace.prepare(fetched, at, setup, holder);
  held.push(worktree);
  return worktree;
}
/** A commit that stands in our mirror alone, as a candidate does. */
async function candidate(changes: Record<string, string | null>): Promise<CommitRef> {
  const applied = await workspace.apply(fetched, repository.diff(changes));
  return applied.candidate!;
}
const keptFiles = (): string[] => {
  const folder = join(workspace.home, 'caches', 'dependencies', fetched.repository_id);
  return existsSync(folder) ? readdirSync(folder).map((name) => join(folder, name)) : [];
};
const installed = (worktree: ReadyWorktree): string => readFileSync(join(worktree.path, 'node_modules', 'a', 'index.js'), 'utf8');

test('the second worktree gets what the first one installed: contents, links and modes, without running it', async () => {
  const first = await prepare(fetched.base);
  expect(first.dependencies).toMatchObject({ cache: 'miss', scope: 'lockfiles', kept: true });
  expect(first.setup_ms).toBeGreaterThanOrEqual(0);
  const second = await prepare(fetched.base, npmCi, 'MC-2');
  expect(second.path).not.toBe(first.path);
  expect(second).toMatchObject({ setup_ms: null, dependencies: { cache: 'hit', key: first.dependencies.key, size_bytes: first.dependencies.size_bytes } });
  expect(installed(second)).toBe('one\n');
  expect(readlinkSync(join(second.path, 'node_modules', 'b'))).toBe('a');
  expect(statSync(join(second.path, 'node_modules', 'a', 'run')).mode & 0o777).toBe(0o755);
  expect(await workspace.git.text(['-C', second.path, 'status', '--porcelain'])).toBe('');
  const stamps = [first, second].map((worktree) => readFileSync(join(worktree.path, 'node_modules', 'a', 'stamp'), 'utf8'));
  expect(stamps[0]).toBe(stamps[1]);
});

test('what is written in a worktree never reaches what is kept, nor another worktree', async () => {
  await prepare(fetched.base);
  const [file] = keptFiles();
  const before = readFileSync(file!);
  const second = await prepare(fetched.base, npmCi, 'MC-2');
  for (const worktree of held) {
    writeFileSync(join(worktree.path, 'node_modules', 'a', 'index.js'), 'evil\n');
    expect(lstatSync(join(worktree.path, 'node_modules', 'a', 'run')).nlink).toBe(1);
  }
  expect(second.dependencies.cache).toBe('hit');
  expect(readFileSync(file!).equals(before)).toBe(true);
  expect(installed(await prepare(fetched.base, npmCi, 'MC-3'))).toBe('one\n');
});

describe('another key', () => {
  const other = async (change: () => Promise<[CommitRef, CommandSpec]>): Promise<void> => {
    const first = await prepare(fetched.base);
    const [at, setup] = await change();
    const second = await prepare(at, setup, 'MC-2');
    expect(second.dependencies).toMatchObject({ cache: 'miss' });
    expect(second.dependencies.key).not.toBe(first.dependencies.key);
  };
  test('another lockfile', () => other(async () => [await candidate({ 'package-lock.json': lock('1.0.1') }), npmCi]));
  test('other scripts of the package', () => other(async () => [await candidate({ 'package.json': '{"name": "x", "scripts": {"postinstall": "evil"}}' }), npmCi]));
  test('other settings of npm', () => other(async () => [await candidate({ '.npmrc': 'ignore-scripts=true\n' }), npmCi]));
  test('another command', () => other(async () => [fetched.base, command('npm', 'ci', '--ignore-scripts')]));
  test('with network', () => other(async () => [fetched.base, { ...npmCi, network: true }]));

  test('another repository with the same files', async () => {
    const first = await prepare(fetched.base);
    fetched = await workspace.fetched(workspace.repository(files));
    const second = await prepare(fetched.base);
    expect(second.dependencies).toMatchObject({ cache: 'miss' });
    expect(second.dependencies.key).not.toBe(first.dependencies.key);
  });
});

test('a candidate that leaves lockfile and settings alone is given what the base installed', async () => {
  await prepare(fetched.base);
  const worktree = await prepare(await candidate({ 'main.js': 'two\n' }), npmCi, 'MC-2');
  expect(worktree.dependencies.cache).toBe('hit');
});

test('what a candidate installs is given to nobody else', async () => {
  const at = await candidate({ 'install.sh': 'mkdir -p node_modules/a; echo evil > node_modules/a/index.js\n' });
  const worktree = await prepare(at);
  expect(worktree.dependencies).toMatchObject({ cache: 'miss', scope: 'lockfiles', kept: false, reason: expect.stringContaining('origin') as string });
  expect(installed(await prepare(fetched.base, npmCi, 'MC-2'))).toBe('one\n');
});

test.each([
  ['a script of the repository', script, {}],
  ['a dependency with an install script, which may read the sources', npmCi, { 'package-lock.json': lock('1.0.0', { hasInstallScript: true }) }],
  ['scripts of the package itself, which may build its sources', npmCi, { 'package.json': '{"name": "x", "scripts": {"prepare": "x"}}' }],
  ['a package that is a folder of the repository', npmCi, { 'package-lock.json': lock('1.0.0', { link: true, integrity: undefined }) }],
])('with %s the key has the whole tree: another source is installed anew', async (_, setup, changes) => {
  if (Object.keys(changes).length > 0) {
    repository.commit(changes);
    fetched = await workspace.fetched(repository);
  }
  expect((await prepare(fetched.base, setup)).dependencies).toMatchObject({ cache: 'miss', scope: 'tree', kept: true });
  const at = await candidate({ 'main.js': 'two\n' });
  const changed = await prepare(at, setup, 'MC-2');
  expect(changed.dependencies).toMatchObject({ cache: 'miss', kept: true });
  expect(installed(changed)).toBe('two\n');
  expect((await prepare(at, setup, 'MC-3')).dependencies.cache).toBe('hit');
  expect((await prepare(fetched.base, setup, 'MC-4')).dependencies.cache).toBe('hit');
});

test('without a lockfile nothing is kept', async () => {
  repository.commit({ 'package-lock.json': null });
  fetched = await workspace.fetched(repository);
  expect((await prepare(fetched.base)).dependencies).toMatchObject({ cache: 'off', key: null, reason: 'no lockfile' });
  expect(keptFiles()).toEqual([]);
});

test('what names its own path works only there: the same worktree hits, another one installs anew', async () => {
  repository.commit({ 'install.sh': 'mkdir -p .venv/bin; echo "#!$PWD/.venv/bin/python" > .venv/bin/pip; mkdir -p node_modules/a; echo x > node_modules/a/index.js\n' });
  fetched = await workspace.fetched(repository);
  const first = await prepare(fetched.base);
  const second = await prepare(fetched.base, npmCi, 'MC-2');
  expect(second.dependencies).toMatchObject({ cache: 'miss', kept: true });
  expect(readFileSync(join(second.path, '.venv', 'bin', 'pip'), 'utf8')).toContain(second.path);
  await first.release();
  const again = await prepare(fetched.base, npmCi, 'MC-3');
  expect(again).toMatchObject({ path: first.path, dependencies: { cache: 'hit' } });
});

describe('not used, and thrown away', () => {
  const damages: [string, (file: string) => void][] = [
    ['cut short', (file) => truncateSync(file, 100)],
    ['changed in one byte', (file) => { const bytes = readFileSync(file); bytes[600] = bytes[600]! ^ 1; writeFileSync(file, bytes); }],
    ['gone', (file) => rmSync(file)],
    ['replaced by that of another', (file) => execFileSync('tar', ['-cf', file, '-C', '/etc', 'hostname'])],
  ];
  test.each(damages)('a file %s', async (_, damage) => {
    await prepare(fetched.base);
    const [file] = keptFiles();
    damage(file!);
    const second = await prepare(fetched.base, npmCi, 'MC-2');
    expect(second.dependencies).toMatchObject({ cache: 'miss', kept: true, reason: expect.stringContaining('thrown away') as string });
    expect(installed(second)).toBe('one\n');
    expect((await prepare(fetched.base, npmCi, 'MC-3')).dependencies.cache).toBe('hit');
  });
});

test('where the tree has a link in its place nothing is put back through it', async () => {
  await prepare(fetched.base);
  const outside = join(workspace.home, 'outside');
  mkdirSync(outside);
  symlinkSync(outside, join(repository.path, 'node_modules'));
  repository.commit({ 'install.sh': 'true\n' });
  fetched = await workspace.fetched(repository);
  const worktree = await prepare(fetched.base, npmCi, 'MC-2');
  expect(readlinkSync(join(worktree.path, 'node_modules'))).toBe(outside);
  expect(worktree.dependencies).toMatchObject({ cache: 'miss', reason: expect.stringContaining('does not fit') as string });
  expect(readdirSync(outside)).toEqual([]);
});

test.each([
  ['changes files of the commit', 'echo changed > main.js; mkdir -p node_modules; echo x > node_modules/x\n', 'changed files of the commit'],
  ['leaves nothing', 'true\n', 'left nothing'],
  ['leaves a pipe', 'mkdir -p node_modules; mkfifo node_modules/pipe\n', 'neither file'],
])('a setup that %s is not kept', async (_, text, reason) => {
  repository.commit({ 'install.sh': text });
  fetched = await workspace.fetched(repository);
  expect((await prepare(fetched.base)).dependencies).toMatchObject({ cache: 'miss', kept: false, reason: expect.stringContaining(reason) as string });
  expect(keptFiles()).toEqual([]);
});

test('more than the quota is not kept, and leaves nothing half', async () => {
  await workspace.configure('quota_gb: 0.000001\n');
  expect((await prepare(fetched.base)).dependencies).toMatchObject({ kept: false, reason: expect.stringContaining('larger') as string });
  expect(keptFiles()).toEqual([]);
});

test('package managers have a cache per repository, by the environment alone; a patch writes into one of its own', async () => {
  repository.commit({ 'install.sh': 'mkdir -p node_modules/a; echo "$npm_config_cache $PIP_CACHE_DIR" > node_modules/a/index.js\n' });
  fetched = await workspace.fetched(repository);
  const downloads = join(workspace.home, 'caches', 'downloads', fetched.repository_id);
  const base = await prepare(fetched.base);
  const told = installed(base).trim().split(' ');
  expect(told).toEqual(['npm', 'pip'].map((name) => join(downloads, 'shared', name)));
  const other = await prepare(await candidate({ 'package-lock.json': lock('6.6.6') }), npmCi, 'MC-2');
  expect(installed(other)).toContain(join(downloads, 'of-MC-2', 'npm'));
  expect(installed(other)).not.toContain('shared');
});
