/** Upkeep of this host's mirrors, run by the host's own schedule. */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { systemActor } from '../domain/actor.ts';
import { noSubject } from '../domain/event.ts';
import { maintainMirror, type UpkeepDone } from '../git/maintenance.ts';
import { evidence } from '../store/artifacts.ts';
import { insertEvents } from '../store/events.ts';
import type { ActivityDeps } from './deps.ts';
import { withHeartbeat } from './heartbeat.ts';

/** How long the commits of a mission stay in the mirror after its end, in days. */
const keptDays = 7;

export const mirrorUpkeepActivities = (deps: ActivityDeps) => ({
  /**
   * Every mirror of this host, one after the other; a mirror that cannot be tended does not keep the others from it.
   * Safe to repeat: what is done is not found again, and a bundle is recorded once.
   */
  async maintainMirrors(): Promise<UpkeepDone> {
    return withHeartbeat(async (signal) => {
      const total: UpkeepDone = { refs_removed: 0, missions_bundled: 0 };
      const names = (await readdir(join(deps.config.home, 'mirrors')).catch(() => [])).filter((name) => name.endsWith('.git'));
      for (const id of names.map((name) => name.slice(0, -'.git'.length))) {
        signal.throwIfAborted();
        try {
          const done = await maintainMirror(upkeepOf(deps, id), id);
          total.refs_removed += done.refs_removed;
          total.missions_bundled += done.missions_bundled;
        } catch (error) {
          deps.logger.error({ event: 'mirror.upkeep_failed', repository_id: id, reason: (error as Error).message });
        }
      }
      deps.logger.info({ event: 'mirrors.maintained', mirrors: names.length, ...total });
      return total;
    });
  },
});

const upkeepOf = ({ config, database, artifacts, git, mirrors }: ActivityDeps, repositoryId: string) => ({
  git, mirrors, scratch: join(config.home, 'scratch'),
  async longOver(missionIds: readonly string[]): Promise<Set<string>> {
    const rows = await database.query<{ mission_id: string }>(
      `SELECT mission_id FROM missions WHERE mission_id = ANY($1) AND status IN ('resolved', 'escalated', 'aborted')
          AND ended_at < clock_timestamp() - make_interval(days => $2)`, [missionIds, keptDays]);
    return new Set(rows.map((row) => row.mission_id));
  },
  async keep(missionId: string, file: string, refs: readonly { name: string; commit: string }[]): Promise<void> {
    const stored = await artifacts.putFile(file, 'application/x-git-bundle');
    const commits = refs.map(({ commit }) => commit);
    await insertEvents(database.query, [{
      type: 'candidates.bundled', actor: systemActor('worker'), subject: { ...noSubject, mission_id: missionId },
      payload: { repository_id: repositoryId, refs, evidence: [evidence('bundle', stored, `${refs.length} refs of ${missionId}`)] },
      idempotency_key: `bundled:${repositoryId}:${missionId}:${commits.toSorted().join(',')}`,
    }]);
  },
});
