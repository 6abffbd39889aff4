/**
 * The holder of one resource: its workflow id is `effects:<resource>`, so Temporal itself refuses a second one, and whatever
 * ends it frees the resource. It carries out the plan it is given, tells its mission, and stays until the mission has
 * verified: then what was done is kept, or undone in reverse.
 */
import {
  ActivityFailure, ApplicationFailure, CancellationScope, condition, getExternalWorkflowHandle, isCancellation, log, setHandler,
} from '@temporalio/workflow';
import { notUndone, type Check, type EffectsResult, type Json, type PlannedStep, type StepOutcome, type StepResult } from '../domain/healing.ts';
import type { EventType } from '../domain/event.ts';
import { acting, record } from './activities.ts';
import { worldOf } from './healing-world.ts';
import * as messages from './messages.ts';
import { playbooks } from './playbooks/index.ts';
import type { Playbook } from './playbooks/playbook.ts';

export interface EffectsHoldInput { mission_id: string; resource: string }

export const effectsWorkflowId = (resource: string): string => `effects:${resource}`;

/** @returns every step with what became of it, also those that were undone */
export async function effects({ mission_id }: EffectsHoldInput): Promise<StepResult[]> {
  let begun: messages.EffectsInput | null = null;
  let conclusion: 'keep' | 'undo' | null = null;
  const since = new Date().toISOString();
  setHandler(messages.beginEffects, (input) => { begun ??= input; });
  setHandler(messages.concludeEffects, (input) => { conclusion ??= input; });
  setHandler(messages.effectsHolder, () => ({ mission_id, since }));

  await condition(() => begun !== null || conclusion !== null);
  const input = begun as messages.EffectsInput | null;
  if (input === null) return [];
  const run = openRun(input);
  try {
    const result = await run.carryOut();
    await tell(input, result);
    await condition(() => conclusion !== null);
    if (conclusion === 'undo' && result.kind === 'done') await run.undo();
  } catch (error) {
    // The mission was aborted, ended in Temporal, or something failed that nobody foresaw: nothing is left half done.
    await CancellationScope.nonCancellable(async () => {
      await run.undo();
      await tell(input, { kind: 'failed', reason: reasonOf(error), steps: run.steps });
    });
    throw error;
  }
  return run.steps;
}

function openRun(input: messages.EffectsInput) {
  const { mission_id, attempt, host_queue, plan, resource, request } = input;
  const steps: StepResult[] = [];
  /** What takes back a step that was done, or that was begun and nobody knows: pushed before the step. */
  const undoing: PlannedStep[] = [];
  const key = (step: PlannedStep): string => `${mission_id}:${attempt}:${step.id}`;

  const note = (type: EventType, name: string, payload: Record<string, Json>): Promise<void> =>
    record.noteHealing({ mission_id, key: `${mission_id}:${attempt}:${name}:${type}`, type, payload: { attempt, ...payload } });

  async function perform(step: PlannedStep, effect: Pick<PlannedStep, 'action' | 'with'>, effectKey: string, resource_digest: string | null): Promise<Json> {
    return acting(host_queue, step.timeout_seconds).runStep({
      mission_id, subsystem_id: plan.subsystem_id, resource_id: plan.resource_id, key: effectKey, resource_digest,
      step: { action: effect.action, with: effect.with },
    });
  }

  async function noted(step: PlannedStep, outcome: StepOutcome, reason: string | null, result: Json, started_at: string): Promise<void> {
    steps.push({ id: step.id, action: step.action, outcome, reason, result, started_at, ended_at: new Date().toISOString() });
    await note('healing.step_ended', `${step.id}:${outcome}`, { step: step.id, action: step.action, outcome, reason });
  }

  /** An abort that comes in the middle of it does not leave it half done. */
  const undo = (): Promise<void> => CancellationScope.nonCancellable(undoAll);

  async function undoAll(): Promise<void> {
    for (let step = undoing.pop(); step !== undefined; step = undoing.pop()) {
      if (step.compensate === null) continue;
      const started = new Date().toISOString();
      try {
        const result = await perform(step, step.compensate, `${key(step)}:undo`, null);
        await noted(step, 'compensated', null, result, started);
      } catch (error) {
        await noted(step, 'compensation_failed', reasonOf(error), null, started);
      }
    }
  }

  async function failed(kind: 'drift' | 'failed', reason: string): Promise<EffectsResult> {
    await undo();
    const stuck = notUndone(steps);
    return stuck === null ? { kind, reason, steps } : { kind: 'failed', reason: `${reason}; ${stuck}`, steps };
  }

  async function carryOut(): Promise<EffectsResult> {
    const playbook = playbookOf(plan);
    const world = worldOf({ mission_id, host_queue, subsystem_id: plan.subsystem_id, resource_id: plan.resource_id, resource, params: plan.params, request });
    for (const step of plan.steps) {
      const started = new Date().toISOString();
      if (step.run === 'while_symptom') {
        let symptom: Check;
        try {
          symptom = await playbook.verify.symptom({ ...world, facts: plan.facts });
        } catch (error) {
          if (isCancellation(error)) throw error;
          // Neither gone nor there: no further rung rests on that, and those before it are taken back.
          return failed('failed', `before ${step.id} nobody could see whether the symptom is gone: ${reasonOf(error)}`);
        }
        if (symptom.ok) {
          await noted(step, 'skipped', 'the symptom is gone', null, started);
          continue;
        }
      }
      await note('healing.step_started', step.id, { step: step.id, action: step.action, effect: step.effect });
      undoing.push(step);
      try {
        const result = await perform(step, step, key(step), plan.resource_digest);
        await noted(step, 'done', null, result, started);
      } catch (error) {
        if (isCancellation(error)) throw error;
        const reason = reasonOf(error);
        await noted(step, 'failed', reason, null, started);
        if (typeOf(error) === 'PLAN_DRIFT') return failed('drift', reason);
        if (step.on_failure === 'stop') return failed('failed', `${step.id}: ${reason}`);
      }
    }
    return { kind: 'done', steps };
  }

  return { steps, carryOut, undo };
}

/** @throws ApplicationFailure when this worker has another version of it than the one that planned */
export function playbookOf({ playbook_id, playbook_version }: { playbook_id: string; playbook_version: number }): Playbook {
  const playbook = playbooks.get(playbook_id);
  if (playbook?.version !== playbook_version) {
    throw ApplicationFailure.nonRetryable(`${playbook_id} version ${playbook_version} was planned, and it is ${playbook?.version ?? 'gone'} now`, 'PLAYBOOK_CHANGED');
  }
  return playbook;
}

/** A mission that is gone needs no telling: then this is cancelled in a moment. */
async function tell({ mission_id, attempt }: messages.EffectsInput, result: EffectsResult): Promise<void> {
  try {
    await getExternalWorkflowHandle(mission_id).signal(messages.effectsDone, attempt, result);
  } catch (error) {
    if (isCancellation(error)) throw error;
    log.warn('the mission of these effects is gone', { mission_id, error: String(error) });
  }
}

const causeOf = (error: unknown): unknown => (error instanceof ActivityFailure ? error.cause : error);
const typeOf = (error: unknown): string | null | undefined => {
  const cause = causeOf(error);
  return cause instanceof ApplicationFailure ? cause.type : null;
};
export const reasonOf = (error: unknown): string => {
  const cause = causeOf(error);
  const message = cause instanceof Error ? cause.message : String(cause);
  return cause instanceof ApplicationFailure && cause.type ? `${cause.type}: ${message}` : message;
};
