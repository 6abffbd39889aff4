/** A pool of worktrees per repository. A slot is reused by reset and clean: 10–50 times faster than adding one. */
import { mkdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Query } from '../store/database.ts';
import type { Git } from './git.ts';
import type { Mirrors } from './mirror.ts';

export interface Worktrees {
  /**
   * A clean worktree at the commit, held by `holder` until released. Safe to repeat: the same holder gets the same slot.
   * @returns absolute path of the worktree
   */
  checkout(repositoryId: string, holder: string, commit: string): Promise<string>;
  release(repositoryId: string, holder: string): Promise<void>;
}

export function createWorktrees(git: Git, mirrors: Mirrors, query: Query, folder: string, hostId: string): Worktrees {
  /** The holder's slot; else a free one; else a new one. Slots of ended missions are free, whoever forgot them. */
  async function acquire(repositoryId: string, holder: string): Promise<number> {
    for (;;) {
      const [mine] = await query<{ slot: number }>(
        'SELECT slot FROM worktrees WHERE host_id = $1 AND repository_id = $2 AND holder = $3', [hostId, repositoryId, holder]);
      if (mine !== undefined) return mine.slot;
      const [free] = await query<{ slot: number }>(
        `UPDATE worktrees SET holder = $3 WHERE (host_id, repository_id, slot) = (
           SELECT w.host_id, w.repository_id, w.slot FROM worktrees w
             LEFT JOIN missions m ON m.mission_id = split_part(w.holder, ':', 1)
            WHERE w.host_id = $1 AND w.repository_id = $2
              AND (w.holder IS NULL OR m.status IN ('resolved', 'escalated', 'aborted'))
            ORDER BY w.slot LIMIT 1 FOR UPDATE OF w SKIP LOCKED)
         RETURNING slot`, [hostId, repositoryId, holder]);
      if (free !== undefined) return free.slot;
      const [added] = await query<{ slot: number }>(
        `INSERT INTO worktrees (host_id, repository_id, slot, holder)
         SELECT $1, $2, coalesce(max(slot), 0) + 1, $3 FROM worktrees WHERE host_id = $1 AND repository_id = $2
         ON CONFLICT DO NOTHING RETURNING slot`, [hostId, repositoryId, holder]);
      if (added !== undefined) return added.slot;
    }
  }

  return {
    async checkout(repositoryId, holder, commit) {
      const gitDir = mirrors.pathOf(repositoryId);
      const path = join(folder, repositoryId, String(await acquire(repositoryId, holder)));
      if (!(await usable(git, path))) {
        await rm(path, { recursive: true, force: true });
        await mkdir(join(folder, repositoryId), { recursive: true, mode: 0o700 });
        await git.run(['worktree', 'prune'], { gitDir });
        await git.run(['worktree', 'add', '--quiet', '--force', '--force', '--detach', '--no-checkout', '--', path, commit], { gitDir });
      }
      // Whatever ran here before may have died inside git, or written anything anywhere.
      const own = await git.text(['-C', path, 'rev-parse', '--absolute-git-dir']);
      await rm(join(own, 'index.lock'), { force: true });
      await git.run(['-C', path, 'reset', '--quiet', '--hard', commit]);
      await git.run(['-C', path, 'clean', '--quiet', '-ffdx']);
      return path;
    },
    async release(repositoryId, holder) {
      await query('UPDATE worktrees SET holder = NULL WHERE host_id = $1 AND repository_id = $2 AND holder = $3',
        [hostId, repositoryId, holder]);
    },
  };
}

async function usable(git: Git, path: string): Promise<boolean> {
  if (!(await stat(join(path, '.git')).then(() => true, () => false))) return false;
  const { code } = await git.run(['-C', path, 'rev-parse', '--git-dir'], { okCodes: [128] });
  return code === 0;
}
