/** The mission's side of the observation window: run it, extend it, hold what it could not judge, take a person's decision. */
import {
  ApplicationFailure, CancellationScope, ChildWorkflowCancellationType, condition, executeChild, isCancellation,
  ParentClosePolicy, setHandler,
} from '@temporalio/workflow';
import { actorOf } from '../domain/actor.ts';
import type { LandingResult } from '../domain/landing.ts';
import type { MissionPackage } from '../domain/mission-package.ts';
import type { WindowSpec } from '../domain/observation.ts';
import type { EvidenceRef } from '../domain/stages.ts';
import { main } from './activities.ts';
import { MissionAborted } from './interrupts.ts';
import * as messages from './messages.ts';
import type { Mission } from './mission.ts';
import { observationWindow, type ObservationResult } from './observation-window.ts';
import { refuse, requireFresh } from './refusal.ts';

export type Landed = Extract<LandingResult, { kind: 'landed' }>;

/** What is watched: the revision that samples may name. */
export type Change = Pick<Landed, 'commit'>;

/** How the change fared: judged by the window, or decided by a person where the window could not or was not waited for. */
export interface Observed {
  verdict: 'PASSED' | 'FAILED' | 'INCONCLUSIVE' | 'ERROR';
  unobserved: boolean;
  reason: string;
  evidence: EvidenceRef[];
  /** Other changes fell into the window, and its spec asks for another one. */
  again?: boolean;
}

export interface Observation {
  /** One window, and as many more as the spec or a person asks for. */
  observe(change: Change): Promise<Observed>;
  /** Holds what could not be judged, for a person, until the deadline. */
  hold(change: Change, observed: Observed): Promise<Observed | 'deadline'>;
}

/** @param specOf the window as it stands when watching begins */
export function openObservation(mission: Mission<MissionPackage>, specOf: () => WindowSpec): Observation {
  const { mission_id, created_by } = mission.package;
  let windows = 0;
  let decision: messages.ObservationDecision | null = null;

  setHandler(messages.decideObservation, async (input) => {
    decision = input;
    mission.note('observation.decided', { decision: input.decision, reason: input.reason }, actorOf(input.principal));
    await mission.flush();
    return { takes_effect: input.decision === 'extend' && !held() ? 'when this window is over' : 'at once' };
  }, {
    validator(input) {
      requireFresh(mission_id, mission.state.status, input);
      if (mission.state.status !== 'observing') refuse('MISSION_NOT_WAITING', 'nothing is being observed yet');
      if (decision !== null) refuse('APPROVAL_DECIDED', `${decision.principal.id} decided already: ${decision.decision}`);
      if (input.decision === 'resolve' && input.principal.id === created_by) refuse('SELF_APPROVAL', `${input.principal.id} is the author of ${mission_id}`);
      if (input.decision === 'resolve' && !held()) refuse('MISSION_NOT_WAITING', 'the window is not over: there is no early success');
    },
  });

  const held = (): boolean => mission.state.waiting_on?.kind === 'observation';

  async function oneWindow({ commit: revision }: Change): Promise<Observed> {
    windows += 1;
    const spec = specOf();
    // A wait that led here has ended: whoever looks now sees that it is watched, not held.
    await mission.flush();
    const of = {
      mission_id, spec, t0: Date.now(), landed_at: landedAt, revision, author: created_by, window: windows,
    };
    const scope = new CancellationScope();
    const running = scope.run(() => executeChild(observationWindow, {
      workflowId: `${mission_id}:observation:${windows}`,
      args: [{ ...of, next_tick: 0 }],
      workflowTaskTimeout: '3s',
      parentClosePolicy: ParentClosePolicy.REQUEST_CANCEL,
      cancellationType: ChildWorkflowCancellationType.WAIT_CANCELLATION_COMPLETED,
    }));
    let over = false;
    const ended = running.finally(() => { over = true; });
    // Looked at below; a cancelled window is no unhandled rejection.
    ended.catch(() => undefined);
    await condition(() => over || decision?.decision === 'rollback' || mission.abortReason() !== null);
    if (!over) scope.cancel();
    try {
      const result = await ended;
      return ofWindow(result);
    } catch (error) {
      const aborted = mission.abortReason();
      if (isCancellation(error) && aborted !== null) throw new MissionAborted(aborted);
      if (!isCancellation(error) || decision?.decision !== 'rollback') throw error;
      const evidence = await main.closeWindow({
        ...of, judged_by: 'person',
        verdict: { verdict: 'FAILED', unobserved: false, reason: decidedReason(decision), metrics: [] },
      });
      return { verdict: 'FAILED', unobserved: false, reason: decidedReason(decision), evidence };
    }
  }

  let landedAt = 0;

  async function observe(change: Change): Promise<Observed> {
    if (landedAt === 0) landedAt = Date.now();
    for (;;) {
      const observed = await oneWindow(change);
      mission.note('observation.ended', { window: windows, verdict: observed.verdict, unobserved: observed.unobserved, reason: observed.reason });
      const asked = decision?.decision === 'extend';
      if (asked) decision = null;
      const undecided = observed.verdict === 'INCONCLUSIVE' || observed.verdict === 'ERROR';
      const spec = specOf();
      const byItself = ((undecided && spec.on_inconclusive === 'extend') || observed.again === true) && windows <= spec.max_extensions;
      if (observed.verdict === 'FAILED' || !(asked || byItself)) return observed;
    }
  }

  return {
    observe,
    async hold(change, observed) {
      const spec = specOf();
      for (;;) {
        const outcome = await mission.wait({
          kind: 'observation', reason: `${observed.verdict}: ${observed.reason}`,
          who: `an operator or approver, by rollback, extend or (not ${created_by}) resolve`, on_deadline: spec.on_deadline,
        }, () => decision !== null, spec.decision_deadline_minutes * 60_000);
        if (outcome === 'deadline') return 'deadline';
        const decided = decision!;
        decision = null;
        if (decided.decision === 'extend') {
          const again = await observe(change);
          if (again.verdict === 'PASSED' || again.verdict === 'FAILED') return again;
          observed = again;
          continue;
        }
        return {
          verdict: decided.decision === 'resolve' ? 'PASSED' : 'FAILED', unobserved: observed.unobserved,
          reason: `${decidedReason(decided)} (the window: ${observed.verdict}: ${observed.reason})`, evidence: observed.evidence,
        };
      }
    },
  };
}

const decidedReason = ({ principal, decision, reason }: messages.ObservationDecision): string =>
  `decided by ${principal.id}: ${decision}: ${reason}`;

function ofWindow({ verdict, evidence }: ObservationResult): Observed {
  if (verdict.verdict === 'RUNNING') throw ApplicationFailure.nonRetryable('the window ended without a verdict', 'INTERNAL');
  return {
    verdict: verdict.verdict, unobserved: verdict.unobserved, reason: verdict.reason, evidence, again: verdict.confounded === 'extend',
  };
}
