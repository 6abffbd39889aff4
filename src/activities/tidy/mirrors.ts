/** Upkeep of the host's mirrors: what is bundled there is kept in the artefact store, and people can find it. */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Removal, WorkspaceSettings } from '../../domain/workspaces.ts';
import { maintainMirror, type Upkeep } from '../../git/maintenance.ts';
import { keepBundle, longOver } from '../../store/workspaces.ts';
import type { ActivityDeps } from '../deps.ts';
import { noted } from './removal.ts';

const suffix = '.git';

export async function tidyMirrors(deps: ActivityDeps, settings: WorkspaceSettings): Promise<{ removed: Removal[]; bundled: number }> {
  const { git, mirrors, config, database, artifacts } = deps;
  const folder = join(config.home, 'mirrors');
  const ids = (await readdir(folder).catch(() => [])).filter((name) => name.endsWith(suffix)).map((name) => name.slice(0, -suffix.length));
  const removed: Removal[] = [];
  let bundled = 0;
  for (const id of ids) {
    const upkeep: Upkeep = {
      git, mirrors, scratch: join(config.home, 'scratch'),
      longOver: (missions) => longOver(database.query, missions, settings.keep_hours.refs),
      keep: async (missionId, file, refs) => {
        const stored = await artifacts.putFile(file, 'application/x-git-bundle');
        await database.transaction((query) => keepBundle(query, { mission_id: missionId, repository_id: id }, stored, refs));
      },
    };
    let refs = 0;
    const done = await noted('ref', id, async () => {
      const { refs_removed, missions_bundled } = await maintainMirror(upkeep, id);
      refs = refs_removed;
      bundled += missions_bundled;
      return 0;
    });
    if (refs > 0 || done.problem !== null) removed.push({ ...done, name: `${refs} of ${id}` });
  }
  return { removed, bundled };
}
