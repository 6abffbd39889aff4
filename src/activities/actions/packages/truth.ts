/** The manifest and lock file that count: as committed, read through git without running anything of the repository's. */
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { GitError, type Git } from '../../../git/git.ts';
import { sha256 } from '../../../ledger/canonical.ts';
import { refused } from '../action.ts';
import type { Place } from './place.ts';

/** A lock file beyond this is none that a package manager wrote. */
const maxBytes = 32 * 1024 * 1024;

export interface Truth {
  commit: string | null;
  manifest: Buffer;
  lock: Buffer;
}

/**
 * @param revision what names the commit; null: the files as they lie there count
 * @returns a reason when there is nothing to go by
 */
export async function truthOf(git: Git, place: Place, revision: string | null): Promise<Truth | string> {
  const { project, manifest, lock } = place;
  if (revision === null) {
    const [manifestFile, lockFile] = [await fileOf(project, manifest), await fileOf(project, lock)];
    if (manifestFile === null || lockFile === null) return `${project} has no ${manifestFile === null ? manifest : lock}`;
    return { commit: null, manifest: manifestFile, lock: lockFile };
  }
  const commit = await answer(git, project, ['rev-parse', '--verify', '--quiet', '--end-of-options', `${revision}^{commit}`]);
  if (commit === null) return `${project} has no commit ${revision}: what is locked cannot be compared with anything`;
  const id = commit.toString('utf8').trim();
  const [manifestBlob, lockBlob] = [await committed(git, project, id, manifest), await committed(git, project, id, lock)];
  if (manifestBlob === null || lockBlob === null) return `commit ${id.slice(0, 12)} has no ${manifestBlob === null ? manifest : lock}`;
  return { commit: id, manifest: manifestBlob, lock: lockBlob };
}

/** The truth that the plan rests on; null when it is another by now. */
export async function approvedTruth(
  git: Git, place: Place, approved: { commit: string | null; manifest_sha256: string; lock_sha256: string },
): Promise<Truth | null> {
  const truth = await truthOf(git, place, approved.commit);
  const same = typeof truth !== 'string' && sha256(truth.manifest) === approved.manifest_sha256 && sha256(truth.lock) === approved.lock_sha256;
  return same ? truth : null;
}

/** Bytes of a file of the project; null when there is none. */
export async function fileOf(project: string, name: string): Promise<Buffer | null> {
  const path = join(project, name);
  try {
    const { size } = await stat(path);
    if (size > maxBytes) throw refused('LOCK_FORMAT', `${path} is larger than ${maxBytes} bytes`);
    return await readFile(path);
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) return null;
    throw error;
  }
}

const committed = (git: Git, project: string, commit: string, file: string): Promise<Buffer | null> =>
  answer(git, project, ['cat-file', 'blob', `${commit}:./${file}`]);

/** Null when git says no: no repository, no such commit, no such file. */
async function answer(git: Git, project: string, args: readonly string[]): Promise<Buffer | null> {
  try {
    // The folder was declared by whoever runs this service, whoever owns it.
    return (await git.run(['-c', 'safe.directory=*', '-C', project, ...args])).stdout;
  } catch (error) {
    if (error instanceof GitError) return null;
    throw error;
  }
}
