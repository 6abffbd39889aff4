/** Caches of a host: within the quota, none older than it is kept, nothing that the database does not know. */
import { lstat, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { bytesPerGb, type Removal, type WorkspaceSettings } from '../../domain/workspaces.ts';
import { forgetKept, listKept } from '../../store/dependency-caches.ts';
import { readWorkspaceSettings } from '../../store/workspace-settings.ts';
import type { ActivityDeps } from '../deps.ts';
import { downloadsFolder, keptFile, keptFolder } from '../dependencies/places.ts';
import { freeBytes } from '../disk.ts';
import { environmentsOfAll, type InUse } from './in-use.ts';
import { bytesOf, noted, removeAll } from './removal.ts';

type CacheDeps = Pick<ActivityDeps, 'config' | 'database' | 'hostId' | 'logger'>;

const hourMs = 3_600_000;
/** Time enough between writing a file and recording it, and between naming a folder to a command and its start. */
const settlingMs = hourMs;

interface Cached { used: number; bytes: number; remove: () => Promise<Removal> }

/** Caches that go when room is needed, what was used longest ago first. */
async function everythingCached(deps: CacheDeps, settings: WorkspaceSettings, inUse: InUse): Promise<(Cached & { expired: boolean })[]> {
  const now = Date.now();
  const { dependency_caches: keep, scratch } = settings.keep_hours;
  const kept = (await listKept(deps.database.query, deps.hostId)).map((row) => ({
    used: Date.parse(row.used_at), bytes: row.size_bytes, expired: now - Date.parse(row.used_at) > keep * hourMs,
    remove: () => noted('dependency_cache', `${row.repository_id} ${row.key.slice(0, 12)}`, async () => {
      // A row without its file is found out and thrown away; the other way round nobody would ever look.
      await rm(keptFile(deps.config.home, row), { force: true });
      await forgetKept(deps.database.query, deps.hostId, row);
      return row.size_bytes;
    }),
  }));
  const downloads = (await Promise.all((await namesIn(downloadsFolder(deps.config.home))).map(async (repository) =>
    Promise.all((await namesIn(join(downloadsFolder(deps.config.home), repository))).map(async (name) => {
      const path = join(downloadsFolder(deps.config.home), repository, name);
      const used = (await lstat(path)).mtimeMs;
      const idle = now - used > settlingMs && !inUse.mentions(path);
      return {
        idle, used, bytes: await bytesOf(path), expired: now - used > (name === 'shared' ? keep : scratch) * hourMs,
        remove: () => noted('download_cache', `${repository}/${name}`, () => removeAll(path)),
      };
    }))))).flat();
  return [...kept, ...downloads.filter(({ idle }) => idle)].sort((a, b) => a.used - b.used);
}

export async function tidyCaches(deps: CacheDeps, settings: WorkspaceSettings, inUse: InUse): Promise<Removal[]> {
  const cached = await everythingCached(deps, settings, inUse);
  const removed: Removal[] = [];
  let total = (await listKept(deps.database.query, deps.hostId)).reduce((sum, { size_bytes }) => sum + size_bytes, 0) + await bytesOf(downloadsFolder(deps.config.home));
  for (const item of cached) {
    if (!item.expired && total <= settings.quota_gb * bytesPerGb) continue;
    const done = await item.remove();
    total -= done.bytes;
    removed.push(done);
  }
  return [...removed, ...await removeUnknown(deps)];
}

/** Below the floor every cache is worth less than the work that waits. */
export async function makeRoomOnDisk(deps: CacheDeps): Promise<Removal[]> {
  const settings = await readWorkspaceSettings(deps.config.configFolder);
  const short = async (): Promise<boolean> => await freeBytes(deps.config.home) < settings.disk_floor_gb * bytesPerGb;
  const removed: Removal[] = [];
  if (!await short()) return removed;
  for (const item of await everythingCached(deps, settings, await environmentsOfAll())) {
    removed.push(await item.remove());
    if (!await short()) break;
  }
  deps.logger.warn({ event: 'workspaces.disk_low', removed: removed.length, bytes: removed.reduce((sum, { bytes }) => sum + bytes, 0) });
  return removed;
}

/** Files that were interrupted before they got their name or their row. */
async function removeUnknown({ config, database, hostId }: CacheDeps): Promise<Removal[]> {
  const removed: Removal[] = [];
  for (const repository of await namesIn(keptFolder(config.home))) {
    const folder = join(keptFolder(config.home), repository);
    const names = await namesIn(folder);
    const known = new Set((await listKept(database.query, hostId)).map((row) => keptFile(config.home, row)));
    for (const path of names.map((name) => join(folder, name)).filter((path) => !known.has(path))) {
      const found = await lstat(path).catch(() => undefined);
      if (found === undefined || Date.now() - found.mtimeMs < settlingMs) continue;
      removed.push(await noted('dependency_cache', path.slice(folder.length + 1), () => removeAll(path)));
    }
  }
  return removed;
}

const namesIn = (folder: string): Promise<string[]> => readdir(folder).catch(() => []);
