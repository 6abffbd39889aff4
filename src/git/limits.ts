/** How much a repository may cost us. Sizes are enforced by the kernel where prlimit(1) is installed. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';

export interface GitLimits {
  /** Largest file that git may write while it fetches: a pack. */
  pack_bytes: number;
  /** Private memory of each git process that unpacks what a stranger packed; a chain of deltas can ask for any amount. */
  memory_bytes: number;
  /** Largest file of the tree that is checked out. */
  file_bytes: number;
  /** Files and folders of the tree that is checked out. */
  tree_entries: number;
  /** A fetch or a push. */
  transfer_seconds: number;
  /** A question to an origin: its branches. */
  ask_seconds: number;
}

const MiB = 1024 * 1024;

export const defaultGitLimits: GitLimits = {
  pack_bytes: 4_096 * MiB, memory_bytes: 4_096 * MiB, file_bytes: 512 * MiB, tree_entries: 1_000_000, transfer_seconds: 1_800, ask_seconds: 30,
};

/** Longest path of a tree, in bytes: Linux ends at 4,096 (PATH_MAX), and our worktrees lie some folders deep. */
export const maxPathBytes = 3_500;

/** What stands before a git command so that the kernel holds it, and everything it starts, to the limits. */
export function limitingPrefix({ pack_bytes, memory_bytes }: GitLimits, path = process.env['PATH'] ?? '/usr/bin:/bin'): string[] {
  const found = path.split(':').map((folder) => join(folder, 'prlimit')).find((file) => existsSync(file));
  return found === undefined ? [] : [found, `--fsize=${pack_bytes}`, `--data=${memory_bytes}`, '--core=0', '--'];
}

/** Whether git, or the kernel on our behalf, says that a limit was reached. */
export const saysLimit = (stderr: string): boolean =>
  /Out of memory|mmap failed: Cannot allocate|unable to create thread|File too large|died of signal (9|11|24|25)|killed by SIG(XFSZ|XCPU|SEGV|KILL)|exceeds? (the )?max|object too large/i
    .test(stderr);
