import { agentActivities } from './agent.ts';
import { agentOfferActivities } from './agent-offer.ts';
import { capaActivities } from './capa.ts';
import { checkActivities } from './checks.ts';
import { contextActivities } from './context.ts';
import type { ActivityDeps } from './deps.ts';
import { diagnosticsActivities } from './diagnostics.ts';
import { evidenceActivities } from './evidence.ts';
import { toFailure } from '../engine/failure.ts';
import { healingActivities } from './healing.ts';
import { healingRecordActivities } from './healing-record.ts';
import { landingActivities } from './landing.ts';
import { notificationActivities } from './notifications.ts';
import { observationActivities } from './observation.ts';
import { recordActivities } from './record.ts';
import { roomActivities } from './room.ts';
import { tidyActivities } from './tidy/tidy.ts';
import { upkeepActivities } from './upkeep.ts';
import { watchActivities } from './watch.ts';
import { watchScheduleActivities } from './watch-schedules.ts';
import { workspaceActivities } from './workspace.ts';

const all = (deps: ActivityDeps) => ({
  ...recordActivities(deps),
  ...evidenceActivities(deps),
  ...contextActivities(deps),
  ...agentActivities(deps),
  ...agentOfferActivities(deps),
  ...workspaceActivities(deps),
  ...roomActivities(deps),
  ...tidyActivities(deps),
  ...checkActivities(deps),
  ...diagnosticsActivities(deps),
  ...landingActivities(deps),
  ...observationActivities(deps),
  ...healingActivities(deps),
  ...healingRecordActivities(deps),
  ...notificationActivities(deps),
  ...capaActivities(deps),
  ...upkeepActivities(deps),
  ...watchActivities(deps),
  ...watchScheduleActivities(deps),
});

export type Activities = ReturnType<typeof all>;

/** Every activity, its errors typed in one place. */
export function createActivities(deps: ActivityDeps): Activities {
  const wrapped = Object.entries(all(deps)).map(([name, activity]) => [
    name,
    async (input: never) => {
      try {
        return await activity(input);
      } catch (error) {
        throw toFailure(error);
      }
    },
  ]);
  return Object.fromEntries(wrapped) as Activities;
}
