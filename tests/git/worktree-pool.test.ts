import { execFileSync } from 'node:child_process';
import { chmodSync, cpSync, existsSync, lstatSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openWorkspace, type Workspace } from '../support/workspace.ts';

let workspace: Workspace;
let fetched: Awaited<ReturnType<Workspace['fetched']>>;
const files = { 'a.txt': 'one\n', 'src/deep/b.txt': 'two\n', 'src/run.sh': '#!/bin/sh\n', '.gitignore': 'node_modules/\n*.log\n' };

beforeAll(async () => {
  workspace = await openWorkspace();
  const repository = workspace.repository(files);
  repository.git('update-index', '--add', '--cacheinfo', `160000,${'1'.repeat(40)},vendored`);
  repository.git('commit', '-q', '-m', 'with a submodule');
  fetched = await workspace.fetched(repository);
});
afterAll(() => workspace.close());

const checkout = (holder: string): Promise<string> => workspace.worktrees.checkout(fetched.repository_id, holder, fetched.base.commit);
const release = (holder: string): Promise<boolean> => workspace.worktrees.release(fetched.repository_id, holder);
const gitIn = (path: string, ...args: string[]): string => execFileSync('git', ['-C', path, ...args], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });

/** Every file below, with its text: what a test command would see. */
function contents(path: string): Record<string, string> {
  const found = readdirSync(path, { recursive: true, encoding: 'utf8', withFileTypes: true })
    .filter((entry) => !entry.isDirectory()).map((entry) => join(entry.parentPath, entry.name))
    .filter((file) => file !== join(path, '.git'));
  return Object.fromEntries(found.map((file) => [file.slice(path.length + 1), lstatSync(file).isSymbolicLink() ? 'symlink' : readFileSync(file, 'utf8')]));
}

async function expectClean(path: string): Promise<void> {
  expect(contents(path)).toEqual(files);
  expect(readdirSync(join(path, 'vendored'))).toEqual([]);
  expect(await workspace.git.text(['-C', path, 'rev-parse', 'HEAD'])).toBe(fetched.base.commit);
  expect(await workspace.git.text(['-C', path, 'status', '--porcelain', '--ignored', '--untracked-files=all'])).toBe('');
}

describe('slots', () => {
  test('the same holder gets the same slot, another one gets another', async () => {
    const first = await checkout('MC-1');
    await expectClean(first);
    expect(await checkout('MC-1')).toBe(first);
    expect(await checkout('MC-2')).not.toBe(first);
    await Promise.all([release('MC-1'), release('MC-2')]);
  });

  test('a released slot is used again; releasing twice, or what one does not hold, changes nothing', async () => {
    const path = await checkout('MC-3');
    await release('MC-3');
    await release('MC-3');
    expect(await checkout('MC-4')).toBe(path);
    await release('MC-3');
    expect(await checkout('MC-5')).not.toBe(path);
    await Promise.all([release('MC-4'), release('MC-5')]);
  });

  test.each([['resolved', true], ['escalated', true], ['aborted', true], ['in_progress', false], ['observing', false]] as const)(
    'the slot that a mission %s left behind is free: %s', async (status, free) => {
      const mission = `MC-${status}`;
      const [path, landing] = [await checkout(mission), await checkout(`${mission}:land`)];
      await workspace.db.database.query(
        `INSERT INTO missions (mission_id, package, mission_type, subsystem_id, severity, severity_rank, status, context, created_by, created_at, updated_at)
         VALUES ($1, '{}', 'coding', 's', 'low', 3, $2, '{}', 'test', now(), now())`, [mission, status]);
      const taken = [await checkout('MC-next'), await checkout('MC-after')];
      expect(taken.filter((one) => one === path || one === landing)).toHaveLength(free ? 2 : 0);
      await Promise.all(['MC-next', 'MC-after', mission, `${mission}:land`].map(release));
    });

  test('twelve holders at once never share one; all of them together again get the same', async () => {
    const holders = Array.from({ length: 12 }, (_, i) => `MC-many-${i}`);
    const acquired = await Promise.all(holders.map(checkout));
    expect(new Set(acquired).size).toBe(12);
    expect(await Promise.all(holders.map(checkout))).toEqual(acquired);
    await Promise.all(acquired.map(expectClean));
    await Promise.all(holders.map(release));
    const next = await Promise.all(holders.map((holder) => checkout(`${holder}-next`)));
    expect(new Set(next)).toEqual(new Set(acquired));
    await Promise.all(holders.map((holder) => release(`${holder}-next`)));
  });

  test('one holder that asks twice at once gets one slot', async () => {
    const acquired = await Promise.allSettled([checkout('MC-twice'), checkout('MC-twice')]);
    const paths = acquired.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
    expect(paths.length).toBeGreaterThan(0);
    const held = await workspace.db.database.query('SELECT slot FROM worktrees WHERE holder = $1', ['MC-twice']);
    expect(held).toHaveLength(1);
    expect(new Set(paths).size).toBe(1);
    await release('MC-twice');
  });
});

const adminOf = (path: string): string => gitIn(path, 'rev-parse', '--absolute-git-dir').trim();

