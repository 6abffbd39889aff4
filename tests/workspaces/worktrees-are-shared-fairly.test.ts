import { randomUUID } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { createMirrors } from '../../src/git/mirror.ts';
import { createWorktrees } from '../../src/git/worktrees.ts';
import { reserved } from '../../src/store/worktree-slots.ts';
import { openWorkspace, type Workspace } from '../support/workspace.ts';

let workspace: Workspace;
let base: { commit: string; tree: string };
let id: string;

beforeAll(async () => { workspace = await openWorkspace(); });
afterAll(() => workspace.close());
beforeEach(async () => {
  ({ repository_id: id, base } = await workspace.fetched(workspace.repository({ 'a.txt': 'one\n' })));
  workspace.limits.slots = 2;
});

const checkout = (holder: string, lease?: string): Promise<string> => workspace.worktrees.checkout(id, holder, base.commit, lease);
const release = (holder: string, lease?: string): Promise<boolean> => workspace.worktrees.release(id, holder, lease);
const refused = (holder: string): Promise<unknown> => checkout(holder).then(() => 'granted', (error: { type: string; nonRetryable: boolean }) => [error.type, error.nonRetryable]);
const busy = ['WORKSPACE_BUSY', true];

test('there are never more than the bound, and whoever asked first gets the next one', async () => {
  const [first] = [await checkout('MC-a'), await checkout('MC-b')];
  for (const holder of ['MC-c', 'MC-d', 'MC-e']) expect(await refused(holder)).toEqual(busy);
  await release('MC-a');
  // Whoever comes later, or looks first, does not overtake.
  for (const holder of ['MC-f', 'MC-e', 'MC-d']) expect(await refused(holder)).toEqual(busy);
  expect(await checkout('MC-c')).toBe(first);
  await release('MC-b');
  expect(await refused('MC-e')).toEqual(busy);
  expect(await refused('MC-d')).toBe('granted');
  const rows = await workspace.db.database.query('SELECT slot FROM worktrees WHERE repository_id = $1', [id]);
  expect(rows).toHaveLength(2);
});

test('one that went away while waiting, or ended, blocks nobody', async () => {
  await Promise.all(['MC-a', 'MC-b'].map((holder) => checkout(holder)));
  expect(await refused('MC-gone')).toEqual(busy);
  expect(await refused('MC-over:landing')).toEqual(busy);
  expect(await refused('MC-waits')).toEqual(busy);
  await workspace.db.database.query(`UPDATE worktree_requests SET looked_at = now() - interval '10 minutes' WHERE holder = 'MC-gone'`);
  await workspace.db.database.query(
    `INSERT INTO missions (mission_id, package, mission_type, subsystem_id, severity, severity_rank, status, context, created_by, created_at, updated_at)
     VALUES ('MC-over', '{}', 'coding', 's', 'low', 3, 'aborted', '{}', 'test', now(), now())`);
  await release('MC-a');
  expect(await refused('MC-waits')).toBe('granted');
});

test('a higher bound is used at once, a lower one as slots are let go', async () => {
  await Promise.all(['MC-a', 'MC-b'].map((holder) => checkout(holder)));
  workspace.limits.slots = 3;
  expect(await refused('MC-c')).toBe('granted');
  workspace.limits.slots = 1;
  await release('MC-a');
  // Three are there: a free one is handed out, a fourth is not made.
  expect(await refused('MC-d')).toBe('granted');
  expect(await refused('MC-e')).toEqual(busy);
});

test('a run that was believed dead cannot let go of what its successor holds', async () => {
  const [before, after] = [randomUUID(), randomUUID()];
  const path = await checkout('MC-a', before);
  expect(await checkout('MC-a', after)).toBe(path);
  expect(await release('MC-a', before)).toBe(false);
  expect(await workspace.worktrees.slots.holds(id, 'MC-a', after)).toBe(true);
  expect(await release('MC-a', after)).toBe(true);
});

test('a worktree kept for one who does not come is kept for minutes, not for ever', async () => {
  workspace.limits.slots = 1;
  expect(await workspace.worktrees.slots.claim(id, 'MC-a', reserved, 1)).toMatchObject({ slot: 1 });
  expect(await refused('MC-b')).toEqual(busy);
  await workspace.db.database.query(`UPDATE worktrees SET used_at = now() - interval '6 minutes' WHERE repository_id = $1`, [id]);
  expect(await refused('MC-b')).toBe('granted');
  await workspace.db.database.query(`UPDATE worktrees SET used_at = now() - interval '6 minutes' WHERE repository_id = $1`, [id]);
  expect(await refused('MC-a')).toEqual(busy);
});

test('what an ended mission left running is ended before its worktree is handed on', async () => {
  const swept: string[] = [];
  const pool = createWorktrees(workspace.git, workspace.mirrors, workspace.db.database, join(workspace.home, 'worktrees'), 'this-host',
    { bound: async () => 1, sweep: async (holder) => swept.push(holder) });
  await pool.checkout(id, 'MC-ended', base.commit);
  await workspace.db.database.query(
    `INSERT INTO missions (mission_id, package, mission_type, subsystem_id, severity, severity_rank, status, context, created_by, created_at, updated_at)
     VALUES ('MC-ended', '{}', 'coding', 's', 'low', 3, 'resolved', '{}', 'test', now(), now())`);
  await pool.checkout(id, 'MC-next', base.commit);
  expect(swept).toEqual(['MC-ended']);
});

test('two workers on one data directory never share a worktree, and both get theirs', async () => {
  workspace.limits.slots = 8;
  // Locks inside of a process are of no use to another one: each has its own.
  const pools = [0, 1].map(() => createWorktrees(workspace.git, createMirrors(workspace.git, join(workspace.home, 'mirrors'), workspace.deps.config.repoRoots), workspace.db.database,
    join(workspace.home, 'worktrees'), 'this-host', { bound: async () => 8, sweep: async () => undefined }));
  const paths = await Promise.all(Array.from({ length: 8 }, (_, n) => pools[n % 2]!.checkout(id, `MC-${n}`, base.commit)));
  expect(new Set(paths).size).toBe(8);
  for (const [n, path] of paths.entries()) {
    expect(readFileSync(join(path, 'a.txt'), 'utf8')).toBe('one\n');
    writeFileSync(join(path, 'own'), `MC-${n}`);
  }
  for (const [n, path] of paths.entries()) expect(readFileSync(join(path, 'own'), 'utf8')).toBe(`MC-${n}`);
  const gitDirs = await Promise.all(paths.map((path) => workspace.git.text(['-C', path, 'rev-parse', '--absolute-git-dir'])));
  expect(new Set(gitDirs).size).toBe(8);
});

test('a retired slot is gone from disk, mirror and database; a held one stays', async () => {
  const path = await checkout('MC-a');
  expect(await workspace.worktrees.retire(id, 1)).toBe(false);
  expect(existsSync(join(path, 'a.txt'))).toBe(true);
  await release('MC-a');
  expect(await workspace.worktrees.retire(id, 1)).toBe(true);
  expect(existsSync(path)).toBe(false);
  expect(await workspace.git.text(['worktree', 'list', '--porcelain'], { gitDir: workspace.mirrors.pathOf(id) })).not.toContain(path);
  expect(await workspace.db.database.query('SELECT 1 FROM worktrees WHERE repository_id = $1', [id])).toEqual([]);
});
