/** Pausing, resuming, retrying and ending missions: the one way, for a single mission and for many. */
import { actorOf, type Principal } from '../domain/actor.ts';
import { noSubject } from '../domain/event.ts';
import { isTerminal } from '../domain/mission.ts';
import type { Query } from '../store/database.ts';
import { insertEvents } from '../store/events.ts';
import { abortUnstarted, type MissionRow } from '../store/missions.ts';
import * as messages from '../workflows/messages.ts';
import type { ApiDeps } from './context.ts';
import { update, validUntil } from './engine.ts';
import { missionOf } from './find-mission.ts';
import { Problem } from './problem.ts';

export const steeringVerbs = ['pause', 'resume', 'abort', 'retry'] as const;
export type SteeringVerb = (typeof steeringVerbs)[number];

export interface Steering { verb: SteeringVerb; mode?: 'boundary' | 'now' | undefined; reason: string | null }
export interface Steered { mission_id: string; takes_effect: string }

/**
 * Does what the verb says, and says when it takes effect.
 * @throws Problem MISSION_NOT_FOUND, MISSION_ENDED, MISSION_NOT_RUNNING, NOTHING_RUNS_HERE, or what the workflow refuses
 */
export async function steerMission(deps: ApiDeps, id: string, { verb, mode, reason }: Steering, principal: Principal): Promise<Steered> {
  if (verb === 'abort') return abortMission(deps, id, reason ?? 'no reason was given', principal);
  const row = await requireRunning(deps, id);
  if (row.package.mission_type === 'tracked') {
    throw new Problem(409, 'NOTHING_RUNS_HERE', `${id} is tracked: the work is done elsewhere, and there is nothing here to ${verb}; tell whoever works on it, or abort it`);
  }
  const input = { principal, reason, valid_until: validUntil() };
  const answer = verb === 'pause'
    ? await update(deps, id, messages.pause, { ...input, mode: mode ?? 'boundary' })
    : await update(deps, id, verb === 'resume' ? messages.resume : messages.retry, input);
  return { mission_id: id, ...answer };
}

/** One that was never asked to run ends here; a running one ends itself. */
async function abortMission(deps: ApiDeps, id: string, reason: string, principal: Principal): Promise<Steered> {
  await requireRunning(deps, id, { orUnstarted: true });
  if (await endUnstarted(deps, id, reason, principal)) return { mission_id: id, takes_effect: 'at once' };
  const input = { principal, reason, valid_until: validUntil() };
  return { mission_id: id, ...await update(deps, id, messages.abort, input) };
}

/**
 * @param write what else belongs into the transaction
 * @returns false when it was asked to run, or has ended
 */
export async function endUnstarted(
  { database }: ApiDeps, id: string, reason: string, principal: Principal, write: (query: Query) => Promise<void> = async () => undefined,
): Promise<boolean> {
  return database.transaction(async (query) => {
    if (!(await abortUnstarted(query, id, reason))) return false;
    await write(query);
    await insertEvents(query, [{
      type: 'mission.status_changed', actor: actorOf(principal), subject: { ...noSubject, mission_id: id },
      payload: { status: 'aborted', outcome: 'cancelled', reason }, idempotency_key: `${id}:aborted`,
    }]);
    return true;
  });
}

/** @throws Problem unless the mission is there and has not ended; or, unless allowed, has not started */
export async function requireRunning(deps: ApiDeps, id: string, options: { orUnstarted: boolean } = { orUnstarted: false }): Promise<MissionRow> {
  const row = await missionOf(deps, id);
  if (isTerminal(row.status)) throw new Problem(409, 'MISSION_ENDED', `${id} is ${row.status}`);
  if (!options.orUnstarted && row.execute_requested_at === null) {
    throw new Problem(409, 'MISSION_NOT_RUNNING', `${id} has not been started`);
  }
  return row;
}
