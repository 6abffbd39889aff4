import { digestOf } from '../../ledger/canonical.ts';
import { lockfilesOf } from '../../domain/lockfiles.ts';
import type { ActivityDeps } from '../deps.ts';

/** A commit's files: path → mode, type and blob id, which stand for the content. */
export interface CommitTree { paths: string[]; entries: ReadonlyMap<string, string> }

export async function readTree({ git, mirrors }: Pick<ActivityDeps, 'git' | 'mirrors'>, repositoryId: string, commit: string): Promise<CommitTree> {
  const { stdout } = await git.run(['ls-tree', '-r', '-z', commit], { gitDir: mirrors.pathOf(repositoryId) });
  const entries = new Map(stdout.toString('utf8').split('\0').filter((line) => line !== '').map((line) => {
    const tab = line.indexOf('\t');
    return [line.slice(tab + 1), line.slice(0, tab)] as const;
  }));
  return { paths: [...entries.keys()], entries };
}

/** The same for all trees that depend on the same packages. */
export const lockDigest = ({ paths, entries }: CommitTree): string =>
  digestOf(lockfilesOf(paths).map((path) => [path, entries.get(path)!]));
