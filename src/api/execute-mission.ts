/** Starting a mission that was handed in: the row asks for it, then the engine is told. */
import { actorOf, type Principal } from '../domain/actor.ts';
import { noSubject } from '../domain/event.ts';
import { isTerminal } from '../domain/mission.ts';
import type { Query } from '../store/database.ts';
import { insertEvents } from '../store/events.ts';
import { requestExecution } from '../store/missions.ts';
import type { ApiDeps } from './context.ts';
import { ensureStarted } from './engine.ts';
import { missionOf } from './find-mission.ts';
import { Problem } from './problem.ts';
import { refuseWithoutSandbox } from './sandbox.ts';

/** What is written together with the request. */
export interface ExecutionExtras { payload: Record<string, unknown>; write: (query: Query) => Promise<void> }

/**
 * Safe to repeat: what runs already stays as it is.
 * @returns whether it was this call that asked for it
 * @throws Problem MISSION_NOT_FOUND, MISSION_ENDED, SANDBOX_UNAVAILABLE, ENGINE_UNAVAILABLE
 */
export async function executeMission(deps: ApiDeps, id: string, principal: Principal, extras?: ExecutionExtras): Promise<boolean> {
  const row = await missionOf(deps, id);
  if (isTerminal(row.status)) {
    throw new Problem(409, 'MISSION_ENDED', `${id} is ${row.status}; to do it again, create a mission with parent_mission_id`);
  }
  if (row.status !== 'open') return false;
  if (row.package.mission_type === 'coding') await refuseWithoutSandbox(deps);
  const asked = await deps.database.transaction(async (query) => {
    if (!(await requestExecution(query, id))) return false;
    await extras?.write(query);
    await insertEvents(query, [{
      type: 'mission.execute_requested', actor: actorOf(principal), subject: { ...noSubject, mission_id: id }, payload: extras?.payload ?? {},
      idempotency_key: `${id}:execute_requested`,
    }]);
    return true;
  });
  // An abort may have come between; only what the row still asks for is started.
  const now = await missionOf(deps, id);
  if (isTerminal(now.status)) throw new Problem(409, 'MISSION_ENDED', `${id} is ${now.status}`);
  await ensureStarted(deps, row.package);
  return asked;
}
