/** Missions that Temporal has lost: its file deleted, damaged, or the workflow ended there by hand. Never run again silently. */
import { WorkflowNotFoundError } from '@temporalio/client';
import { systemActor } from '../domain/actor.ts';
import { endLost, someRunning, type RunningMission } from '../store/lost-missions.ts';
import type { ActivityDeps } from './deps.ts';

/** Looked at in one turn; a look is one call of 2 ms. */
const atOnce = 200;

/**
 * What was done before the loss is known, what was under way is not: a person decides, by a new mission.
 * A workflow that has just ended told the database first, so a mission that is seen running and closed at once has lost its end.
 * @returns how many were ended
 */
export async function endLostMissions({ database, temporal, logger }: Pick<ActivityDeps, 'database' | 'temporal' | 'logger'>): Promise<number> {
  let lost = 0;
  for (const mission of await someRunning(database.query, atOnce)) {
    const why = await whyLost(temporal, mission.mission_id);
    if (why === null) continue;
    const reason = `ENGINE_STATE_LOST: ${why}; ${whatToDo(mission)}`;
    if (!await database.transaction((query) => endLost(query, mission, reason, systemActor('reconciler')))) continue;
    lost += 1;
    logger.error({ event: 'mission.engine_state_lost', mission_id: mission.mission_id, reason });
  }
  return lost;
}

async function whyLost(temporal: ActivityDeps['temporal'], missionId: string): Promise<string | null> {
  try {
    const { status } = await temporal.workflow.getHandle(missionId).describe();
    return status.name === 'RUNNING' || status.name === 'CONTINUED_AS_NEW' ? null : `its workflow ended in Temporal (${status.name}) without saying how`;
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return 'Temporal does not know its workflow any more';
    throw error;
  }
}

const whatToDo = ({ mission_id, landed_commit }: RunningMission): string => (landed_commit === null
  ? `look in the target branch for a commit of ${mission_id}, then create a new mission`
  : `${landed_commit} has landed and is not observed any more: keep it, or revert it by a mission of its own`);
