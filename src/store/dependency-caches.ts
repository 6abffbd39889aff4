/** What is kept of setup commands on each host: the key, where it works, and the digest that its file must have. */
import type { Query } from './database.ts';
import { toJson } from './json.ts';

export interface KeptDependencies {
  repository_id: string;
  key: string;
  /** The only worktree it works in, or empty. */
  bound_path: string;
  sha256: string;
  size_bytes: number;
  /** Top folders and files in it, relative to the worktree. */
  roots: string[];
  used_at: string;
}

export async function findKept(query: Query, hostId: string, repositoryId: string, key: string, path: string): Promise<KeptDependencies | undefined> {
  const [row] = await query<KeptDependencies>(
    `UPDATE dependency_caches SET used_at = clock_timestamp()
      WHERE host_id = $1 AND repository_id = $2 AND key = $3 AND bound_path IN ('', $4) RETURNING *`, [hostId, repositoryId, key, path]);
  return row;
}

/** @returns false when somebody else kept the same meanwhile: theirs stays */
export async function addKept(query: Query, hostId: string, kept: Omit<KeptDependencies, 'used_at'>): Promise<boolean> {
  return (await query(
    `INSERT INTO dependency_caches (host_id, repository_id, key, bound_path, sha256, size_bytes, roots) VALUES ($1, $2, $3, $4, $5, $6, $7)
     ON CONFLICT DO NOTHING RETURNING 1`,
    [hostId, kept.repository_id, kept.key, kept.bound_path, kept.sha256, kept.size_bytes, toJson(kept.roots)])).length > 0;
}

/** Only the very file that is meant: another may have been kept since. */
export async function forgetKept(query: Query, hostId: string, kept: Pick<KeptDependencies, 'repository_id' | 'key' | 'sha256'>): Promise<void> {
  await query('DELETE FROM dependency_caches WHERE host_id = $1 AND repository_id = $2 AND key = $3 AND sha256 = $4', [hostId, kept.repository_id, kept.key, kept.sha256]);
}

/** Everything kept on a host, what was used longest ago first. */
export const listKept = (query: Query, hostId: string): Promise<KeptDependencies[]> =>
  query<KeptDependencies>('SELECT * FROM dependency_caches WHERE host_id = $1 ORDER BY used_at', [hostId]);
