/**
 * The merge queue of one branch: landings one after the other, reverts first, then severity, then arrival.
 * It ends when nothing waits; the next landing's signal starts it again, so its history stays short.
 */
import { ActivityFailure, continueAsNew, defineQuery, getExternalWorkflowHandle, log, patched, setHandler, workflowInfo } from '@temporalio/workflow';
import { nextInQueue, type LandingRequest, type LandingResult } from '../domain/landing.ts';
import { severityRank } from '../domain/mission.ts';
import { onHost } from './activities.ts';
import * as messages from './messages.ts';

export interface MergeQueueInput {
  repository_id: string;
  target_branch: string;
  waiting: LandingRequest[];
  /** Answers given lately, so that a request that is sent again gets the same one. */
  done: LandingResult[];
}

export const queueState = defineQuery<{ waiting: LandingRequest[]; current: LandingRequest | null }>('queueState');

const maxTries = 3;
const answersKept = 50;
/** Then a new run begins. 25 landings that need no second test are 432 events; one that does has some more. */
const landingsPerRun = 25;

export async function mergeQueue(input: MergeQueueInput): Promise<void> {
  const waiting = [...input.waiting];
  const done = [...input.done];
  let current: LandingRequest | null = null;
  let landings = 0;

  setHandler(queueState, () => ({ waiting, current }));
  setHandler(messages.enqueueLanding, (request) => {
    const known = [...waiting, ...(current === null ? [] : [current])].some((item) => item.request_id === request.request_id);
    if (!known) waiting.push(request);
  });

  for (;;) {
    const next = nextInQueue(waiting, severityRank);
    if (next === undefined) return;
    waiting.splice(waiting.indexOf(next), 1);
    current = next;
    const result = done.find((answer) => answer.request_id === next.request_id) ?? await landOne(next);
    done.push(result);
    done.splice(0, Math.max(0, done.length - answersKept));
    await answer(next, result);
    current = null;
    landings += 1;
    const long = workflowInfo().continueAsNewSuggested || (landings >= landingsPerRun && patched('landings-per-run'));
    if (long && waiting.length > 0) {
      await continueAsNew<typeof mergeQueue>({ ...input, waiting, done });
    }
  }
}

/** A mission that is gone needs no answer; what it landed is in the repository and in its events. */
async function answer(request: LandingRequest, result: LandingResult): Promise<void> {
  try {
    await getExternalWorkflowHandle(request.mission_id).signal(messages.landingResult, result);
  } catch (error) {
    log.warn('the mission of a landing is gone', { mission_id: request.mission_id, kind: result.kind, error: String(error) });
  }
}

async function landOne(request: LandingRequest): Promise<LandingResult> {
  try {
    return await tryToLand(request);
  } catch (error) {
    if (!(error instanceof ActivityFailure)) throw error;
    // Infrastructure: the mission waits visibly and asks again.
    return { kind: 'blocked', request_id: request.request_id, reason: error.cause?.message ?? error.message };
  }
}

/** Build on the tip, test what nobody has tested, land by compare-and-swap; from the start when the tip moved. */
async function tryToLand(request: LandingRequest): Promise<LandingResult> {
  const host = onHost(request.host_queue);
  const { request_id } = request;
  for (let tries = 1; tries <= maxTries; tries += 1) {
    const built = await host.buildLanding(request);
    if (built.kind === 'already_reverted') return { kind: 'already_reverted', request_id };
    if (built.kind === 'conflict') return { kind: 'conflict', request_id, paths: built.paths };

    const { commit, tree, tip, parents } = built;
    const needsTest = !built.landed_before && !request.tested_trees.includes(tree);
    const tested = needsTest ? await host.testLanding({ request, commit: { commit, tree }, tip }) : null;
    if (tested?.passed === false) {
      return { kind: 'tests_failed', request_id, reasons: tested.reasons, evidence: tested.evidence };
    }
    const carried = request.kind === 'land' && tree !== request.approved_tree;
    if (carried && !(request.carry_approval && built.patch_id === request.patch_id)) {
      return { kind: 'approval_void', request_id, tree };
    }

    const landed = await host.land({ request, commit, tree, tip: tip.commit, parents });
    switch (landed.kind) {
      case 'landed':
        return {
          kind: 'landed', request_id, commit, tree, parents, onto: tip, carried, tested: needsTest,
          evidence: [...(tested?.evidence ?? []), ...landed.evidence],
        };
      case 'blocked': return { kind: 'blocked', request_id, reason: landed.reason };
      case 'violation': return { kind: 'violation', request_id, reason: landed.reason };
      case 'base_moved': continue;
    }
  }
  return { kind: 'base_moved', request_id, tries: maxTries };
}
