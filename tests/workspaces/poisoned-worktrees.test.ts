/** What ran in a worktree may have left anything there. The next holder gets a clean one, and nothing outside is touched. */
import { execFileSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { temporaryFolder } from '../support/repository.ts';
import { openWorkspace, type Workspace } from '../support/workspace.ts';

let workspace: Workspace;
let base: { commit: string; tree: string };
let id: string;
let outside: string;

beforeAll(async () => { workspace = await openWorkspace(); });
afterAll(() => workspace.close());
beforeEach(async () => {
  ({ repository_id: id, base } = await workspace.fetched(workspace.repository({ 'a.txt': 'one\n', 'src/b.txt': 'two\n' })));
  outside = temporaryFolder();
  writeFileSync(join(outside, 'precious'), 'of somebody else\n');
});

const checkout = (holder = 'MC-1'): Promise<string> => workspace.worktrees.checkout(id, holder, base.commit);
async function expectClean(path: string): Promise<void> {
  expect(readdirSync(path).sort()).toEqual(['.git', 'a.txt', 'src']);
  expect(await workspace.git.text(['-C', path, 'status', '--porcelain', '--ignored', '--untracked-files=all'])).toBe('');
  expect(readFileSync(join(outside, 'precious'), 'utf8')).toBe('of somebody else\n');
}

/** Whether this user, on this file system, may do it at all. */
function can(command: string, ...args: string[]): boolean {
  try {
    execFileSync(command, args, { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}
const markImmutable = (path: string): boolean => can('chattr', '+i', path);

test('folders that nobody may enter, and links to elsewhere', async () => {
  const path = await checkout();
  mkdirSync(join(path, 'made', 'deep'), { recursive: true });
  writeFileSync(join(path, 'made', 'deep', 'file'), 'x');
  chmodSync(join(path, 'made', 'deep'), 0o000);
  rmSync(join(path, 'src'), { recursive: true });
  symlinkSync(outside, join(path, 'src'));
  symlinkSync(outside, join(path, 'link'));
  await expectClean(await checkout());
  expect(readdirSync(outside)).toEqual(['precious']);
});

test('thousands of files in one folder', async () => {
  const path = await checkout();
  mkdirSync(join(path, 'many'));
  for (let n = 0; n < 3_000; n += 1) writeFileSync(join(path, 'many', String(n)), '');
  await expectClean(await checkout());
});

test('files marked immutable: the worktree is set aside and another one made in its place', async (context) => {
  const path = await checkout();
  mkdirSync(join(path, 'stuck'));
  const file = join(path, 'stuck', 'file');
  writeFileSync(file, 'x');
  if (!markImmutable(file)) return context.skip('chattr is not possible here');
  const aside = (): string[] => readdirSync(join(path, '..')).filter((name) => name.startsWith('.aside-'));
  try {
    expect(await checkout()).toBe(path);
    await expectClean(path);
    expect(aside()).toHaveLength(1);
  } finally {
    for (const name of aside()) can('chattr', '-R', '-i', join(path, '..', name));
  }
});

test('the worktree itself immutable: nobody is given it again, and the reason is kept', async (context) => {
  const path = await checkout();
  writeFileSync(join(path, 'left'), 'x');
  if (!markImmutable(path)) return context.skip('chattr is not possible here');
  try {
    const other = await checkout();
    expect(other).not.toBe(path);
    await expectClean(other);
    expect(await workspace.db.database.query('SELECT slot, holder, broken_reason IS NOT NULL AS broken FROM worktrees WHERE repository_id = $1 ORDER BY slot', [id]))
      .toEqual([{ slot: 1, holder: null, broken: true }, { slot: 2, holder: 'MC-1', broken: false }]);
  } finally {
    can('chattr', '-i', path);
  }
});

test('a file system mounted in it is taken away, never emptied', async (context) => {
  const path = await checkout();
  mkdirSync(join(path, 'mounted'));
  if (!can('mount', '--bind', outside, join(path, 'mounted'))) return context.skip('mount is not possible here');
  try {
    await expectClean(await checkout());
    expect(readdirSync(outside)).toEqual(['precious']);
  } finally {
    can('umount', '-l', join(path, 'mounted'));
  }
});

test('an empty place where the pool was', async () => {
  const path = await checkout();
  rmSync(join(path, '..'), { recursive: true });
  expect(existsSync(path)).toBe(false);
  await expectClean(await checkout());
});
