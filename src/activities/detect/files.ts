/** What detection may look at: the files of one commit, never a checkout and never a patch. */
import type { CommandSpec, RepositorySettings } from '../../domain/commands.ts';
import type { Git } from '../../git/git.ts';

export interface RepositoryFiles {
  /** Every path of the tree, from its root. */
  paths: readonly string[];
  has(path: string): boolean;
  /** A file's text, or undefined where there is none. */
  text(path: string): Promise<string | undefined>;
}

export type Commands = Pick<RepositorySettings['commands'], 'setup' | 'test'>;

/** Seconds that detected commands may take. */
export const setupSeconds = 900;
export const testSeconds = 900;
/** Compilers are slower than interpreters. */
export const compiledTestSeconds = 1_800;

/** A manifest of more than this is not one that a person wrote. */
const maxTextBytes = 5 * 1024 * 1024;

export async function filesAt(git: Git, gitDir: string, commit: string): Promise<RepositoryFiles> {
  const listed = await git.run(['ls-tree', '-r', '-z', '--name-only', commit], { gitDir });
  const paths = listed.stdout.toString('utf8').split('\0').filter((path) => path !== '');
  const known = new Set(paths);
  return {
    paths,
    has: (path) => known.has(path),
    text: async (path) => (known.has(path) ? fileAt(git, gitDir, commit, path) : undefined),
  };
}

/** A file's text at a commit, or undefined. */
export async function fileAt(git: Git, gitDir: string, commit: string, path: string): Promise<string | undefined> {
  const { code, stdout } = await git.run(['cat-file', 'blob', `${commit}:${path}`], { gitDir, okCodes: [128] });
  return code === 0 && stdout.length <= maxTextBytes ? stdout.toString('utf8') : undefined;
}

/** A setup of several steps; undefined when there is none to take. */
export function steps(all: readonly NonNullable<CommandSpec['next']>[number][]): CommandSpec | undefined {
  const [first, ...rest] = all;
  if (first === undefined) return undefined;
  return { argv: first.argv, timeout_seconds: first.timeout_seconds, network: first.network, ...(rest.length === 0 ? {} : { next: rest }) };
}
