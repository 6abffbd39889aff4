/** Who holds which worktree of a host. A slot that nobody holds is free; at the bound, whoever asked first gets the next. */
import type { Database, Query } from './database.ts';

/** The lease of a slot that is kept for somebody who waited and has not come yet. */
export const reserved = 'reserved';

/** Slots of ended missions are free, whoever forgot them, and so are those that were kept in vain; broken ones are nobody's. */
const freeSlots = `
  SELECT w.slot, w.holder FROM worktrees w LEFT JOIN missions m ON m.mission_id = split_part(w.holder, ':', 1)
   WHERE w.host_id = $1 AND w.repository_id = $2 AND w.broken_reason IS NULL
     AND (w.holder IS NULL OR m.status IN ('resolved', 'escalated', 'aborted')
          OR (w.lease = '${reserved}' AND w.used_at < now() - interval '5 minutes'))
   ORDER BY w.slot`;

/** Whoever waits looks again at least every two minutes. */
const goneAfter = '5 minutes';

/** `previous` held it and has ended without letting go. */
export interface Claimed { slot: number; previous: string | null }
/** Place in the line, from 1. */
export interface InLine { place: number; slots: number }

export interface Slots {
  claim(repositoryId: string, holder: string, lease: string, bound: number): Promise<Claimed | InLine>;
  /** Only while the lease is the present one, if one is named. @returns whether anything was let go */
  release(repositoryId: string, holder: string, lease?: string): Promise<boolean>;
  holds(repositoryId: string, holder: string, lease: string): Promise<boolean>;
  markBroken(repositoryId: string, slot: number, reason: string): Promise<void>;
  /** Takes a slot out of use for its removal: an idle one, a broken one, or one that an earlier removal left. @returns whether it did */
  beginRemoval(repositoryId: string, slot: number): Promise<boolean>;
  endRemoval(repositoryId: string, slot: number): Promise<void>;
  /** Who waits longest, if anybody does. */
  firstInLine(repositoryId: string): Promise<string | undefined>;
}

const removing = (slot: number): string => `removal:${slot}`;

export function createSlots(database: Pick<Database, 'query' | 'transaction'>, hostId: string): Slots {
  const { query } = database;

  async function claim(ask: Query, repositoryId: string, holder: string, lease: string, bound: number): Promise<Claimed | InLine> {
    const at = [hostId, repositoryId];
    await ask('SELECT pg_advisory_xact_lock(hashtextextended($1, 0))', [`worktrees:${hostId}:${repositoryId}`]);
    const [mine] = await ask<{ slot: number }>(
      `UPDATE worktrees SET lease = $4, used_at = clock_timestamp()
        WHERE host_id = $1 AND repository_id = $2 AND holder = $3 AND broken_reason IS NULL RETURNING slot`, [...at, holder, lease]);
    if (mine !== undefined) return { slot: mine.slot, previous: null };
    const free = await ask<{ slot: number; holder: string | null }>(freeSlots, at);
    const [line] = await ask<{ usable: number; last: number; ahead: number }>(
      `SELECT (SELECT count(*)::int FROM worktrees WHERE host_id = $1 AND repository_id = $2 AND broken_reason IS NULL) AS usable,
              (SELECT coalesce(max(slot), 0) FROM worktrees WHERE host_id = $1 AND repository_id = $2) AS last,
              (SELECT count(*)::int FROM worktree_requests r LEFT JOIN missions m ON m.mission_id = split_part(r.holder, ':', 1)
                WHERE r.host_id = $1 AND r.repository_id = $2 AND r.holder <> $3 AND r.looked_at > now() - interval '${goneAfter}'
                  AND (m.status IS NULL OR m.status NOT IN ('resolved', 'escalated', 'aborted'))
                  AND r.asked_at < coalesce((SELECT asked_at FROM worktree_requests WHERE host_id = $1 AND repository_id = $2 AND holder = $3), now())) AS ahead`,
      [...at, holder]);
    const { usable, last, ahead } = line!;
    if (free.length + Math.max(0, bound - usable) <= ahead) {
      await ask(
        `INSERT INTO worktree_requests (host_id, repository_id, holder) VALUES ($1, $2, $3)
         ON CONFLICT (host_id, repository_id, holder) DO UPDATE SET looked_at = clock_timestamp()`, [...at, holder]);
      return { place: ahead + 1, slots: usable };
    }
    await ask('DELETE FROM worktree_requests WHERE host_id = $1 AND repository_id = $2 AND holder = $3', [...at, holder]);
    const [taken] = free;
    if (taken === undefined) {
      await ask('INSERT INTO worktrees (host_id, repository_id, slot, holder, lease) VALUES ($1, $2, $3, $4, $5)', [...at, last + 1, holder, lease]);
      return { slot: last + 1, previous: null };
    }
    await ask('UPDATE worktrees SET holder = $4, lease = $5, used_at = clock_timestamp() WHERE host_id = $1 AND repository_id = $2 AND slot = $3',
      [...at, taken.slot, holder, lease]);
    return { slot: taken.slot, previous: taken.holder };
  }

  return {
    claim: (repositoryId, holder, lease, bound) => database.transaction((ask) => claim(ask, repositoryId, holder, lease, bound)),
    async release(repositoryId, holder, lease) {
      const rows = await query(
        `UPDATE worktrees SET holder = NULL, lease = NULL, used_at = clock_timestamp()
          WHERE host_id = $1 AND repository_id = $2 AND holder = $3 AND ($4::text IS NULL OR lease = $4) RETURNING 1`,
        [hostId, repositoryId, holder, lease ?? null]);
      // Whoever lets go for good does not wait either.
      if (lease === undefined) await query('DELETE FROM worktree_requests WHERE host_id = $1 AND repository_id = $2 AND holder = $3', [hostId, repositoryId, holder]);
      return rows.length > 0;
    },
    async holds(repositoryId, holder, lease) {
      return (await query('SELECT 1 FROM worktrees WHERE host_id = $1 AND repository_id = $2 AND holder = $3 AND lease = $4',
        [hostId, repositoryId, holder, lease])).length > 0;
    },
    async markBroken(repositoryId, slot, reason) {
      await query('UPDATE worktrees SET broken_reason = $4, holder = NULL, lease = NULL WHERE host_id = $1 AND repository_id = $2 AND slot = $3',
        [hostId, repositoryId, slot, reason.slice(0, 500)]);
    },
    async beginRemoval(repositoryId, slot) {
      return (await query(
        `UPDATE worktrees SET holder = $4, lease = NULL WHERE host_id = $1 AND repository_id = $2 AND slot = $3 AND (holder IS NULL OR holder = $4) RETURNING 1`,
        [hostId, repositoryId, slot, removing(slot)])).length > 0;
    },
    async endRemoval(repositoryId, slot) {
      await query('DELETE FROM worktrees WHERE host_id = $1 AND repository_id = $2 AND slot = $3 AND holder = $4', [hostId, repositoryId, slot, removing(slot)]);
    },
    async firstInLine(repositoryId) {
      const [first] = await query<{ holder: string }>(
        `SELECT holder FROM worktree_requests WHERE host_id = $1 AND repository_id = $2 AND looked_at > now() - interval '${goneAfter}'
          ORDER BY asked_at LIMIT 1`, [hostId, repositoryId]);
      return first?.holder;
    },
  };
}
