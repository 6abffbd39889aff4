/** The janitor's turn on one host: disk, database and missions brought together again, and what was removed written down. */
import type { TidyReport } from '../../domain/workspaces.ts';
import { saveTidyReport } from '../../store/workspaces.ts';
import { readWorkspaceSettings } from '../../store/workspace-settings.ts';
import type { ActivityDeps } from '../deps.ts';
import { withHeartbeat } from '../heartbeat.ts';
import { makeRoomOnDisk, tidyCaches } from './caches.ts';
import { environmentsOfAll } from './in-use.ts';
import { tidyLeftovers } from './leftovers.ts';
import { tidyMirrors } from './mirrors.ts';
import { tidyWorktrees } from './worktrees.ts';

/** So many are named; all are counted. */
const namedRemovals = 200;

export const tidyActivities = (deps: ActivityDeps) => ({
  /** Safe to repeat and to be killed anywhere: each removal is claimed first or leaves nothing that anybody looks for. */
  async tidyWorkspaces(): Promise<TidyReport> {
    return withHeartbeat(() => tidy(deps));
  },
});

async function tidy(deps: ActivityDeps): Promise<TidyReport> {
  const started = Date.now();
  const settings = await readWorkspaceSettings(deps.config.configFolder);
  const worktrees = await tidyWorktrees(deps, settings);
  const inUse = await environmentsOfAll();
  const leftovers = await tidyLeftovers(deps, settings, inUse);
  const caches = [...await tidyCaches(deps, settings, inUse), ...await makeRoomOnDisk(deps)];
  const refs = await tidyMirrors(deps, settings);
  const all = [...worktrees, ...leftovers, ...caches, ...refs.removed];
  const failed = all.filter(({ problem }) => problem !== null);
  const report: TidyReport = {
    // What could not be removed is what somebody has to look at.
    removed: [...failed, ...all.filter(({ problem }) => problem === null)].slice(0, namedRemovals),
    count: all.length - failed.length, failed: failed.length, bytes: all.reduce((sum, { bytes }) => sum + bytes, 0),
    bundled: refs.bundled, duration_ms: Date.now() - started,
  };
  await saveTidyReport(deps.database.query, deps.hostId, report);
  const { removed: _named, ...figures } = report;
  deps.logger.info({ event: 'workspaces.tidied', ...figures });
  return report;
}
