/** The mission's side of a resource's lock: take it, have the plan carried out, let go. */
import {
  ChildWorkflowCancellationType, condition, getExternalWorkflowHandle, ParentClosePolicy, setHandler, sleep, startChild, type ChildWorkflowHandle,
} from '@temporalio/workflow';
import { WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import { notUndone, type EffectsResult, type StepResult } from '../domain/healing.ts';
import type { HealingPackage } from '../domain/mission-package.ts';
import { main } from './activities.ts';
import { effects, effectsWorkflowId } from './effects.ts';
import * as messages from './messages.ts';
import { MissionEscalated } from './interrupts.ts';
import type { Mission } from './mission.ts';

export interface Holding {
  /** Has the plan carried out. What takes longer than the time it has is ended and taken back. */
  carryOut(): Promise<EffectsResult>;
  /** Keeps or undoes what was done, and lets go of every lock. @returns every step with what became of it, as far as it was told */
  conclude(how: 'keep' | 'undo'): Promise<StepResult[]>;
}

export interface Locks {
  /**
   * Takes every lock of the plan, in the plan's sorted order. Waits visibly; at the deadline the mission escalates.
   * @param timeoutSeconds for each wait, and for the effects
   */
  hold(input: messages.EffectsInput, timeoutSeconds: number): Promise<Holding>;
}

/** How often a lock that somebody else holds is asked for again. */
const askAgainMs = 1_000;

type Holder = ChildWorkflowHandle<typeof effects>;

export function openLocks(mission: Mission<HealingPackage>): Locks {
  const results = new Map<number, EffectsResult>();
  setHandler(messages.effectsDone, (attempt, result) => { results.set(attempt, result); });
  const { mission_id } = mission.package;

  const start = (resource: string): Promise<Holder> => startChild(effects, {
    workflowId: effectsWorkflowId(resource), args: [{ mission_id, resource }], workflowTaskTimeout: '3s',
    // A mission that ends in Temporal takes its effects back; one that is done has let go of them before.
    parentClosePolicy: ParentClosePolicy.REQUEST_CANCEL,
    cancellationType: ChildWorkflowCancellationType.WAIT_CANCELLATION_COMPLETED,
    staticSummary: `${mission_id} works on ${resource}`,
  });

  async function tryStart(resource: string): Promise<Holder | undefined> {
    try {
      return await start(resource);
    } catch (error) {
      if (error instanceof WorkflowExecutionAlreadyStartedError) return undefined;
      throw error;
    }
  }

  async function take(resource: string, timeoutSeconds: number): Promise<Holder> {
    let holder = await tryStart(resource);
    if (holder !== undefined) return holder;
    const by = await main.holderOf(resource);
    let given = false;
    const wanted = (): boolean => !given && holder === undefined;
    const asking = (async () => {
      while (wanted()) {
        await sleep(askAgainMs);
        holder = await tryStart(resource);
      }
      if (given) await holder?.signal(messages.concludeEffects, 'keep');
    })();
    // Given up with the wait below: what it may still do is to let go again.
    asking.catch(() => undefined);
    try {
      const outcome = await mission.wait({
        kind: 'resource', reason: `${resource} is held by ${by ?? 'another healing mission'}`,
        who: `whoever ends ${by ?? 'that mission'}`, on_deadline: 'escalate',
      }, () => holder !== undefined, timeoutSeconds * 1_000);
      if (outcome === 'deadline') throw new MissionEscalated(`${resource} was held by ${by ?? 'another healing mission'} for ${timeoutSeconds} s`);
      return holder!;
    } catch (error) {
      given = true;
      throw error;
    }
  }

  return {
    async hold(input, timeoutSeconds) {
      const held: Holder[] = [];
      let working: Holder | undefined;
      const own = `${input.plan.subsystem_id}/${input.plan.resource_id}`;
      try {
        for (const resource of input.plan.locks) {
          const holder = await take(resource, timeoutSeconds);
          held.push(holder);
          if (resource === own) working = holder;
        }
      } catch (error) {
        await letGo(held, 'keep');
        throw error;
      }
      const ended = working!.result();
      ended.catch(() => undefined);
      return {
        async carryOut() {
          await working!.signal(messages.beginEffects, input);
          let over = false;
          void ended.then(() => { over = true; }, () => { over = true; });
          const inTime = await condition(() => results.has(input.attempt) || over, timeoutSeconds * 1_000);
          if (!inTime) {
            await getExternalWorkflowHandle(working!.workflowId, working!.firstExecutionRunId).cancel().catch(() => undefined);
            await ended.catch(() => undefined);
            const { steps } = results.get(input.attempt) ?? { steps: [] };
            const stuck = notUndone(steps);
            return { kind: 'failed', reason: `it took longer than ${timeoutSeconds} s, its run timeout${stuck === null ? '' : `; ${stuck}`}`, steps };
          }
          // It ended without a word: its failure says why.
          if (!results.has(input.attempt)) await ended;
          return results.get(input.attempt)!;
        },
        async conclude(how) {
          await letGo(held, how);
          return ended.catch(() => results.get(input.attempt)?.steps ?? []);
        },
      };
    },
  };
}

/** The last taken is let go first. A holder that ended by itself needs no telling. */
async function letGo(held: readonly Holder[], how: 'keep' | 'undo'): Promise<void> {
  for (const holder of [...held].reverse()) {
    try {
      await holder.signal(messages.concludeEffects, how);
    } catch { /* it has ended */ }
  }
}
