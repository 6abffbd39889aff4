/**
 * A running mission: its stages, waits and steering. `stage` is the only place that knows pause, abort, parking,
 * attempts, recording and progress; a stage body knows none of them.
 */
import {
  ActivityFailure, ApplicationFailure, CancellationScope, ChildWorkflowFailure, condition, isCancellation, setHandler,
} from '@temporalio/workflow';
import { actorOf } from '../domain/actor.ts';
import type { CodingPackage, MissionPackage } from '../domain/mission-package.ts';
import {
  latestAttempts, pipelineOf, stageProgress, type StageName, type StageOutcome, type StageRecord,
} from '../domain/stages.ts';
import type { WaitingOn } from '../domain/waiting.ts';
import { neverStarted } from './activities.ts';
import { MissionAborted, MissionEscalated } from './interrupts.ts';
import { openJournal, type Journal } from './journal.ts';
import * as messages from './messages.ts';
import { refuse, requireFresh } from './refusal.ts';
import { withRoom, type RoomWait } from './room.ts';

/** How long a parked stage waits for a person before the mission escalates. */
const parkingHours = 24;
const hourMs = 3_600_000;

/** Landing changes the target branch: once begun it is brought to its end. So is settling what was landed. */
const uninterruptible: readonly StageName[] = ['merge_changes', 'resolve_or_rollback', 'close_or_escalate'];

/** Why a mission waits; when it began and when it ends are filled in. */
export type WaitReason = Omit<WaitingOn, 'since' | 'deadline'>;

export interface Mission<Package extends MissionPackage = CodingPackage> extends Omit<Journal, 'saveStage'> {
  readonly package: Package;
  /** Runs one stage to an outcome, as often as pauses, retries and worker deaths make it necessary. */
  stage<T extends StageOutcome>(name: StageName, body: (attempt: number) => Promise<T>): Promise<T>;
  /** A stage that does not apply, with the reason. */
  skip(name: StageName, reason: string): void;
  /** Waits visibly until `ready`, or the deadline. Aborting ends it by throwing. */
  wait(on: WaitReason, ready: () => boolean, timeoutMs: number): Promise<'ready' | 'deadline'>;
  /** Waits visibly for what is under way and past recall: an abort takes effect afterwards. */
  waitThrough(on: WaitReason, ready: () => boolean): Promise<void>;
  /** Waits as `wait` does, for an operator's `retry` or the given time, whichever comes first. */
  waitForRetry(on: WaitReason, timeoutMs: number): Promise<'ready' | 'deadline'>;
  /** What to do when the host of a stage is gone, before the stage begins again. */
  whenHostAway(recover: () => Promise<void>): void;
  /** Why the mission is being aborted, or null. */
  abortReason(): string | null;
}

const now = (): string => new Date().toISOString();

