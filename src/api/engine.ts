/** The api's use of Temporal, and its errors as problems. One table, one place. */
import {
  isGrpcServiceError, WorkflowExecutionAlreadyStartedError, WorkflowNotFoundError,
  WorkflowUpdateFailedError, WorkflowUpdateRPCTimeoutOrCancelledError,
} from '@temporalio/client';
import type { UpdateDefinition } from '@temporalio/common';
import { ApplicationFailure } from '@temporalio/common';
import type { MissionPackage } from '../domain/mission-package.ts';
import { startMission } from '../engine/start-mission.ts';
import type { ApiDeps } from './context.ts';
import { Problem } from './problem.ts';

/** How long an update may take before the caller is told that nobody is there. */
export const updateDeadlineMs = 5_000;

const statusOfRefusal: Record<string, number> = { SELF_APPROVAL: 403, MESSAGE_EXPIRED: 503 };

/** Starts the mission's workflow; a mission that runs already is the same answer. */
export async function ensureStarted({ temporal }: Pick<ApiDeps, 'temporal'>, mission: MissionPackage): Promise<void> {
  try {
    await temporal.withDeadline(Date.now() + updateDeadlineMs, () => startMission(temporal, mission));
  } catch (error) {
    if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw engineProblem(error, mission.mission_id);
  }
}

/**
 * Sends an update to a running mission and waits for its answer.
 * @throws Problem WORKER_UNAVAILABLE (nothing changed), ENGINE_UNAVAILABLE, MISSION_ENDED, or the workflow's refusal
 */
export async function update<Ret, Input>(
  { temporal }: Pick<ApiDeps, 'temporal'>, missionId: string, definition: UpdateDefinition<Ret, [Input]>, input: Input, updateId?: string,
): Promise<Ret> {
  try {
    return await temporal.withDeadline(Date.now() + updateDeadlineMs, () =>
      temporal.workflow.getHandle(missionId).executeUpdate(definition, {
        args: [input], ...(updateId === undefined ? {} : { updateId }),
      }));
  } catch (error) {
    // An update that nobody answered looks the same whether the worker is missing or the engine.
    if (error instanceof WorkflowUpdateRPCTimeoutOrCancelledError && !(await engineAnswers(temporal))) throw engineUnavailable();
    throw engineProblem(error, missionId);
  }
}

const engineUnavailable = (): Problem =>
  new Problem(503, 'ENGINE_UNAVAILABLE', 'Temporal does not answer; try again', [], { 'retry-after': '1' });

const engineAnswers = (temporal: ApiDeps['temporal']): Promise<boolean> =>
  temporal.withDeadline(Date.now() + 1_000, () => temporal.workflowService.getSystemInfo({})).then(() => true, () => false);

/** A message is refused by the workflow if it is read after this: an answer of 503 means nothing happened. */
export const validUntil = (): string => new Date(Date.now() + updateDeadlineMs).toISOString();

export function engineProblem(error: unknown, missionId: string): Error {
  if (error instanceof WorkflowUpdateFailedError && error.cause instanceof ApplicationFailure) {
    const code = error.cause.type ?? 'REFUSED';
    return new Problem(statusOfRefusal[code] ?? 409, code, error.cause.message);
  }
  if (error instanceof WorkflowUpdateRPCTimeoutOrCancelledError) {
    return new Problem(503, 'WORKER_UNAVAILABLE', 'no worker answered within 5 s; nothing was changed', [], { 'retry-after': '5' });
  }
  if (error instanceof WorkflowNotFoundError) {
    return new Problem(409, 'MISSION_NOT_RUNNING', `${missionId} is not running`);
  }
  if (isGrpcServiceError(error) || (error instanceof Error && isGrpcServiceError(error.cause))) {
    return engineUnavailable();
  }
  return error as Error;
}
