/** A pool of worktrees per repository. A slot is reused by reset and clean: 10–50 times faster than adding one. */
import { randomUUID } from 'node:crypto';
import { lstatSync, rmSync } from 'node:fs';
import { lstat, mkdir, readdir, readFile, realpath, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { failure } from '../engine/failure.ts';
import type { Database } from '../store/database.ts';
import { createSlots, type Slots } from '../store/worktree-slots.ts';
import type { Git } from './git.ts';
import type { Mirrors } from './mirror.ts';
import { unmountBelow } from './mounts.ts';
import { removeFolder } from './remove-folder.ts';

export interface Worktrees {
  /**
   * A clean worktree at the commit, held by `holder` until released. Safe to repeat: the same holder gets the same slot.
   * @param lease names this use of it; a later use by the same holder takes it over
   * @returns absolute path of the worktree
   * @throws WORKSPACE_BUSY when every slot is held, and those who asked before come first
   */
  checkout(repositoryId: string, holder: string, commit: string, lease?: string): Promise<string>;
  /** @param lease let go only if no later use took it over */
  release(repositoryId: string, holder: string, lease?: string): Promise<boolean>;
  /** Takes an unheld slot away: its folder, its entry in the mirror, its row. @returns whether it was free to go */
  retire(repositoryId: string, slot: number): Promise<boolean>;
  /** Tracked files that are not as the commit has them; undefined when what ran there broke the way to find out. */
  changedIn(repositoryId: string, path: string): Promise<string[] | undefined>;
  slots: Slots;
}

export const allInUse = (slots: number): string => `all ${slots} worktrees of the repository on this host are in use`;

export interface PoolOptions {
  /** How many worktrees of one repository there may be. */
  bound: () => Promise<number>;
  /** Ends what still runs for somebody who let go without saying so. */
  sweep: (holder: string) => Promise<unknown>;
}

/** Slots that can neither be cleaned nor set aside, one after the other, before somebody has to look. */
const brokenSlots = 3;

export function createWorktrees(
  git: Git, mirrors: Mirrors, database: Pick<Database, 'query' | 'transaction'>, folder: string, hostId: string, { bound, sweep }: PoolOptions,
): Worktrees {
  const slots = createSlots(database, hostId);
  const pathOf = (repositoryId: string, slot: number): string => join(folder, repositoryId, String(slot));

  async function add(repositoryId: string, path: string, commit: string): Promise<void> {
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    // One at a time: git reads the half-made entries of another `add` and gives up on them. No `worktree prune` before
    // it either, which would take such an entry away.
    await mirrors.exclusively(repositoryId, () => git.run(
      ['worktree', 'add', '--quiet', '--force', '--force', '--detach', '--no-checkout', '--', path, commit], { gitDir: mirrors.pathOf(repositoryId) }));
    await restore(git, path, await git.text(['-C', path, 'rev-parse', '--absolute-git-dir']), commit);
  }

  return {
    slots,
    async checkout(repositoryId, holder, commit, lease = randomUUID()) {
      for (let broken = 0; ; broken += 1) {
        const claimed = await slots.claim(repositoryId, holder, lease, await bound());
        if ('place' in claimed) {
          throw failure('WORKSPACE_BUSY', allInUse(claimed.slots), true);
        }
        if (claimed.previous !== null) await sweep(claimed.previous);
        const path = pathOf(repositoryId, claimed.slot);
        const problem = await whyUntouchable(path);
        if (problem === undefined) {
          await mirrors.restoreConfig(repositoryId);
          const own = await adminFolderOf(path, mirrors.pathOf(repositoryId));
          // What cannot be restored is made anew.
          const restored = own !== undefined && await restore(git, path, own, commit).then(() => true, () => false);
          if (restored) return path;
        }
        const stuck = problem ?? await clear(path);
        if (stuck === undefined) {
          await add(repositoryId, path, commit);
          return path;
        }
        await slots.markBroken(repositoryId, claimed.slot, stuck);
        if (broken + 1 === brokenSlots) throw failure('INTERNAL', `worktrees cannot be made clean: ${stuck}`);
      }
    },
    release: (repositoryId, holder, lease) => slots.release(repositoryId, holder, lease),
    async retire(repositoryId, slot) {
      if (!await slots.beginRemoval(repositoryId, slot)) return false;
      const path = pathOf(repositoryId, slot);
      const stuck = await whyUntouchable(path) ?? await clear(path);
      if (stuck !== undefined) {
        await slots.markBroken(repositoryId, slot, stuck);
        throw new Error(stuck);
      }
      await mirrors.exclusively(repositoryId, () => forget(mirrors.pathOf(repositoryId), path));
      await slots.endRemoval(repositoryId, slot);
      return true;
    },
    async changedIn(repositoryId, path) {
      await mirrors.restoreConfig(repositoryId);
      const own = await adminFolderOf(path, mirrors.pathOf(repositoryId));
      if (own === undefined) return undefined;
      const { code, stdout } = await git.run(['status', '--porcelain', '-z', '--untracked-files=no'], { gitDir: own, workTree: path, okCodes: [128] });
      return code === 0 ? stdout.toString('utf8').split('\0').filter((line) => line !== '') : undefined;
    },
  };
}

/** A mount that does not go away: removing through it would remove what is not ours. */
async function whyUntouchable(path: string): Promise<string | undefined> {
  const mounted = await unmountBelow(await realPathOf(path));
  return mounted.length === 0 ? undefined : `something is mounted at ${mounted[0]}`;
}

/** Of a folder that may be gone; what it lies in is there. */
const realPathOf = async (path: string): Promise<string> => join(await realpath(dirname(path)).catch(() => dirname(path)), basename(path));

export const setAsidePrefix = '.aside-';

/** Removes the folder, or puts it where the janitor finds it. @returns why neither worked */
async function clear(path: string): Promise<string | undefined> {
  try {
    await removeFolder(path);
  } catch (removal) {
    // Somebody else's files, or ones marked immutable.
    try {
      await rename(path, join(dirname(path), `${setAsidePrefix}${randomUUID()}`));
    } catch {
      return (removal as Error).message;
    }
  }
  return undefined;
}

/** The mirror's entry of a worktree that is gone. */
async function forget(mirror: string, path: string): Promise<void> {
  const folder = join(mirror, 'worktrees');
  const real = await realPathOf(path);
  for (const name of await readdir(folder).catch(() => [])) {
    const link = (await readFile(join(folder, name, 'gitdir'), 'utf8').catch(() => '')).trim();
    if (dirname(link) === real) await rm(join(folder, name), { recursive: true, force: true });
  }
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
