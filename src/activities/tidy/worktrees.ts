/** Worktrees: those that nobody needs, those that no row knows, those held by missions that have ended. */
import { readdir, rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Removal, WorkspaceSettings } from '../../domain/workspaces.ts';
import type { ActivityDeps } from '../deps.ts';
import { bytesOf, noted, removeAll } from './removal.ts';

interface Row { repository_id: string; slot: number; holder: string | null; idle: boolean; broken: boolean; mission_ended: boolean }

export async function tidyWorktrees(deps: ActivityDeps, settings: WorkspaceSettings): Promise<Removal[]> {
  const folder = join(deps.config.home, 'worktrees');
  // Folders first: a row is written before its folder is made, so whatever is listed here has its row by then.
  const found = await listFolders(folder);
  const rows = await deps.database.query<Row>(
    `SELECT w.repository_id, w.slot, w.holder, w.used_at < now() - make_interval(secs => $2) AS idle, w.broken_reason IS NOT NULL AS broken,
            coalesce(m.status IN ('resolved', 'escalated', 'aborted'), false) AS mission_ended
       FROM worktrees w LEFT JOIN missions m ON m.mission_id = split_part(w.holder, ':', 1) WHERE w.host_id = $1`,
    [deps.hostId, settings.keep_hours.idle_worktrees * 3_600]);
  const removed: Removal[] = [];

  for (const row of rows.filter(({ mission_ended }) => mission_ended)) {
    removed.push(await noted('holder', `${row.holder} of ${row.repository_id}/${row.slot}`, async () => {
      await deps.processes.sweep(row.holder!);
      await deps.worktrees.release(row.repository_id, row.holder!);
      return 0;
    }));
  }
  for (const { repository_id, slot, holder, idle, broken } of rows) {
    const there = found.get(repository_id)?.includes(String(slot)) === true;
    const begun = holder === `removal:${slot}`;
    if (!begun && (holder !== null || !(idle || broken || !there))) continue;
    const retired = await noted('worktree', `${repository_id}/${slot}`, () => retire(deps, join(folder, repository_id, String(slot)), repository_id, slot));
    // Nothing but a row was there, or somebody took it meanwhile: nothing to tell of.
    if (there || retired.problem !== null) removed.push(retired);
  }

  const known = new Set(rows.map(({ repository_id, slot }) => `${repository_id}/${slot}`));
  const repositories = new Set((await deps.database.query<{ repository_id: string }>('SELECT repository_id FROM repositories')).map((row) => row.repository_id));
  for (const [repositoryId, names] of found) {
    for (const name of names.filter((name) => !known.has(`${repositoryId}/${name}`))) {
      removed.push(await noted('worktree', `${repositoryId}/${name}`, async () => {
        const path = join(folder, repositoryId, name);
        if (!/^[1-9]\d{0,8}$/.test(name) || !repositories.has(repositoryId)) return removeAll(path);
        // Its number is taken first: nobody may be given a worktree that is being removed.
        const [ours] = await deps.database.query(
          'INSERT INTO worktrees (host_id, repository_id, slot, holder) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING RETURNING 1',
          [deps.hostId, repositoryId, Number(name), `removal:${name}`]);
        return ours === undefined ? 0 : retire(deps, path, repositoryId, Number(name));
      }));
    }
    await rmdir(join(folder, repositoryId)).catch(() => undefined);
  }
  return [...removed, ...await tidyRequests(deps)];
}

async function retire({ worktrees }: ActivityDeps, path: string, repositoryId: string, slot: number): Promise<number> {
  const bytes = await bytesOf(path);
  return await worktrees.retire(repositoryId, slot) ? bytes : 0;
}

/** Repository → names in its folder. */
async function listFolders(folder: string): Promise<Map<string, string[]>> {
  const repositories = await readdir(folder, { withFileTypes: true }).catch(() => []);
  return new Map(await Promise.all(repositories.filter((entry) => entry.isDirectory()).map(async ({ name }) =>
    [name, await readdir(join(folder, name)).catch(() => [])] as const)));
}

/** Places in line of those who do not look any more. */
async function tidyRequests({ database, hostId }: ActivityDeps): Promise<Removal[]> {
  const rows = await database.query<{ repository_id: string; holder: string }>(
    `DELETE FROM worktree_requests r WHERE r.host_id = $1 AND (r.looked_at < now() - interval '1 hour' OR EXISTS (
       SELECT 1 FROM missions m WHERE m.mission_id = split_part(r.holder, ':', 1) AND m.status IN ('resolved', 'escalated', 'aborted')))
     RETURNING repository_id, holder`, [hostId]);
  return rows.map(({ repository_id, holder }) => ({ kind: 'request', name: `${holder} for ${repository_id}`, bytes: 0, problem: null }));
}
