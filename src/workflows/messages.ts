/** Signals, updates and queries: the workflows' public API, and all that the api process may import of them. */
import { defineQuery, defineSignal, defineUpdate } from '@temporalio/workflow';
import type { Principal } from '../domain/actor.ts';
import type { ClaimAnswer, ClaimInput, GiveBackInput, PostPatchInput } from '../domain/agent-work.ts';
import type { ApprovalStatus, DecideInput } from '../domain/approval.ts';
import type { EffectsResult, HealingPlan, HealingRequest } from '../domain/healing.ts';
import type { Resource } from '../domain/subsystem.ts';
import type { LandingRequest, LandingResult, QueueFreeze } from '../domain/landing.ts';
import type { MissionStatus } from '../domain/mission.ts';
import type { MissionState } from '../domain/mission-view.ts';
import type { StageRecord } from '../domain/stages.ts';
import type { ReportedDetails, ReportKey } from '../domain/tracked.ts';

/** What the effects of one plan need: everything, so that the holder of the resource depends on nobody. */
export interface EffectsInput {
  mission_id: string;
  attempt: number;
  host_queue: string;
  plan: HealingPlan;
  resource: Resource;
  request: HealingRequest;
}

/** Every steering message says who, why, and until when it may still take effect. */
export interface SteerInput {
  principal: Principal;
  reason: string | null;
  /** RFC 3339. A message that a worker reads later is refused, so that an answer of 503 means nothing happened. */
  valid_until: string;
}

export interface PauseInput extends SteerInput { mode: 'boundary' | 'now' }

/** At which boundary a steering message takes effect. */
export interface SteerAnswer { takes_effect: string }

// Updates, not signals, wherever a person waits for the answer: an update can refuse.
export const pause = defineUpdate<SteerAnswer, [PauseInput]>('pause');
export const resume = defineUpdate<SteerAnswer, [SteerInput]>('resume');
export const abort = defineUpdate<SteerAnswer, [SteerInput]>('abort');
export const retry = defineUpdate<SteerAnswer, [SteerInput]>('retry');
export const decide = defineUpdate<{ approval_id: string; status: ApprovalStatus }, [DecideInput]>('decide');

/** A person's word on an observation window. Only a held one can be resolved; rolling back is always possible. */
export interface ObservationDecision {
  principal: Principal;
  decision: 'resolve' | 'rollback' | 'extend';
  reason: string;
  valid_until: string;
}
export const decideObservation = defineUpdate<SteerAnswer, [ObservationDecision]>('decideObservation');

/** From agents elsewhere: take the mission, let it go again, hand a patch in. Extending a lease is a row, not a message. */
export const claim = defineUpdate<ClaimAnswer, [ClaimInput]>('claim');
export const giveBack = defineUpdate<{ lease_id: string }, [GiveBackInput]>('giveBack');
export const postPatch = defineUpdate<{ number: number }, [PostPatchInput]>('postPatch');

/** What is reported about a tracked mission. `reason` is what a failure or a cancellation says. */
export interface ReportInput extends SteerInput { details: ReportedDetails; key: ReportKey | null }
export interface ReportAnswer { status: MissionStatus; progress: number }
export const progress = defineUpdate<ReportAnswer, [ReportInput]>('progress');
export const complete = defineUpdate<ReportAnswer, [ReportInput]>('complete');
export const fail = defineUpdate<ReportAnswer, [ReportInput]>('fail');
export const cancel = defineUpdate<ReportAnswer, [ReportInput]>('cancel');
/** Changes nothing; answers once the mission's row says that it runs. */
export const whenRunning = defineUpdate<ReportAnswer, [{ asked_by: string }]>('whenRunning');

export const state = defineQuery<Omit<MissionState, 'updated_at'> & { stages: StageRecord[] }>('state');

/** A person's word to a merge queue. */
export interface QueueWord { principal: Principal; reason: string; valid_until: string }
export interface QueueAnswer { frozen: QueueFreeze | null }
export const freezeQueue = defineUpdate<QueueAnswer, [QueueWord]>('freezeQueue');
export const unfreezeQueue = defineUpdate<QueueAnswer, [QueueWord]>('unfreezeQueue');
export const queueState = defineQuery<{ waiting: LandingRequest[]; current: LandingRequest | null; frozen: QueueFreeze | null }>('queueState');

// Signals between our own workflows: facts, nobody waits for an answer.
export const enqueueLanding = defineSignal<[LandingRequest]>('enqueueLanding');
/** To a mission in the queue: why its landing does not begin; null: it may again. */
export const landingHeld = defineSignal<[{ request_id: string; freeze: QueueFreeze | null }]>('landingHeld');
export const dependencyEnded = defineSignal<[string]>('dependencyEnded');
/** A worktree was let go: whoever waits for one may ask again. */
export const roomMade = defineSignal('roomMade');
export const landingResult = defineSignal<[LandingResult]>('landingResult');
/** To the holder of a resource: go ahead; and, once everything is verified or given up, let go. */
export const beginEffects = defineSignal<[EffectsInput]>('beginEffects');
export const concludeEffects = defineSignal<['keep' | 'undo']>('concludeEffects');
/** From the holder of a resource to its mission: what became of this attempt. */
export const effectsDone = defineSignal<[number, EffectsResult]>('effectsDone');
/** Who holds a resource: read by whoever waits for it. */
export const effectsHolder = defineQuery<{ mission_id: string; since: string }>('effectsHolder');
export const capaChanged = defineSignal('capaChanged');
