/** The mission's side of the merge queue: hand the commit over, wait for what became of it. */
import { condition, setHandler } from '@temporalio/workflow';
import type { LandingRequest, LandingResult } from '../domain/landing.ts';
import { main } from './activities.ts';
import * as messages from './messages.ts';
import type { Mission } from './mission.ts';

export interface Landing {
  /** Ends when the queue has an answer other than "the origin is not ready". */
  land(request: Omit<LandingRequest, 'request_id'>, key: string): Promise<Exclude<LandingResult, { kind: 'blocked' }>>;
}

/** An origin whose working copy is dirty is asked again this often; a person may ask sooner by `retry`. */
const blockedRetryMs = 15_000;

export function openLanding(mission: Mission): Landing {
  const results = new Map<string, LandingResult>();
  setHandler(messages.landingResult, (result) => { results.set(result.request_id, result); });

  return {
    async land(request, key) {
      for (let round = 1; ; round += 1) {
        const request_id = `${key}:${round}`;
        await main.queueLanding({ ...request, request_id });
        const answered = (): boolean => results.has(request_id);
        // Most landings take less than a second; a wait of that length needs no row of its own.
        if (!(await condition(answered, '1s'))) {
          await mission.waitThrough({
            kind: 'landing', reason: `in the merge queue of ${request.target_branch}`,
            who: 'the merge queue', on_deadline: null,
          }, answered);
        }
        const result = results.get(request_id)!;
        if (result.kind !== 'blocked') return result;
        await mission.waitForRetry({
          kind: 'landing', reason: result.reason,
          who: 'whoever owns the origin; an operator may retry or abort', on_deadline: 'it is tried again',
        }, blockedRetryMs);
      }
    },
  };
}
