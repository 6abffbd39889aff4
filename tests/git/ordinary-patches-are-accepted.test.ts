import { chmodSync, mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { TestRepository } from '../support/repository.ts';
import { openWorkspace, type Workspace } from '../support/workspace.ts';

let workspace: Workspace;
let repository: TestRepository;
let fetched: Awaited<ReturnType<Workspace['fetched']>>;

beforeAll(async () => {
  workspace = await openWorkspace();
  repository = workspace.repository({
    'a.txt': 'one\ntwo\nthree\n', 'dir/b.txt': 'text that is long enough to be found again\n'.repeat(5), 'run.sh': '#!/bin/sh\n',
    '.github/ci.yml': 'on: push\n', 'with space/ünï "q".txt': 'x\n', 'crlf.txt': 'a\r\nb\r\n',
  });
  writeFileSync(join(repository.path, 'image.bin'), Buffer.from(Array.from({ length: 2_000 }, (_, i) => (i * 7) % 256)));
  repository.commit({});
  fetched = await workspace.fetched(repository);
});
afterAll(() => workspace.close());

/** A change made by hand in the repository, as git shows it; the repository is left as it was. */
function made(change: (path: string) => void): { diff: Buffer; tree: string } {
  change(repository.path);
  repository.git('add', '-A');
  const tree = repository.git('write-tree').trim();
  const diff = Buffer.from(repository.git('diff', '--cached', '--binary', '--full-index', '-M'));
  repository.git('reset', '-q', '--hard');
  return { diff, tree };
}

test.each<[string, (path: string) => void, string[]]>([
  ['a changed line', (path) => writeFileSync(join(path, 'a.txt'), 'one\nTWO\nthree\n'), ['a.txt']],
  ['a changed binary', (path) => writeFileSync(join(path, 'image.bin'), Buffer.alloc(3_000, 0xfe)), ['image.bin']],
  ['a new binary', (path) => writeFileSync(join(path, 'new.bin'), Buffer.from([0, 1, 2, 255, 254])), ['new.bin']],
  ['a file made executable', (path) => chmodSync(join(path, 'run.sh'), 0o755), ['run.sh']],
  ['a new executable', (path) => writeFileSync(join(path, 'tool'), '#!/bin/sh\n', { mode: 0o755 }), ['tool']],
  ['a deleted file', (path) => rmSync(join(path, 'a.txt')), ['a.txt']],
  ['a renamed file', (path) => renameSync(join(path, 'dir/b.txt'), join(path, 'dir/c.txt')), ['dir/b.txt', 'dir/c.txt']],
  ['a file renamed to another case', (path) => renameSync(join(path, 'a.txt'), join(path, 'A.txt')), ['A.txt', 'a.txt']],
  ['a symlink inside of the tree', (path) => symlinkSync('../a.txt', join(path, 'dir/link')), ['dir/link']],
  ['names with spaces, quotes and umlauts', (path) => writeFileSync(join(path, 'with space/ünï "q".txt'), 'y\n'), ['with space/ünï "q".txt']],
  ['line ends of Windows', (path) => writeFileSync(join(path, 'crlf.txt'), 'a\r\nc\r\n'), ['crlf.txt']],
  ['trailing blanks and no last line end', (path) => writeFileSync(join(path, 'a.txt'), 'one  \n\ttwo \n\n\n\nend'), ['a.txt']],
  ['an empty file', (path) => writeFileSync(join(path, 'empty'), ''), ['empty']],
  ['a file that becomes a folder', (path) => {
    rmSync(join(path, 'a.txt'));
    mkdirSync(join(path, 'a.txt'));
    writeFileSync(join(path, 'a.txt', 'inner'), 'x\n');
  }, ['a.txt', 'a.txt/inner']],
])('%s: exactly the tree that git made of it', async (_, change, files) => {
  const { diff, tree } = made(change);
  const { outcome, reason, candidate } = await workspace.apply(fetched, diff);
  expect(reason).toBeNull();
  expect(outcome).toBe('passed');
  expect(candidate).toMatchObject({ tree, touched_protected_paths: [] });
  expect(candidate!.files.toSorted()).toEqual(files);
});

test('a protected path is accepted and named', async () => {
  const { diff } = made((path) => writeFileSync(join(path, '.github/ci.yml'), 'on: never\n'));
  expect((await workspace.apply(fetched, diff)).candidate).toMatchObject({ touched_protected_paths: ['.github/ci.yml'] });
});

test('the same candidate applied twice gives the same commit, also at once and in another second', async () => {
  const { diff } = made((path) => writeFileSync(join(path, 'a.txt'), 'again\n'));
  const first = await workspace.apply(fetched, diff, 'MC-twice');
  const rest = await Promise.all([1, 2, 3].map(() => workspace.apply(fetched, diff, 'MC-twice')));
  for (const again of rest) expect(again).toEqual(first);
  const { commit } = first.candidate!;
  expect(await workspace.git.text(['rev-parse', 'refs/mission-control/MC-twice/candidate-1'], { gitDir: fetched.gitDir })).toBe(commit);
  const said = await workspace.git.text(['log', '-1', '--format=%P %aI %cI %s', commit], { gitDir: fetched.gitDir });
  expect(said).toBe(`${fetched.base.commit} 2026-01-02T03:04:05+00:00 2026-01-02T03:04:05+00:00 A candidate`);
});

test('a change has one patch id, whatever base it stands on', async () => {
  const { diff } = made((path) => writeFileSync(join(path, 'a.txt'), 'one\ntwo\nFOUR\n'));
  const here = await workspace.apply(fetched, diff);
  repository.commit({ 'other.txt': 'unrelated\n' });
  const moved = { ...fetched, base: await workspace.mirrors.fetchTip(fetched, 'main') };
  const there = await workspace.apply(moved, diff);
  expect(there.candidate!.tree).not.toBe(here.candidate!.tree);
  expect(there.candidate!.patch_id).toBe(here.candidate!.patch_id);
  expect(here.candidate!.patch_id).toMatch(/^[0-9a-f]{64}$/);
});

test('applying touches no worktree and not the user\'s repository', async () => {
  const path = await workspace.worktrees.checkout(fetched.repository_id, 'MC-watch', fetched.base.commit);
  const before = repository.git('for-each-ref');
  const { diff } = made((folder) => writeFileSync(join(folder, 'a.txt'), 'watched\n'));
  await workspace.apply(fetched, diff);
  expect(await workspace.git.text(['-C', path, 'status', '--porcelain'])).toBe('');
  expect(repository.git('for-each-ref')).toBe(before);
  expect(repository.git('status', '--porcelain')).toBe('');
});