/** What can have happened in a worktree since it was handed out, by accident or on purpose. */
const damages: [string, (path: string) => void][] = [
  ['files changed, made and deleted', (path) => {
    writeFileSync(join(path, 'a.txt'), 'other\n');
    writeFileSync(join(path, 'new.txt'), 'new\n');
    rmSync(join(path, 'src', 'deep'), { recursive: true });
  }],
  ['ignored files', (path) => {
    mkdirSync(join(path, 'node_modules', 'x'), { recursive: true });
    writeFileSync(join(path, 'node_modules', 'x', 'index.js'), 'evil\n');
    writeFileSync(join(path, 'debug.log'), 'log\n');
  }],
  ['commits and a branch of its own', (path) => {
    gitIn(path, 'checkout', '-q', '-b', 'mine-'.concat(String(process.hrtime.bigint())));
    writeFileSync(join(path, 'a.txt'), 'committed\n');
    gitIn(path, '-c', 'user.name=x', '-c', 'user.email=x@x', 'commit', '-qam', 'mine');
  }],
  ['an index.lock and a HEAD.lock of a killed git', (path) => {
    for (const name of ['index.lock', 'HEAD.lock']) writeFileSync(join(adminOf(path), name), '');
  }],
  ['a damaged index', (path) => writeFileSync(join(adminOf(path), 'index'), 'garbage')],
  ['folders that nobody may write', (path) => {
    mkdirSync(join(path, 'cache', 'x'), { recursive: true });
    writeFileSync(join(path, 'cache', 'x', 'file'), 'x');
    for (const folder of ['cache/x', 'cache', 'src/deep', 'src']) chmodSync(join(path, folder), 0o555);
  }],
  ['another common folder', (path) => writeFileSync(join(adminOf(path), 'commondir'), '/nowhere')],
  ['a damaged HEAD', (path) => writeFileSync(join(adminOf(path), 'HEAD'), 'garbage')],
  ['a broken .git file', (path) => writeFileSync(join(path, '.git'), 'gitdir: /nowhere\n')],
  ['an empty .git file', (path) => writeFileSync(join(path, '.git'), '')],
  ['a pipe in place of the .git file', (path) => {
    rmSync(join(path, '.git'));
    execFileSync('mkfifo', [join(path, '.git')]);
  }],
  ['no .git file', (path) => rmSync(join(path, '.git'))],
  ['no folder', (path) => rmSync(path, { recursive: true })],
  ['a symlink to elsewhere in place of the folder', (path) => {
    cpSync(path, `${path}-elsewhere`, { recursive: true });
    rmSync(path, { recursive: true });
    symlinkSync(`${path}-elsewhere`, path);
  }],
  ['a tracked folder moved away and linked to', (path) => {
    renameSync(join(path, 'src'), `${path}-src`);
    writeFileSync(join(`${path}-src`, 'deep', 'b.txt'), 'elsewhere\n');
    symlinkSync(`${path}-src`, join(path, 'src'));
  }],
  ['changes hidden by skip-worktree and assume-unchanged', (path) => {
    gitIn(path, 'update-index', '--skip-worktree', 'a.txt');
    gitIn(path, 'update-index', '--assume-unchanged', 'src/deep/b.txt');
    writeFileSync(join(path, 'a.txt'), 'hidden\n');
    writeFileSync(join(path, 'src', 'deep', 'b.txt'), 'hidden too\n');
  }],
  ['content replaced by refs/replace', (path) => {
    const evil = execFileSync('git', ['-C', path, 'hash-object', '-w', '--stdin'], { encoding: 'utf8', input: 'evil\n' }).trim();
    gitIn(path, 'replace', '-f', gitIn(path, 'rev-parse', 'HEAD:a.txt').trim(), evil);
    rmSync(join(path, 'a.txt'));
  }],
  ['files left in the folder of a submodule', (path) => {
    mkdirSync(join(path, 'vendored', 'x'), { recursive: true });
    writeFileSync(join(path, 'vendored', 'x', 'left.txt'), 'left\n');
  }],
  ['repositories made in new and in tracked folders', (path) => {
    for (const folder of ['made', 'src', 'src/deep', 'vendored']) execFileSync('git', ['init', '-q', join(path, folder)]);
  }],
  ['a merge stopped half-way', (path) => {
    writeFileSync(join(adminOf(path), 'MERGE_HEAD'), `${fetched.base.commit}\n`);
    gitIn(path, 'rm', '-q', '--cached', 'a.txt');
  }],
];

test.each(damages)('a worktree with %s is as new at the next checkout', async (_, damage) => {
  const path = await checkout('MC-damaged');
  await expectClean(path);
  damage(path);
  expect(await checkout('MC-damaged')).toBe(path);
  expect(lstatSync(path).isSymbolicLink()).toBe(false);
  await expectClean(path);
  await release('MC-damaged');
});

test('a .git file that points to another slot harms neither', async () => {
  const [mine, other] = [await checkout('MC-mine'), await checkout('MC-other')];
  writeFileSync(join(other, 'work.txt'), 'of the other mission\n');
  writeFileSync(join(other, 'a.txt'), 'staged by the other mission\n');
  gitIn(other, 'add', 'a.txt');
  cpSync(join(other, '.git'), join(mine, '.git'));
  expect(await checkout('MC-mine')).toBe(mine);
  await expectClean(mine);
  expect(existsSync(join(other, 'work.txt'))).toBe(true);
  expect(gitIn(other, 'diff', '--cached', '--name-only').trim()).toBe('a.txt');
  await Promise.all([release('MC-mine'), release('MC-other')]);
});
