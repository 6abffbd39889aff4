import { execFileSync, spawn } from 'node:child_process';
import { chmodSync, existsSync, lstatSync, mkdirSync, readdirSync, readFileSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { createMirrors } from '../../src/git/mirror.ts';
import { endOrphanedGit } from '../../src/git/orphans.ts';
import { removeStaleLock } from '../../src/git/obstacles.ts';
import { firstLine, whenGone } from '../support/processes.ts';
import type { TestRepository } from '../support/repository.ts';
import { openWorkspace, type Workspace } from '../support/workspace.ts';

let workspace: Workspace;
let repository: TestRepository;
let fetched: Awaited<ReturnType<Workspace['fetched']>>;
let gitHome: string;
beforeAll(async () => {
  workspace = await openWorkspace();
  gitHome = join(workspace.home, 'scratch', 'git-home');
});
afterAll(() => workspace.close());
beforeEach(async () => {
  repository = workspace.repository({ 'a.txt': 'one\n', 'src/b.txt': 'two\n' });
  fetched = await workspace.fetched(repository);
});

const change = 'diff --git a/a.txt b/a.txt\n--- a/a.txt\n+++ b/a.txt\n@@ -1 +1 @@\n-one\n+three\n';

/** Runs git with a hook that kills it and everything it started, without asking, in the middle of what it does. */
async function killedInHook(hook: string, when: string, args: string[]): Promise<void> {
  const hooks = join(workspace.home, 'killing-hooks');
  mkdirSync(hooks, { recursive: true });
  writeFileSync(join(hooks, hook), `#!/bin/sh\n${when}\nkill -KILL 0\n`);
  chmodSync(join(hooks, hook), 0o755);
  onTestFinished(() => writeFileSync(join(hooks, hook), '#!/bin/sh\n'));
  const child = spawn('git', ['-c', `core.hooksPath=${hooks}`, '-c', 'user.name=T', '-c', 'user.email=t@localhost', ...args],
    { detached: true, stdio: 'ignore', env: { PATH: process.env['PATH'], HOME: gitHome } });
  const signal = await new Promise((resolve) => { child.on('close', (_, name) => resolve(name)); });
  expect(signal, 'the fault fired').toBe('SIGKILL');
}

const locksIn = (folder: string): string[] =>
  readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.lock'));

/** A lock counts as nobody's only when every git that lives is younger by more than the clock's tolerance. */
function letTimePass(gitDir: string): void {
  for (const lock of locksIn(gitDir)) utimesSync(join(gitDir, lock), new Date(Date.now() - 60_000), new Date(Date.now() - 60_000));
}

async function expectSound(): Promise<void> {
  expect(await workspace.git.text(['fsck', '--full'], { gitDir: fetched.gitDir })).not.toMatch(/error|missing|corrupt|broken/);
  expect(execFileSync('git', ['-C', repository.path, 'fsck', '--full', '--strict'], { encoding: 'utf8' })).toBe('');
  const folders = existsSync(join(fetched.gitDir, 'worktrees')) ? readdirSync(join(fetched.gitDir, 'worktrees')) : [];
  const places = folders.map((name) => readFileSync(join(fetched.gitDir, 'worktrees', name, 'gitdir'), 'utf8').trim());
  expect(places.filter((place) => !existsSync(place)), 'worktrees whose folder is lost').toEqual([]);
}

describe('a git that was killed, and the next try', () => {
  test('in the middle of a fetch, with the branch locked', async () => {
    const tip = repository.commit({ 'a.txt': 'two\n' });
    await killedInHook('reference-transaction', '[ "$1" = prepared ] || exit 0',
      [`--git-dir=${fetched.gitDir}`, 'fetch', '-q', repository.path, '+refs/heads/main:refs/remotes/origin/main']);
    expect(locksIn(fetched.gitDir)).toEqual(['refs/remotes/origin/main.lock']);
    letTimePass(fetched.gitDir);
    expect(await workspace.mirrors.fetchTip(fetched, 'main')).toMatchObject({ commit: tip });
    await expectSound();
  });

  test('while it wrote a candidate\'s ref', async () => {
    const applied = await workspace.apply(fetched, change, 'MC-ref');
    await killedInHook('reference-transaction', '[ "$1" = prepared ] || exit 0',
      [`--git-dir=${fetched.gitDir}`, 'update-ref', 'refs/mission-control/MC-ref/candidate-1', fetched.base.commit]);
    letTimePass(fetched.gitDir);
    expect(await workspace.apply(fetched, change, 'MC-ref')).toEqual(applied);
    expect(locksIn(fetched.gitDir)).toEqual([]);
    await expectSound();
  });

  test('while it took a worktree\'s index, or committed in it', async () => {
    const path = await workspace.worktrees.checkout(fetched.repository_id, 'MC-index', fetched.base.commit);
    writeFileSync(join(path, 'a.txt'), 'changed\n');
    await killedInHook('pre-commit', '', ['-C', path, 'commit', '-qam', 'x']);
    await killedInHook('reference-transaction', '[ "$1" = prepared ] || exit 0', ['-C', path, 'update-ref', 'HEAD', fetched.base.commit]);
    expect(locksIn(fetched.gitDir).length).toBeGreaterThan(0);
    expect(await workspace.worktrees.checkout(fetched.repository_id, 'MC-index', fetched.base.commit)).toBe(path);
    expect(readFileSync(join(path, 'a.txt'), 'utf8')).toBe('one\n');
    await expectSound();
    await workspace.worktrees.release(fetched.repository_id, 'MC-index');
  });

  test('while it made a worktree', async () => {
    const path = join(workspace.home, 'worktrees', fetched.repository_id, '1');
    mkdirSync(dirname(path), { recursive: true });
    await killedInHook('post-checkout', '', [`--git-dir=${fetched.gitDir}`, 'worktree', 'add', '-q', '--detach', path, fetched.base.commit]);
    expect(existsSync(join(fetched.gitDir, 'worktrees'))).toBe(true);
    expect(await workspace.worktrees.checkout(fetched.repository_id, 'MC-add', fetched.base.commit)).toBe(path);
    expect(readFileSync(join(path, 'a.txt'), 'utf8')).toBe('one\n');
    await expectSound();
    await workspace.worktrees.release(fetched.repository_id, 'MC-add');
  });

  test.each(['initializing', 'empty', 'no folder'])('while it made a worktree, at its beginning: %s', async (state) => {
    const path = join(workspace.home, 'worktrees', fetched.repository_id, '1');
    const admin = join(fetched.gitDir, 'worktrees', '1');
    mkdirSync(admin, { recursive: true });
    if (state !== 'no folder') mkdirSync(path, { recursive: true });
    if (state === 'initializing') {
      writeFileSync(join(admin, 'locked'), 'initializing');
      writeFileSync(join(admin, 'gitdir'), `${join(path, '.git')}\n`);
      writeFileSync(join(path, '.git'), `gitdir: ${admin}\n`);
    }
    expect(await workspace.worktrees.checkout(fetched.repository_id, 'MC-begun', fetched.base.commit)).toBe(path);
    expect(readFileSync(join(path, 'a.txt'), 'utf8')).toBe('one\n');
    await workspace.worktrees.release(fetched.repository_id, 'MC-begun');
  });

  test('while it received a pack: what it wrote of it goes with the next fetch that fails, and hinders none', async () => {
    const folder = join(fetched.gitDir, 'objects', 'pack');
    for (const name of ['tmp_pack_half', 'tmp_idx_half']) writeFileSync(join(folder, name), 'PACK\0\0\0\x02half of it');
    writeFileSync(join(folder, `pack-${'1'.repeat(40)}.pack`), 'PACK\0\0\0\x02without an index');
    const tip = repository.commit({ 'a.txt': 'two\n' });
    expect(await workspace.mirrors.fetchTip(fetched, 'main')).toMatchObject({ commit: tip });
    await expect(workspace.mirrors.fetchTip(fetched, 'gone')).rejects.toMatchObject({ type: 'BRANCH_UNKNOWN' });
    expect(readdirSync(folder).filter((name) => name.startsWith('tmp_'))).toEqual([]);
    await expectSound();
  });

  test.each(['packed-refs.lock', 'shallow.lock', 'refs/remotes/origin/main.lock', 'config.lock'])('a %s that was left behind', async (name) => {
    const path = join(fetched.gitDir, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, '');
    letTimePass(fetched.gitDir);
    await workspace.git.run(['pack-refs', '--all'], { gitDir: fetched.gitDir });
    const tip = repository.commit({ 'a.txt': 'two\n' });
    expect(await workspace.mirrors.fetchTip(fetched, 'main')).toMatchObject({ commit: tip });
    await workspace.git.run(['update-ref', '-d', 'refs/remotes/origin/main'], { gitDir: fetched.gitDir });
    expect(await workspace.mirrors.fetchTip(fetched, 'main')).toMatchObject({ commit: tip });
    await expectSound();
  });

  test('while it made the mirror itself: a mirror is there whole or not at all', async () => {
    const path = workspace.mirrors.pathOf('repo_half');
    mkdirSync(path, { recursive: true });
    // What `git init` has written before its configuration.
    writeFileSync(join(path, 'HEAD'), 'ref: refs/heads/main\n');
    mkdirSync(`${path}.new-left`);
    expect(await workspace.mirrors.fetchTip({ ...fetched, repository_id: 'repo_half' }, 'main')).toEqual(fetched.base);
    expect(readFileSync(join(path, 'config'), 'utf8')).toContain('bare = true');
    expect(readdirSync(dirname(path)).filter((name) => name.includes('.new-'))).toEqual([]);
  });
});

describe('a lock that somebody may hold stays', () => {
  const lockOf = (): string => {
    const lock = join(fetched.gitDir, 'packed-refs.lock');
    writeFileSync(lock, '');
    return lock;
  };

  test('while a git of ours lives that was there when it was made', async () => {
    const lock = lockOf();
    letTimePass(fetched.gitDir);
    const batch = spawn('git', [`--git-dir=${fetched.gitDir}`, 'cat-file', '--batch'], { env: { PATH: process.env['PATH'], HOME: gitHome }, stdio: ['pipe', 'ignore', 'ignore'] });
    onTestFinished(() => { batch.kill('SIGKILL'); });
    await new Promise((resolve) => { batch.once('spawn', resolve); });
    utimesSync(lock, new Date(), new Date());
    expect(await removeStaleLock(lock, fetched.gitDir, gitHome)).toBe(false);
    expect(existsSync(lock)).toBe(true);
    batch.kill('SIGKILL');
    await whenGone(batch.pid!);
    letTimePass(fetched.gitDir);
    expect(await removeStaleLock(lock, fetched.gitDir, gitHome)).toBe(true);
    expect(existsSync(lock)).toBe(false);
  });

  test('and one outside of the mirror is never touched, whatever a server prints', async () => {
    const outside = join(workspace.home, 'outside.lock');
    writeFileSync(outside, '');
    utimesSync(outside, 1, 1);
    for (const path of [outside, join(fetched.gitDir, '..', '..', 'outside.lock')]) expect(await removeStaleLock(path, fetched.gitDir, gitHome)).toBe(false);
    expect(lstatSync(outside).isFile()).toBe(true);
  });
});

test('two workers on one data directory do not work in one mirror at once, and a killed one is not waited for', async () => {
  const folder = dirname(fetched.gitDir);
  const log = join(workspace.home, 'holders');
  // Another process, by the same means.
  const other = spawn(process.execPath, ['--input-type=module', '-e', `
    import { holding } from ${JSON.stringify(join(process.cwd(), 'dist', 'git', 'host-lock.js'))};
    import { appendFileSync } from 'node:fs';
    await holding(${JSON.stringify(`${fetched.gitDir}.lock`)}, async () => {
      appendFileSync(${JSON.stringify(log)}, 'the other has it\\n');
      await new Promise((resolve) => setTimeout(resolve, 60_000));
    });`], { stdio: ['ignore', 'ignore', 'inherit'] });
  onTestFinished(() => { other.kill('SIGKILL'); });
  await firstLine(log);
  const mirrors = createMirrors(workspace.git, folder, workspace.deps.config.repoRoots);
  let done = false;
  const mine = mirrors.fetchTip(fetched, 'main').then((tip) => {
    done = true;
    return tip;
  });
  // A mirror of its own takes longer, and nobody holds that one.
  await mirrors.fetchTip({ ...fetched, repository_id: 'repo_unheld' }, 'main');
  expect(done).toBe(false);
  other.kill('SIGKILL');
  expect(await mine).toEqual(fetched.base);
});

test('git that a killed worker left running is ended, that of a living one is not', async () => {
  const start = (owner: string) => {
    const child = spawn('git', [`--git-dir=${fetched.gitDir}`, 'cat-file', '--batch'], {
      env: { PATH: process.env['PATH'], HOME: gitHome, MISSION_CONTROL_GIT_OWNER: owner }, stdio: ['pipe', 'ignore', 'ignore'], detached: true,
    });
    onTestFinished(() => { child.kill('SIGKILL'); });
    return child;
  };
  const started = readFileSync(`/proc/${process.pid}/stat`, 'utf8').split(') ')[1]!.split(' ')[19]!;
  const [orphan, kept] = [start('999999999@1'), start(`${process.pid}@${started}`)];
  await Promise.all([orphan, kept].map((child) => new Promise((resolve) => { child.once('spawn', resolve); })));
  expect(await endOrphanedGit(gitHome)).toBe(1);
  await whenGone(orphan.pid!);
  expect(statSync(`/proc/${kept.pid}`).isDirectory()).toBe(true);
});

test('collecting garbage beside fetches, patches and checkouts hurts none of them', async () => {
  const gc = async (): Promise<void> => {
    // It may itself stumble over a worktree that is being made; that hurts nobody.
    for (let i = 0; i < 4; i += 1) await workspace.git.run(['gc', '--quiet'], { gitDir: fetched.gitDir, okCodes: [128] });
  };
  const work = async (n: number): Promise<void> => {
    for (let i = 0; i < 3; i += 1) {
      await workspace.mirrors.fetchTip(fetched, 'main');
      const applied = await workspace.apply(fetched, change.replace('three', `line ${n}-${i}`), `MC-gc-${n}-${i}`);
      expect(applied).toMatchObject({ outcome: 'passed', reason: null });
      const path = await workspace.worktrees.checkout(fetched.repository_id, `MC-gc-${n}`, applied.candidate!.commit);
      expect(readFileSync(join(path, 'a.txt'), 'utf8')).toBe(`line ${n}-${i}\n`);
    }
    await workspace.worktrees.release(fetched.repository_id, `MC-gc-${n}`);
  };
  await Promise.all([gc(), work(1), work(2)]);
  await expectSound();
});
