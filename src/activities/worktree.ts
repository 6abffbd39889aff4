/** A worktree made ready for a command: clean, at a commit, with its dependencies; held while something runs in it. */
import { randomUUID } from 'node:crypto';
import type { CommitRef } from '../domain/coding.ts';
import type { CommandSpec } from '../domain/commands.ts';
import { failure } from '../engine/failure.ts';
import { cacheKey, keep, putBack, type CacheUse } from './dependencies/cache.ts';
import { downloadsFor, markInstalled } from './dependencies/downloads.ts';
import { readTree } from './dependencies/tree.ts';
import type { ActivityDeps } from './deps.ts';
import { refuseFullDisk } from './disk.ts';
import { tellNextInLine, withNoRoom } from './room.ts';
import { runSetup } from './setup.ts';

export interface ReadyWorktree {
  path: string;
  /** Null when no setup command ran. */
  setup_ms: number | null;
  dependencies: CacheUse;
  /** Lets go of it, and ends what still runs there; nothing, when the same holder has taken it over since. */
  release(): Promise<void>;
}

type Installed = Pick<ReadyWorktree, 'setup_ms' | 'dependencies'>;

const off = (reason: string): CacheUse => ({ cache: 'off', key: null, scope: 'off', reason, kept: false, size_bytes: null });

/**
 * A clean worktree at the commit with its dependencies installed. What an earlier run left running is killed first.
 * @throws SETUP_FAILED with the end of the setup command's output, TREE_MISMATCH; WORKSPACE_BUSY and DISK_FULL with what
 * a mission needs to ask again
 */
export async function prepareWorktree(
  deps: ActivityDeps, repositoryId: string, holder: string, at: CommitRef, setup: CommandSpec | null, signal: AbortSignal,
): Promise<ReadyWorktree> {
  const { worktrees, processes } = deps;
  const lease = randomUUID();
  const release = async (): Promise<void> => {
    if (!await worktrees.slots.holds(repositoryId, holder, lease)) return;
    await processes.sweep(holder);
    if (await worktrees.release(repositoryId, holder, lease)) await tellNextInLine(deps, repositoryId);
  };
  try {
    await refuseFullDisk(deps);
    await processes.sweep(holder);
    const path = await worktrees.checkout(repositoryId, holder, at.commit, lease);
    await expectClean(deps, path, at);
    const installed = setup === null ? { setup_ms: null, dependencies: off('no setup command') }
      : await install(deps, { repositoryId, holder, at, setup, path }, signal);
    return { path, ...installed, release };
  } catch (error) {
    await release();
    throw withNoRoom(error, { repository_id: repositoryId, holder, host_queue: deps.hostQueue });
  }
}

async function expectClean({ git }: Pick<ActivityDeps, 'git'>, path: string, at: CommitRef): Promise<void> {
  const tree = await git.text(['-C', path, 'rev-parse', '--verify', 'HEAD^{tree}']);
  const status = await git.text(['-C', path, 'status', '--porcelain', '--untracked-files=all']);
  if (tree !== at.tree || status !== '') {
    throw failure('TREE_MISMATCH', `the worktree is ${tree}${status === '' ? '' : ' and not clean'}, not ${at.tree}`);
  }
}

interface Where { repositoryId: string; holder: string; at: CommitRef; setup: CommandSpec; path: string }

/** What an earlier setup made, put back; or the setup command, and what it makes kept for the next one. */
async function install(deps: ActivityDeps, where: Where, signal: AbortSignal): Promise<Installed> {
  const { repositoryId: repository_id, holder, at, setup, path } = where;
  const tree = await readTree(deps, repository_id, at.commit);
  const ofOrigin = await isOfOrigin(deps, repository_id, at.commit);
  const downloads = await downloadsFor(deps, { repository_id, holder, tree, ofOrigin });
  const cache = await cacheKey(deps, { repository_id, at, tree, setup, path });
  const found = 'off' in cache ? { miss: cache.off } : await putBack(deps, cache, signal);
  if (!('off' in cache) && 'size_bytes' in found) {
    return { setup_ms: null, dependencies: { cache: 'hit', key: cache.key, scope: cache.scope, reason: null, kept: true, size_bytes: found.size_bytes } };
  }
  const setup_ms = await runSetup(deps, { setup, path, holder, repository_id, downloads }, signal);
  if (ofOrigin) await markInstalled(downloads, tree);
  if ('off' in cache) return { setup_ms, dependencies: off(cache.off) };
  // What the setup left running could still write while it is copied.
  await deps.processes.sweep(holder);
  const kept = await keep(deps, cache, ofOrigin, signal);
  const reasons = ['miss' in found ? found.miss : null, 'problem' in kept ? `not kept: ${kept.problem}` : null].filter((reason) => reason !== null);
  return {
    setup_ms,
    dependencies: { cache: 'miss', key: cache.key, scope: cache.scope, reason: reasons.join('; '), kept: !('problem' in kept), size_bytes: 'problem' in kept ? null : kept.size_bytes },
  };
}

/** Whether a branch of the origin has the commit, as far as we have fetched it. */
async function isOfOrigin({ git, mirrors }: Pick<ActivityDeps, 'git' | 'mirrors'>, repositoryId: string, commit: string): Promise<boolean> {
  const found = await git.text(['for-each-ref', '--count=1', '--contains', commit, '--format=%(refname)', 'refs/remotes/origin'],
    { gitDir: mirrors.pathOf(repositoryId) });
  return found !== '';
}
