/** How a message to a mission is refused: by an update's validator, before it leaves any trace. */
import { ApplicationFailure } from '@temporalio/workflow';
import type { Refusal } from '../domain/approval.ts';
import { isTerminal, type MissionStatus } from '../domain/mission.ts';

export function refuse(code: Refusal, detail: string): never {
  throw ApplicationFailure.nonRetryable(detail, code);
}

/** Refuses what is read later than its sender was willing to wait. */
export function requireFreshWord(input: { valid_until: string }): void {
  if (Date.now() > Date.parse(input.valid_until)) refuse('MESSAGE_EXPIRED', 'nobody read the message in time');
}

/** Refuses what comes after the mission's end, or too late. */
export function requireFresh(missionId: string, status: MissionStatus, input: { valid_until: string }): void {
  if (isTerminal(status)) refuse('MISSION_ENDED', `${missionId} is ${status}`);
  requireFreshWord(input);
}
