import { chownSync, existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openWorkspace, type Workspace } from '../support/workspace.ts';

let workspace: Workspace;
beforeAll(async () => { workspace = await openWorkspace(); });
afterAll(() => workspace.close());

test('a path that is nothing, a file, an empty folder or a broken repository: REPOSITORY_UNREACHABLE, and the path is named', async () => {
  const [nothing, file, empty, broken] = ['nothing', 'file', 'empty', 'broken'].map((name) => join(workspace.home, 'repositories', name)) as [string, string, string, string];
  writeFileSync(file, 'text');
  mkdirSync(empty);
  mkdirSync(join(broken, '.git'), { recursive: true });
  for (const origin of [nothing, file, empty, broken]) {
    const failed = workspace.mirrors.fetchTip({ repository_id: 'repo_unreachable', origin, kind: 'path' }, 'main');
    await expect(failed).rejects.toMatchObject({ type: 'REPOSITORY_UNREACHABLE', message: expect.stringContaining(origin) });
    await expect(workspace.mirrors.defaultBranch(origin)).rejects.toMatchObject({ type: 'REPOSITORY_UNREACHABLE' });
  }
});

test('a branch that is not there, in a repository with commits and in one without: BRANCH_UNKNOWN, and it is named', async () => {
  const repository = workspace.repository({ 'a.txt': 'one\n' });
  const empty = join(workspace.home, 'repositories', 'no-commits');
  repository.git('init', '-q', '--initial-branch=main', empty);
  for (const origin of [repository.path, empty]) {
    const failed = workspace.mirrors.fetchTip({ repository_id: 'repo_branch', origin, kind: 'path' }, 'gone');
    await expect(failed).rejects.toMatchObject({ type: 'BRANCH_UNKNOWN', message: expect.stringContaining('gone') });
    expect(await workspace.mirrors.hasBranch(origin, 'gone')).toBe(false);
  }
  expect(await workspace.mirrors.hasBranch(repository.path, 'main')).toBe(true);
  expect(await workspace.mirrors.defaultBranch(repository.path)).toBe('main');
  await expect(workspace.mirrors.defaultBranch(empty)).rejects.toMatchObject({ type: 'BRANCH_UNKNOWN' });
});

test.runIf(process.getuid?.() === 0)('a repository of another user: REPOSITORY_NOT_OWNED', async () => {
  const repository = workspace.repository({ 'a.txt': 'one\n' });
  for (const path of [repository.path, join(repository.path, '.git')]) chownSync(path, 12_345, 12_345);
  const failed = workspace.mirrors.fetchTip({ repository_id: 'repo_owned', origin: repository.path, kind: 'path' }, 'main');
  await expect(failed).rejects.toMatchObject({ type: 'REPOSITORY_NOT_OWNED' });
});

test('an origin that is away for a while fails, and works again from the same mirror; a rewritten branch is followed', async () => {
  const repository = workspace.repository({ 'a.txt': 'one\n' });
  const fetched = await workspace.fetched(repository);
  renameSync(repository.path, `${repository.path}-away`);
  await expect(workspace.mirrors.fetchTip(fetched, 'main')).rejects.toMatchObject({ type: 'REPOSITORY_UNREACHABLE' });
  renameSync(`${repository.path}-away`, repository.path);
  repository.git('commit', '-q', '--amend', '-m', 'rewritten');
  expect(await workspace.mirrors.fetchTip(fetched, 'main')).toEqual({ commit: repository.tip(), tree: repository.tree() });
});

test('a mirror that was made only half is made anew', async () => {
  const repository = workspace.repository({ 'a.txt': 'one\n' });
  const fetched = await workspace.fetched(repository);
  rmSync(join(fetched.gitDir, 'HEAD'));
  expect(await workspace.mirrors.fetchTip(fetched, 'main')).toEqual(fetched.base);
});

test('ten fetches of one repository at once all get the tip', async () => {
  const repository = workspace.repository({ 'a.txt': 'one\n' });
  const fetched = await workspace.fetched(repository);
  repository.commit({ 'a.txt': 'two\n' });
  const tips = await Promise.all(Array.from({ length: 10 }, () => workspace.mirrors.fetchTip(fetched, 'main')));
  expect(new Set(tips.map((tip) => tip.commit))).toEqual(new Set([repository.tip()]));
});

test('a name that looks like an option reaches no command', async () => {
  const fetched = await workspace.fetched(workspace.repository({ 'a.txt': 'one\n' }));
  const written = join(workspace.home, 'written');
  for (const name of [`--output=${written}`, '-x', '--all', 'main..main', 'no-such', '', 'main\nmain', ':/first', '@{-1}']) {
    await expect(workspace.mirrors.resolve(fetched.repository_id, name), name).rejects.toMatchObject({ type: 'BRANCH_UNKNOWN' });
  }
  expect(existsSync(written)).toBe(false);
});

test('a cancelled fetch ends at once', async () => {
  const fetched = await workspace.fetched(workspace.repository({ 'a.txt': 'one\n' }));
  await expect(workspace.mirrors.fetchTip(fetched, 'main', AbortSignal.abort())).rejects.toMatchObject({ name: 'AbortError' });
});
