/** What is checked out is looked at first: a few objects can stand for a tree that fills any disk. */
import { failure } from '../engine/failure.ts';
import type { Git } from './git.ts';
import { maxPathBytes } from './limits.ts';

/**
 * Reads the tree's list as git writes it, and no further than the first thing that is too much.
 * @throws REPO_LIMIT naming what, and its limit
 */
export async function requireSmallTree(git: Git, gitDir: string, tree: string, origin: string): Promise<void> {
  const { tree_entries: maxEntries, file_bytes: maxBytes } = git.limits;
  let entries = 0;
  let rest = '';
  let problem: string | undefined;
  const look = (line: string): string | undefined => {
    entries += 1;
    if (entries > maxEntries) return `more than ${maxEntries} files and folders`;
    const tab = line.indexOf('\t');
    const path = line.slice(tab + 1);
    // latin1 below: one character a byte.
    if (path.length > maxPathBytes) return `a path of more than ${maxPathBytes} bytes, beginning with ${path.slice(0, 100)}`;
    // `<mode> <type> <id> <size>`; the size of a folder is `-`.
    if (Number(line.slice(line.lastIndexOf(' ', tab) + 1, tab)) > maxBytes) return `${path} is larger than ${maxBytes} bytes`;
    return undefined;
  };
  const result = await git.run(['ls-tree', '-r', '-t', '-z', '--long', tree], {
    gitDir, okCodes: [1, 128],
    onOutput(chunk) {
      const lines = (rest + chunk.toString('latin1')).split('\0');
      rest = lines.pop()!;
      for (const line of lines) {
        problem ??= look(line);
        if (problem !== undefined) return false;
      }
      return true;
    },
  });
  // Folders nested so deep that git itself runs out of stack.
  if (result.code !== 0) problem ??= `its tree cannot be listed: ${result.stderr.trim().slice(0, 300)}`;
  if (problem !== undefined) throw failure('REPO_LIMIT', `${origin}: ${problem}`);
}

/** Files of a tree, counted no further than one more than `most`. */
export async function countFiles(git: Git, gitDir: string, tree: string, most: number): Promise<number> {
  let files = 0;
  await git.run(['ls-tree', '-r', '-z', '--name-only', tree], {
    gitDir,
    onOutput(chunk) {
      for (const byte of chunk) if (byte === 0) files += 1;
      return files <= most;
    },
  });
  return Math.min(files, most + 1);
}