/** Makes the mission and registers its message handlers, before anything is awaited. */
export function openMission<Package extends MissionPackage>(pack: Package): Mission<Package> {
  const missionId = pack.mission_id;
  const pipeline = pipelineOf(pack.mission_type);
  const journal = openJournal(missionId);
  const { state, stages, change, note, saveStage, flush } = journal;

  let abortRequest: messages.SteerInput | null = null;
  let retryRequested = false;
  let hostAway: (() => Promise<void>) | null = null;
  let roomMade = false;
  /** Whether the present wait is one that a retry ends. */
  let awaitsRetry = false;
  let running: { scope: CancellationScope; interruptible: boolean } | null = null;

  // ---- waiting -----------------------------------------------------------------------------------------------
  function beginWait(on: WaitReason, timeoutMs: number | null): void {
    const waiting: WaitingOn = {
      ...on, since: now(), deadline: timeoutMs === null ? null : new Date(Date.now() + timeoutMs).toISOString(),
    };
    change({ waiting_on: waiting });
    note('mission.waiting', { ...waiting });
    const stage = openStage();
    if (stage !== undefined) {
      stage.status = 'waiting';
      saveStage(stage);
    }
  }

  function endWait(): void {
    awaitsRetry = false;
    if (state.waiting_on === null) return;
    note('mission.wait_ended', { kind: state.waiting_on.kind });
    change({ waiting_on: null });
    const stage = openStage();
    if (stage !== undefined) {
      stage.status = 'running';
      saveStage(stage);
    }
  }

  const openStage = (): StageRecord | undefined => stages.find((stage) => stage.ended_at === null);

  async function wait(
    on: WaitReason, ready: () => boolean, timeoutMs: number,
  ): Promise<'ready' | 'deadline'> {
    if (ready()) return 'ready';
    beginWait(on, timeoutMs);
    await flush();
    try {
      const done = await condition(() => ready() || abortRequest !== null, timeoutMs);
      if (abortRequest !== null && !ready()) throw new MissionAborted(abortRequest.reason ?? 'aborted');
      return done ? 'ready' : 'deadline';
    } finally {
      endWait();
    }
  }

  async function waitThrough(on: WaitReason, ready: () => boolean): Promise<void> {
    if (ready()) return;
    beginWait(on, null);
    await flush();
    await condition(ready);
    endWait();
  }

  // ---- stages ------------------------------------------------------------------------------------------------
  async function gate(next: StageName): Promise<void> {
    if (abortRequest !== null) throw new MissionAborted(abortRequest.reason ?? 'aborted');
    if (!state.paused) return;
    beginWait({
      kind: 'pause', reason: `paused before ${next}`, who: 'an operator, by resume or abort', on_deadline: null,
    }, null);
    await flush();
    await condition(() => !state.paused || abortRequest !== null);
    endWait();
    if (abortRequest !== null) throw new MissionAborted((abortRequest as messages.SteerInput).reason ?? 'aborted');
  }

  function begin(name: StageName): StageRecord {
    const attempt = stages.filter((stage) => stage.name === name).length + 1;
    const stage: StageRecord = {
      name, status: 'running', attempt, started_at: now(), ended_at: null, duration_ms: null, reason: null, evidence: [],
    };
    stages.push(stage);
    change({ stage: name, progress: stageProgress(pipeline, name) });
    saveStage(stage);
    note('stage.started', { stage: name, attempt });
    return stage;
  }

  function end(stage: StageRecord, result: StageOutcome): void {
    stage.status = result.outcome;
    stage.ended_at = now();
    stage.duration_ms = Date.parse(stage.ended_at) - Date.parse(stage.started_at!);
    stage.reason = result.reason;
    stage.evidence = result.evidence;
    saveStage(stage);
    note('stage.ended', {
      stage: stage.name, attempt: stage.attempt, outcome: result.outcome, reason: result.reason,
      evidence: result.evidence.map(({ kind, sha256 }) => ({ kind, sha256 })),
    });
  }

  async function runStage<T extends StageOutcome>(name: StageName, body: (attempt: number) => Promise<T>): Promise<T> {
    for (;;) {
      await gate(name);
      const stage = begin(name);
      await flush();
      try {
        const interruptible = !uninterruptible.includes(name);
        // Nor does a cancellation in Temporal itself reach what must be brought to its end; it takes effect afterwards.
        const scope = new CancellationScope({ cancellable: interruptible });
        running = { scope, interruptible };
        const result = await scope.run(() => withRoom(room, () => body(stage.attempt)));
        end(stage, result);
        return result;
      } catch (error) {
        if (error instanceof MissionAborted || error instanceof MissionEscalated) {
          end(stage, { outcome: 'failed', reason: error.message, evidence: [] });
          throw error;
        }
        if (abortRequest !== null || state.paused) {
          end(stage, { outcome: 'failed', reason: abortRequest === null ? 'interrupted by pause' : 'interrupted by abort', evidence: [] });
        } else if (isCancellation(error)) {
          end(stage, { outcome: 'failed', reason: 'the workflow was cancelled', evidence: [] });
          throw error;
        } else {
          const away = neverStarted(error) && hostAway !== null;
          const reason = away ? 'its host is away' : reasonOf(error);
          end(stage, { outcome: 'failed', reason, evidence: [] });
          await (away ? hostAway!() : park(name, reason));
        }
      } finally {
        running = null;
      }
    }
  }

  /** Infrastructure failed, not the candidate: a person mends it and retries, or the mission escalates. */
  async function park(name: StageName, reason: string): Promise<void> {
    retryRequested = false;
    awaitsRetry = true;
    const outcome = await wait({
      kind: 'operator', reason: `${name}: ${reason}`, who: 'an operator, by retry or abort', on_deadline: 'escalate',
    }, () => retryRequested, parkingHours * hourMs);
    if (outcome === 'deadline') throw new MissionEscalated(`${name} failed and nobody retried it: ${reason}`);
  }

  const room: RoomWait = {
    beginWait(on, timeoutMs) {
      beginWait(on, timeoutMs);
      retryRequested = false;
      awaitsRetry = true;
    },
    endWait, flush,
    /** Sleeps until somebody says that there may be room, or a while has passed. What was said before it is not lost. */
    async sleep(ms) {
      await condition(() => roomMade || retryRequested || abortRequest !== null, ms);
      retryRequested = false;
      roomMade = false;
      if (abortRequest !== null) throw new MissionAborted(abortRequest.reason ?? 'aborted');
    },
  };

  // ---- messages ----------------------------------------------------------------------------------------------
  const checkFresh = (input: { valid_until: string }): void => requireFresh(missionId, state.status, input);

  function interrupt(): string {
    if (running === null) return 'at once';
    if (!running.interruptible) return `when ${state.stage} has ended`;
    running.scope.cancel();
    return 'at once';
  }

  setHandler(messages.state, () => ({ ...state, stages: latestAttempts(pipeline, stages) }));

  setHandler(messages.roomMade, () => { roomMade = true; });

  setHandler(messages.abort, async (input) => {
    abortRequest ??= input;
    note('mission.abort_requested', { reason: input.reason }, actorOf(input.principal));
    const takes_effect = interrupt();
    await flush();
    return { takes_effect };
  }, { validator: checkFresh });

  setHandler(messages.pause, async (input) => {
    if (!state.paused) {
      change({ paused: true });
      note('mission.paused', { reason: input.reason, mode: input.mode }, actorOf(input.principal));
    }
    const takes_effect = input.mode === 'now' ? interrupt() : 'before the next stage';
    await flush();
    return { takes_effect };
  }, { validator: checkFresh });

  setHandler(messages.resume, async (input) => {
    change({ paused: false });
    note('mission.resumed', { reason: input.reason }, actorOf(input.principal));
    await flush();
    return { takes_effect: 'at once' };
  }, {
    validator(input) {
      checkFresh(input);
      if (!state.paused) refuse('MISSION_NOT_WAITING', `${missionId} is not paused`);
    },
  });

  setHandler(messages.retry, async (input) => {
    retryRequested = true;
    note('mission.retried', { reason: input.reason }, actorOf(input.principal));
    await flush();
    return { takes_effect: 'at once' };
  }, {
    validator(input) {
      checkFresh(input);
      if (!awaitsRetry) refuse('MISSION_NOT_WAITING', `${missionId} waits for ${state.waiting_on?.kind ?? 'nothing'}; there is nothing to retry`);
    },
  });

  return {
    ...journal, package: pack, stage: runStage, wait, waitThrough,
    whenHostAway: (recover) => { hostAway = recover; },
    abortReason: () => (abortRequest === null ? null : abortRequest.reason ?? 'aborted'),
    skip(name, reason) {
      const stage = begin(name);
      end(stage, { outcome: 'skipped', reason, evidence: [] });
    },
    async waitForRetry(on, timeoutMs) {
      retryRequested = false;
      awaitsRetry = true;
      return wait(on, () => retryRequested, timeoutMs);
    },
  };
}

/** The innermost message: what the activity itself said. */
function reasonOf(error: unknown): string {
  let cause = error;
  while ((cause instanceof ActivityFailure || cause instanceof ChildWorkflowFailure) && cause.cause !== undefined) cause = cause.cause;
  if (cause instanceof ApplicationFailure) return `${cause.type ?? 'INTERNAL'}: ${cause.message}`;
  return cause instanceof Error ? cause.message : String(cause);
}
