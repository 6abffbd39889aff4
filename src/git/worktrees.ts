/** A pool of worktrees per repository. A slot is reused by reset and clean: 10–50 times faster than adding one. */
import { lstatSync, rmSync } from 'node:fs';
import { lstat, mkdir, readdir, readFile, realpath, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Query } from '../store/database.ts';
import type { Git } from './git.ts';
import type { Mirrors } from './mirror.ts';
import { removeFolder } from './remove-folder.ts';

export interface Worktrees {
  /**
   * A clean worktree at the commit, held by `holder` until released. Safe to repeat: the same holder gets the same slot.
   * @returns absolute path of the worktree
   */
  checkout(repositoryId: string, holder: string, commit: string): Promise<string>;
  release(repositoryId: string, holder: string): Promise<void>;
}

export function createWorktrees(git: Git, mirrors: Mirrors, query: Query, folder: string, hostId: string): Worktrees {
  /** The holder's slot; else a free one; else a new one. Slots of ended missions are free, whoever forgot them. */
  async function acquire(repositoryId: string, holder: string): Promise<number> {
    for (;;) {
      const [mine] = await query<{ slot: number }>(
        'SELECT slot FROM worktrees WHERE host_id = $1 AND repository_id = $2 AND holder = $3', [hostId, repositoryId, holder]);
      if (mine !== undefined) return mine.slot;
      const [free] = await query<{ slot: number }>(
        `UPDATE worktrees SET holder = $3 WHERE (host_id, repository_id, slot) = (
           SELECT w.host_id, w.repository_id, w.slot FROM worktrees w
             LEFT JOIN missions m ON m.mission_id = split_part(w.holder, ':', 1)
            WHERE w.host_id = $1 AND w.repository_id = $2
              AND (w.holder IS NULL OR m.status IN ('resolved', 'escalated', 'aborted'))
            ORDER BY w.slot LIMIT 1 FOR UPDATE OF w SKIP LOCKED)
         RETURNING slot`, [hostId, repositoryId, holder]);
      if (free !== undefined) return free.slot;
      const [added] = await query<{ slot: number }>(
        `INSERT INTO worktrees (host_id, repository_id, slot, holder)
         SELECT $1, $2, coalesce(max(slot), 0) + 1, $3 FROM worktrees WHERE host_id = $1 AND repository_id = $2
         ON CONFLICT DO NOTHING RETURNING slot`, [hostId, repositoryId, holder]);
      if (added !== undefined) return added.slot;
    }
  }

  return {
    async checkout(repositoryId, holder, commit) {
      const gitDir = mirrors.pathOf(repositoryId);
      const path = join(folder, repositoryId, String(await acquire(repositoryId, holder)));
      await mirrors.restoreConfig(repositoryId);
      const own = await adminFolderOf(path, gitDir);
      // What cannot be restored is made anew.
      const restored = own !== undefined && await restore(git, path, own, commit).then(() => true, () => false);
      if (!restored) {
        await removeFolder(path);
        await mkdir(join(folder, repositoryId), { recursive: true, mode: 0o700 });
        // One at a time: git reads the half-made entries of another `add` and gives up on them. No `worktree prune` before
        // it either, which would take such an entry away.
        await mirrors.exclusively(repositoryId, () => git.run(['worktree', 'add', '--quiet', '--force', '--force', '--detach', '--no-checkout', '--', path, commit], { gitDir }));
        await restore(git, path, await git.text(['-C', path, 'rev-parse', '--absolute-git-dir']), commit);
      }
      return path;
    },
    async release(repositoryId, holder) {
      await query('UPDATE worktrees SET holder = NULL WHERE host_id = $1 AND repository_id = $2 AND holder = $3',
        [hostId, repositoryId, holder]);
    },
  };
}

/**
 * The worktree's own folder in our mirror; undefined when what ran in the worktree broke or redirected the way to it.
 * Read without git: a folder in place of the `.git` file, or another `commondir`, brings a configuration of its own, and
 * filters in there are commands.
 */
async function adminFolderOf(path: string, mirror: string): Promise<string | undefined> {
  const link = await lstat(join(path, '.git')).catch(() => undefined);
  if (!link?.isFile()) return undefined;
  const read = async (...parts: string[]): Promise<string> => (await readFile(join(...parts), 'utf8').catch(() => '')).trim();
  const own = (await read(path, '.git')).replace(/^gitdir: /, '');
  if (dirname(own) !== join(await realpath(mirror), 'worktrees')) return undefined;
  const [back, common, head] = await Promise.all(['gitdir', 'commondir', 'HEAD'].map((name) => read(own, name)));
  const intact = back === join(await realpath(path), '.git') && common === '../..' && /^(ref: refs\/|[0-9a-f]{40,64}$)/.test(head!);
  return intact ? own : undefined;
}

/** Whatever ran here before may have died inside git, or written anything anywhere. */
async function restore(git: Git, path: string, own: string, commit: string): Promise<void> {
  const locks = (await readdir(own)).filter((name) => name.endsWith('.lock'));
  await Promise.all(locks.map((name) => rm(join(own, name), { force: true })));
  const [index, folders] = await Promise.all([
    git.run(['-C', path, 'ls-files', '-z', '-v'], { okCodes: [128] }),
    git.run(['-C', path, 'ls-tree', '-r', '-d', '-z', commit]),
  ]);
  // A damaged index, or flags in it that hide changes from a reset (skip-worktree, assume-unchanged).
  const honest = index.code === 0 && index.stdout.toString('latin1').split('\0').every((line) => line === '' || line.startsWith('H '));
  if (!honest) await rm(join(own, 'index'), { force: true });
  restoreFolders(path, folders.stdout.toString('utf8').split('\0').filter((line) => line !== ''));
  await git.run(['-C', path, 'reset', '--quiet', '--hard', commit]);
  await git.run(['-C', path, 'clean', '--quiet', '-ffdx']);
}

/**
 * What reset looks through and clean never looks into: folders replaced by symlinks, repositories made inside of tracked
 * folders, the folders of submodules.
 * @param entries lines of `ls-tree -d`
 */
function restoreFolders(path: string, entries: readonly string[]): void {
  // Parents come first, so nothing is removed through a symlink. Synchronous: 3 ms for 500 folders instead of 20.
  for (const entry of entries) {
    const folder = join(path, entry.slice(entry.indexOf('\t') + 1));
    const inTheWay = entry.startsWith('160000') || lstatSync(folder, { throwIfNoEntry: false })?.isDirectory() === false
      ? folder : join(folder, '.git');
    if (lstatSync(inTheWay, { throwIfNoEntry: false }) !== undefined) rmSync(inTheWay, { recursive: true, force: true });
  }
}
