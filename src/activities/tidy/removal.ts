/** Removing one thing and saying so. What cannot be removed is reported, and the rest goes on. */
import { execFile } from 'node:child_process';
import { realpath } from 'node:fs/promises';
import { promisify } from 'node:util';
import type { RemovableKind, Removal } from '../../domain/workspaces.ts';
import { unmountBelow } from '../../git/mounts.ts';
import { removeFolder } from '../../git/remove-folder.ts';

const run = promisify(execFile);

export async function noted(kind: RemovableKind, name: string, remove: () => Promise<number>): Promise<Removal> {
  try {
    return { kind, name, bytes: await remove(), problem: null };
  } catch (error) {
    return { kind, name, bytes: 0, problem: (error as Error).message.slice(0, 500) };
  }
}

/** Bytes on disk below a path, one file system only; 0 when it is gone. */
export async function bytesOf(path: string): Promise<number> {
  const { stdout } = await run('du', ['-skx', '--', path], { maxBuffer: 1 << 20 }).catch((error: { stdout?: string }) => ({ stdout: error.stdout ?? '' }));
  return Number.parseInt(stdout, 10) * 1024 || 0;
}

/**
 * Removes a folder that a repository's command wrote in: what is mounted there is unmounted first, what is marked immutable unmarked.
 * @returns the bytes it had
 */
export async function removeAll(path: string): Promise<number> {
  const real = await realpath(path).catch(() => path);
  const mounted = await unmountBelow(real);
  if (mounted.length > 0) throw new Error(`something is mounted at ${mounted[0]}`);
  const bytes = await bytesOf(path);
  await removeFolder(path).catch(async () => {
    await run('chattr', ['-R', '-f', '-i', '-a', '--', path]).catch(() => undefined);
    await removeFolder(path);
  });
  return bytes;
}
