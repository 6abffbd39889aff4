/**
 * What a setup command made, put back instead of running it again. Kept per repository under a key of all that it depends
 * on; checked against a digest in the database before each use, and thrown away when it is not what was kept.
 */
import { randomUUID } from 'node:crypto';
import { lstat, mkdir, open, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { CommitRef } from '../../domain/coding.ts';
import type { CommandSpec } from '../../domain/commands.ts';
import { dependencyScope, readForScope, type DependencyScope } from '../../domain/dependencies.ts';
import { bytesPerGb } from '../../domain/workspaces.ts';
import { removeFolder } from '../../git/remove-folder.ts';
import { digestOf } from '../../ledger/canonical.ts';
import { addKept, findKept, forgetKept } from '../../store/dependency-caches.ts';
import { readWorkspaceSettings } from '../../store/workspace-settings.ts';
import { confinementFacts } from '../confinement.ts';
import type { ActivityDeps } from '../deps.ts';
import { isToolFolder, nothingInstalled } from '../tool-environment.ts';
import { digestOfFile, pack, unpack } from './archive.ts';
import { keptFile } from './places.ts';
import { productOf } from './product.ts';
import type { CommitTree } from './tree.ts';
import { toolVersions } from './tools.ts';

type CacheDeps = Pick<ActivityDeps, 'config' | 'database' | 'git' | 'mirrors' | 'worktrees' | 'hostId' | 'logger' | 'processes'>;

/** Raised when what is kept changes its meaning. */
const format = 1;
const maxBytes = 4 * bytesPerGb;

export interface CacheKey { key: string; scope: 'lockfiles' | 'tree'; repository_id: string; at: CommitRef; path: string; tracked: string[] }

/** What the workspace record says of it. */
export interface CacheUse {
  cache: 'hit' | 'miss' | 'off';
  key: string | null;
  scope: DependencyScope['kind'];
  /** Why it was not used, or not kept. */
  reason: string | null;
  kept: boolean;
  size_bytes: number | null;
}

/** The key of this setup at this commit in this worktree, or why there is none. */
export async function cacheKey(
  deps: CacheDeps, where: { repository_id: string; at: CommitRef; tree: CommitTree; setup: CommandSpec; path: string },
): Promise<CacheKey | { off: string }> {
  const { git, mirrors, config } = deps;
  const { repository_id, at, tree, setup, path } = where;
  const gitDir = mirrors.pathOf(repository_id);
  const texts = new Map(await Promise.all(readForScope.filter((name) => tree.entries.has(name)).map(async (name) =>
    [name as string, (await git.run(['cat-file', 'blob', `${at.commit}:${name}`], { gitDir })).stdout.toString('utf8')] as const)));
  const first = dependencyScope(setup.argv, { paths: tree.paths, text: (name) => texts.get(name) });
  // Further steps run scripts, and those may read anything of the tree.
  const scope: DependencyScope = first.kind === 'lockfiles' && setup.next !== undefined ? { kind: 'tree' } : first;
  if (scope.kind === 'off') return { off: scope.reason };
  const key = digestOf({
    format, repository_id, argv: setup.argv, network: setup.network, platform: process.platform, arch: process.arch,
    ...(setup.next === undefined ? {} : { next: setup.next.map(({ argv, network, may_fail = false }) => ({ argv, network, may_fail })) }),
    tools: await toolVersions(setup.argv, join(config.home, 'scratch', 'git-home')),
    sandbox: await confinementFacts(deps, [setup]),
    // Mode and blob id: the content as the commit has it.
    reads: scope.kind === 'tree' ? at.tree : scope.files.map((file) => [file, tree.entries.get(file)!]),
  });
  return { key, scope: scope.kind, repository_id, at, path, tracked: tree.paths };
}

/** Puts back what was kept under the key. @returns its size, or why nothing was put back; then nothing of it is there */
export async function putBack(deps: CacheDeps, { key, repository_id, path }: CacheKey, signal: AbortSignal): Promise<{ size_bytes: number } | { miss: string }> {
  const kept = await findKept(deps.database.query, deps.hostId, repository_id, key, path);
  if (kept === undefined) return { miss: 'nothing kept' };
  for (const root of kept.roots) {
    if (!await fits(path, root)) return { miss: `${root} does not fit this tree` };
  }
  const file = keptFile(deps.config.home, kept);
  const handle = await open(file, 'r').catch(() => undefined);
  try {
    if (handle === undefined || await digestOfFile(handle) !== kept.sha256) {
      await forgetKept(deps.database.query, deps.hostId, kept);
      await rm(file, { force: true });
      deps.logger.warn({ event: 'dependency_cache.damaged', repository_id, key });
      return { miss: 'what was kept is damaged or gone, and was thrown away' };
    }
    await unpack(handle, path, signal);
    return { size_bytes: kept.size_bytes };
  } catch (error) {
    await Promise.all(kept.roots.map((root) => removeFolder(join(path, root))));
    signal.throwIfAborted();
    return { miss: `it could not be put back: ${(error as Error).message}`.slice(0, 500) };
  } finally {
    await handle?.close();
  }
}

/** Whether it would lie in real folders of the worktree, where nothing is: a link there could lead anywhere. */
async function fits(worktree: string, root: string): Promise<boolean> {
  const parts = root.split('/');
  for (let n = 1; n < parts.length; n += 1) {
    const parent = await lstat(join(worktree, ...parts.slice(0, n))).catch(() => undefined);
    if (parent?.isDirectory() !== true) return false;
  }
  return await lstat(join(worktree, root)).catch(() => undefined) === undefined;
}

/**
 * Keeps what the setup left. Written aside and renamed: what an interrupted one leaves is no name that anybody looks for.
 * @param ofOrigin whether a branch of the origin has the commit
 * @returns its size, or why it was not kept
 */
export async function keep(deps: CacheDeps, cache: CacheKey, ofOrigin: boolean, signal: AbortSignal): Promise<{ size_bytes: number } | { problem: string }> {
  const { key, repository_id, path, tracked } = cache;
  if (cache.scope === 'lockfiles' && !ofOrigin) {
    // It would be used for other trees: a patch must not choose what its judges run with.
    return { problem: 'only what a commit of the origin installs is kept for others' };
  }
  const { quota_gb } = await readWorkspaceSettings(deps.config.configFolder);
  const changed = await deps.worktrees.changedIn(repository_id, path);
  if (changed === undefined || changed.length > 0) return { problem: 'the setup command changed files of the commit' };
  const product = await productOf(path, tracked);
  if (product.problem !== null) return { problem: product.problem };
  if (product.roots.every(isToolFolder) && await nothingInstalled(path)) return { problem: 'the setup command left nothing in the worktree' };
  const folder = dirname(keptFile(deps.config.home, { repository_id, key, sha256: '' }));
  const aside = join(folder, `${key}.${randomUUID()}.part`);
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const packed = await pack(path, product.roots, aside, Buffer.from(path), Math.min(maxBytes, quota_gb * bytesPerGb), signal);
    const kept = {
      repository_id, key, sha256: packed.sha256, size_bytes: packed.size_bytes, roots: product.roots,
      // Editable installs, virtual environments and compiled paths work where they were made.
      bound_path: packed.found ? path : '',
    };
    await rename(aside, keptFile(deps.config.home, kept));
    if (!await addKept(deps.database.query, deps.hostId, kept)) return { problem: 'it was kept meanwhile' };
    return { size_bytes: packed.size_bytes };
  } catch (error) {
    signal.throwIfAborted();
    // The worktree is ready all the same.
    return { problem: (error as Error).message.slice(0, 500) };
  } finally {
    await rm(aside, { force: true });
  }
}
