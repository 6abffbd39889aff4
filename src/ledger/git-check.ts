/** Holds what the ledger says of commits against repositories: they exist, have the tree that was proved, and are on a branch. */
import { execFile } from 'node:child_process';
import type { Problem } from './entries.ts';
import type { Landing } from './grammar.ts';

const isId = (id: string): boolean => /^[0-9a-f]{40}([0-9a-f]{24})?$/.test(id);

/** @param repositories paths of repositories, of which one must have each commit */
export async function checkLandings(landings: readonly Landing[], repositories: readonly string[]): Promise<Problem[]> {
  const problems: Problem[] = [];
  for (const { seq, mission_id, commit, tree } of landings) {
    const wrong = (kind: Problem['kind'], code: string, detail: string): void => {
      problems.push({ kind, code, seq, detail: `${mission_id}: ${detail}` });
    };
    if (!isId(commit) || !isId(tree)) {
      wrong('integrity', 'COMMIT_UNREADABLE', 'what landed has no readable commit or tree');
      continue;
    }
    const found = await Promise.all(repositories.map(async (path) => ({ path, tree: await git(path, ['rev-parse', '--verify', '--quiet', `${commit}^{tree}`]) })));
    const there = found.find((one) => one.tree !== undefined);
    if (there === undefined) wrong('completeness', 'COMMIT_MISSING', `commit ${commit} is in none of the given repositories`);
    else if (there.tree !== tree) wrong('integrity', 'TREE_DIFFERS', `commit ${commit} has tree ${there.tree}, and ${tree} was proved`);
    else if ((await git(there.path, ['for-each-ref', '--count=1', '--contains', commit, '--format=%(refname)', 'refs/heads', 'refs/remotes'])) === '') {
      wrong('completeness', 'COMMIT_NOT_ON_A_BRANCH', `commit ${commit} is on no branch of ${there.path}`);
    }
  }
  return problems;
}

/** Trimmed output; undefined when git says no. The repository is hostile: nothing of its configuration may run. */
const git = (path: string, args: readonly string[]): Promise<string | undefined> => new Promise((resolve) => {
  execFile('git', ['-c', 'core.fsmonitor=false', '-c', 'core.hooksPath=/dev/null', '-C', path, ...args], {
    timeout: 30_000,
    env: { PATH: process.env['PATH'], HOME: '/nonexistent', GIT_CONFIG_NOSYSTEM: '1', GIT_CONFIG_GLOBAL: '/dev/null', GIT_NO_LAZY_FETCH: '1', GIT_NO_REPLACE_OBJECTS: '1', GIT_OPTIONAL_LOCKS: '0' },
  }, (error, stdout) => { resolve(error === null ? stdout.trim() : undefined); });
});
