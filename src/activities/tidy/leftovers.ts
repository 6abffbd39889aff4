/** Files that a run removes itself unless it dies: scratch files, task tokens, unfinished artefacts. */
import { lstat, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { RemovableKind, Removal, WorkspaceSettings } from '../../domain/workspaces.ts';
import type { ActivityDeps } from '../deps.ts';
import type { InUse } from './in-use.ts';
import { noted, removeAll } from './removal.ts';

const hourMs = 3_600_000;
/** No activity runs longer than its 24 hours. */
const tokenHours = 25;
/** Of the scratch folder, what is no run's. */
const lasting = ['git-home'];

export async function tidyLeftovers({ config }: Pick<ActivityDeps, 'config'>, settings: WorkspaceSettings, inUse: InUse): Promise<Removal[]> {
  const { scratch } = settings.keep_hours;
  return [
    ...await removeOld('scratch', join(config.home, 'scratch'), scratch, inUse, (name) => !lasting.includes(name)),
    ...await removeOld('token', join(config.home, 'running'), tokenHours, inUse, () => true),
    ...(await Promise.all((await readdir(config.artifacts).catch(() => [])).filter((name) => /^[0-9a-f]{2}$/.test(name)).map((name) =>
      // What is finished has the digest alone as its name.
      removeOld('artifact_part', join(config.artifacts, name), scratch, inUse, (file) => /^[0-9a-f]{62}\.[0-9a-f-]{36}$/.test(file))))).flat(),
  ];
}

async function removeOld(kind: RemovableKind, folder: string, hours: number, inUse: InUse, meant: (name: string) => boolean): Promise<Removal[]> {
  const before = Date.now() - hours * hourMs;
  const removed: Removal[] = [];
  for (const name of (await readdir(folder).catch(() => [])).filter(meant)) {
    const path = join(folder, name);
    if (inUse.mentions(path) || await youngest(path) > before) continue;
    removed.push(await noted(kind, name, () => removeAll(path)));
  }
  return removed;
}

/** When anything in it was last written, two levels deep: a run's HOME and TMPDIR are folders of its folder. */
async function youngest(path: string, depth = 2): Promise<number> {
  const found = await lstat(path).catch(() => undefined);
  if (found === undefined) return Number.POSITIVE_INFINITY;
  if (!found.isDirectory() || depth === 0) return found.mtimeMs;
  const inner = await Promise.all((await readdir(path).catch(() => [])).map((name) => youngest(join(path, name), depth - 1)));
  return Math.max(found.mtimeMs, ...inner.filter((ms) => Number.isFinite(ms)));
}
