/** Commits of our own: every byte is an input, so that a repeat makes the same commit and its id proves its tree and parents. */
import { createHash } from 'node:crypto';
import type { Git } from './git.ts';

export interface OwnCommit {
  tree: string;
  parents: readonly string[];
  message: string;
  /** RFC 3339. */
  time: string;
}

const who = 'Mission Control <mission-control@localhost>';

/** The object as git stores it (git-commit-tree's format, UTC). */
export function commitBytes({ tree, parents, message, time }: OwnCommit): Buffer {
  const at = `${Math.floor(Date.parse(time) / 1_000)} +0000`;
  return Buffer.from([`tree ${tree}`, ...parents.map((parent) => `parent ${parent}`), `author ${who} ${at}`, `committer ${who} ${at}`, '', message].join('\n'));
}

/** The id that git gives these bytes: SHA-1 or SHA-256, whichever the tree's own id is. */
export function commitId(commit: OwnCommit): string {
  const bytes = commitBytes(commit);
  return createHash(commit.tree.length === 64 ? 'sha256' : 'sha1').update(`commit ${bytes.length}\0`).update(bytes).digest('hex');
}

/** Writes the commit; git checks that it is well formed. @returns its id */
export const writeCommit = (git: Git, gitDir: string, commit: OwnCommit): Promise<string> =>
  git.text(['hash-object', '-t', 'commit', '-w', '--stdin'], { gitDir, input: commitBytes(commit) });
