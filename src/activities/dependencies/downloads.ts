/**
 * The package managers' download caches, given to setup commands by their environment; what Go and Cargo install lies in the
 * worktree (tool-environment.ts). Those of the origin's commits share one
 * per repository; a patch writes into one of its mission's own, so that nobody else runs what it put there.
 */
import { mkdir, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ActivityDeps } from '../deps.ts';
import { downloadsFolder } from './places.ts';
import { lockDigest, type CommitTree } from './tree.ts';

export interface Downloads {
  folder: string;
  /** Whether a setup command may write there. */
  writable: boolean;
  /** For the setup command. */
  setup: Record<string, string>;
}

export async function downloadsFor(
  { config }: Pick<ActivityDeps, 'config'>, where: { repository_id: string; holder: string; tree: CommitTree; ofOrigin: boolean },
): Promise<Downloads> {
  const { repository_id, holder, tree, ofOrigin } = where;
  const shared = join(downloadsFolder(config.home), repository_id, 'shared');
  // What the same lockfiles need is there already: it is read, not written.
  const complete = await stat(installedMark(shared, tree)).then(() => true, () => false);
  const folder = ofOrigin || complete ? shared : join(downloadsFolder(config.home), repository_id, `of-${holder.replaceAll(/[^\w-]/g, '_')}`);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const now = new Date();
  await utimes(folder, now, now);
  const writable = ofOrigin || !complete;
  const own = {
    npm_config_cache: join(folder, 'npm'), YARN_CACHE_FOLDER: join(folder, 'yarn'), PIP_CACHE_DIR: join(folder, 'pip'),
    UV_CACHE_DIR: join(folder, 'uv'), POETRY_CACHE_DIR: join(folder, 'poetry'),
  };
  return { folder, writable, setup: writable ? own : {} };
}

/** Notes that a setup of the origin's commit succeeded with these lockfiles. */
export async function markInstalled({ folder }: Downloads, tree: CommitTree): Promise<void> {
  await writeFile(installedMark(folder, tree), '', { mode: 0o600 });
}

const installedMark = (folder: string, tree: CommitTree): string => join(folder, `.installed-${lockDigest(tree).slice(0, 32)}`);
