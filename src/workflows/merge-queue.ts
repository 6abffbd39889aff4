/**
 * The merge queue of one branch: landings one after the other, reverts first, then severity, then arrival.
 * It ends when nothing waits and nothing is frozen; the next landing's signal starts it again, so its history stays short.
 */
import { allHandlersFinished, condition, continueAsNew, getExternalWorkflowHandle, log, patched, setHandler, workflowInfo } from '@temporalio/workflow';
import { actorOf, systemActor } from '../domain/actor.ts';
import { conflictText, nextInQueue, type LandingRequest, type LandingResult, type QueueFreeze } from '../domain/landing.ts';
import { severityRank } from '../domain/mission.ts';
import { openLandingDesk } from './landing-desk.ts';
import * as messages from './messages.ts';
import { openQueueJournal } from './queue-journal.ts';
import { refuse, requireFreshWord } from './refusal.ts';

export interface MergeQueueInput {
  repository_id: string;
  target_branch: string;
  waiting: LandingRequest[];
  /** Answers given lately, so that a request that is sent again gets the same one. */
  done: LandingResult[];
  /** Absent in runs that were started before there were freezes. */
  frozen?: QueueFreeze | null;
}

const answersKept = 50;
/** Then a new run begins. 25 landings that need no second test are about 500 events; one that does has some more. */
const landingsPerRun = 25;

export async function mergeQueue(input: MergeQueueInput): Promise<void> {
  const waiting = [...input.waiting];
  const done = [...input.done];
  const journal = openQueueJournal(input);
  const desk = openLandingDesk();
  let frozen = input.frozen ?? null;
  let current: LandingRequest | null = null;
  let landings = 0;

  setHandler(messages.queueState, () => ({ waiting, current, frozen }));
  setHandler(messages.enqueueLanding, async (request) => {
    const known = [...waiting, ...(current === null ? [] : [current])].some((item) => item.request_id === request.request_id);
    if (known) return;
    waiting.push(request);
    // Taking something back is urgent: a landing that is being tested steps aside and is tested again afterwards.
    if (request.kind === 'revert' && current?.kind === 'land') desk.stepAside();
    else if (frozen !== null && request.kind === 'land') await hold(request, frozen);
  });
  setHandler(messages.freezeQueue, async (word) => {
    if (frozen === null) await freeze({ code: 'operator', reason: word.reason, by: word.principal.id, since: new Date().toISOString(), mission_id: null }, actorOf(word.principal));
    return { frozen };
  }, { validator: requireFreshWord });
  setHandler(messages.unfreezeQueue, async (word) => {
    const before = frozen;
    frozen = null;
    await journal.unfrozen(before!, word.reason, actorOf(word.principal));
    for (const request of waiting) await hold(request, null);
    return { frozen };
  }, {
    validator(word) {
      requireFreshWord(word);
      if (frozen === null) refuse('QUEUE_NOT_FROZEN', `the queue of ${input.target_branch} is not frozen`);
    },
  });

  async function freeze(why: QueueFreeze, actor = systemActor('worker')): Promise<void> {
    frozen = why;
    await journal.frozen(why, actor);
    for (const request of waiting.filter((item) => item.kind === 'land')) await hold(request, why);
  }

  for (;;) {
    // What is broken must not keep anybody from taking something back.
    const open: LandingRequest[] = frozen === null ? waiting : waiting.filter((item) => item.kind === 'revert');
    const next = nextInQueue(open, severityRank);
    if (next === undefined) {
      if (frozen === null) {
        await condition(allHandlersFinished);
        if (waiting.length > 0 || frozen !== null) continue;
        await journal.idle();
        if (waiting.length > 0 || frozen !== null) continue;
        return;
      }
      await condition(() => frozen === null || waiting.some((item) => item.kind === 'revert') || workflowInfo().continueAsNewSuggested);
      if (workflowInfo().continueAsNewSuggested) await goOn();
      continue;
    }
    waiting.splice(waiting.indexOf(next), 1);
    current = next;
    const known = done.find((answer) => answer.request_id === next.request_id);
    if (known === undefined) await journal.landing(next);
    const result = known ?? await desk.land(next);
    if (result === 'stepped_aside') {
      waiting.unshift(next);
      current = null;
      continue;
    }
    done.push(result);
    done.splice(0, Math.max(0, done.length - answersKept));
    const why = freezeAfter(next, result);
    if (why !== null && frozen === null && patched('queue-freezes')) await freeze({ ...why, since: new Date().toISOString() });
    await answer(next, result);
    current = null;
    landings += 1;
    const long = workflowInfo().continueAsNewSuggested || (landings >= landingsPerRun && patched('landings-per-run'));
    if (long && waiting.length > 0) await goOn();
  }

  async function goOn(): Promise<void> {
    await condition(allHandlersFinished);
    await continueAsNew<typeof mergeQueue>({ ...input, waiting, done, frozen });
  }
}

/** Whether what came of a landing means that nothing else may land until a person has looked. */
function freezeAfter(request: LandingRequest, result: LandingResult): Omit<QueueFreeze, 'since'> | null {
  const by = { by: 'merge queue', mission_id: request.mission_id };
  if (result.kind === 'violation') return { ...by, code: 'violation', reason: `${request.mission_id}: ${result.reason}` };
  if (result.kind !== 'conflict' || request.kind !== 'revert') return null;
  const later = (result.neighbours ?? []).map(({ commit, mission_id: mission }) => `${commit.slice(0, 12)}${mission === null ? '' : ` (${mission})`}`);
  return {
    ...by, code: 'revert_conflict',
    reason: `${request.mission_id} cannot be reverted: it ${conflictText(result)}${later.length === 0 ? '' : `; changed later by ${later.join(', ')}`}`,
  };
}

/** A mission that is gone needs no answer; what it landed is in the repository and in its events. */
async function answer(request: LandingRequest, result: LandingResult): Promise<void> {
  try {
    await getExternalWorkflowHandle(request.mission_id).signal(messages.landingResult, result);
  } catch (error) {
    log.warn('the mission of a landing is gone', { mission_id: request.mission_id, kind: result.kind, error: String(error) });
  }
}

/** Tells a mission why its landing does not begin, or that it may again. */
async function hold({ mission_id, request_id }: LandingRequest, freeze: QueueFreeze | null): Promise<void> {
  try {
    await getExternalWorkflowHandle(mission_id).signal(messages.landingHeld, { request_id, freeze });
  } catch (error) {
    log.warn('the mission of a landing is gone', { mission_id, error: String(error) });
  }
}
