/**
 * A tracked mission: somebody else does the work and reports on it. This workflow is its clock and its one writer: it takes
 * the reports in order, notices when none comes any more, and ends with the last one.
 */
import { allHandlersFinished, CancellationScope, condition, continueAsNew, isCancellation, setHandler, workflowInfo } from '@temporalio/workflow';
import { actorOf, systemActor, type Actor } from '../domain/actor.ts';
import type { TrackedPackage } from '../domain/mission-package.ts';
import { main } from './activities.ts';
import type { MissionEnd } from './end.ts';
import { openJournal, type CarriedJournal } from './journal.ts';
import * as messages from './messages.ts';
import { refuse, requireFresh } from './refusal.ts';

export interface TrackedMissionInput {
  package: TrackedPackage;
  /** From the run before, when there was one. */
  carried?: { journal: CarriedJournal; last_report_ms: number; told: Told };
}

/** Which of the two sums somebody said anything about. */
interface Told { tokens: boolean; cost: boolean }

/** A run takes 2,000 updates at most; a short one replays fast. */
const reportsPerRun = 200;
/** Progress becomes an event no more often than this. The row has every report. */
const eventIntervalMs = 1_000;

export async function trackedMission({ package: pack, carried }: TrackedMissionInput): Promise<MissionEnd> {
  const missionId = pack.mission_id;
  const journal = openJournal(missionId, carried?.journal);
  const { state, change, note, flush } = journal;
  const staleMs = pack.tracked.stale_after_minutes * 60_000;
  const told: Told = { ...carried?.told ?? { tokens: false, cost: false } };
  let began = carried !== undefined;
  let end: MissionEnd | null = null;
  let lastReportMs = carried?.last_report_ms ?? Date.now();
  let reports = 0;
  let lastEventMs = 0;
  /** Reports that are in the row and in no event yet, and the last of them. */
  let untold = 0;
  let latest: { actor: Actor; message: string | null } = { actor: systemActor('worker'), message: null };

  // ---- reports -----------------------------------------------------------------------------------------------
  function take({ principal, details, key }: messages.ReportInput): void {
    reports += 1;
    lastReportMs = Date.now();
    journal.report(details, key);
    if (details.progress !== undefined) change({ progress: Math.round(details.progress) });
    if (typeof details.tokens_used === 'number') {
      told.tokens = true;
      change({ tokens: details.tokens_used });
    }
    if (typeof details.cost_micro_usd === 'number') {
      told.cost = true;
      change({ cost_micro_usd: details.cost_micro_usd });
    }
    if (state.waiting_on !== null) {
      note('mission.wait_ended', { kind: state.waiting_on.kind }, actorOf(principal));
      change({ waiting_on: null });
    }
  }

  function tellProgress(): void {
    if (untold === 0) return;
    note('mission.progress', { progress: state.progress, message: latest.message, reports: untold }, latest.actor);
    untold = 0;
    lastEventMs = Date.now();
  }

  function conclude(how: MissionEnd, actor: Actor): void {
    tellProgress();
    end = how;
    change({
      status: how.status, outcome: how.outcome, ended_reason: how.reason, ended_at: new Date().toISOString(), waiting_on: null,
      usage_unreported: told.tokens && told.cost ? 0 : 1, ...(how.status === 'resolved' ? { progress: 100 } : {}),
    });
    note('mission.status_changed', { ...how }, actor);
  }

  // ---- messages ----------------------------------------------------------------------------------------------
  const validator = (input: messages.SteerInput): void => requireFresh(missionId, state.status, input);

  /** Carries out one message. What ended the mission while this one waited for its turn was first. */
  async function handle(apply: () => void): Promise<messages.ReportAnswer> {
    await condition(() => began);
    if (end !== null) refuse('MISSION_ENDED', `${missionId} is ${state.status}`);
    apply();
    await flush();
    return { status: state.status, progress: state.progress };
  }

  setHandler(messages.whenRunning, async () => {
    await condition(() => began);
    return { status: state.status, progress: state.progress };
  });

  setHandler(messages.progress, (input) => handle(() => {
    take(input);
    untold += 1;
    latest = { actor: actorOf(input.principal), message: input.details.message ?? null };
    if (Date.now() - lastEventMs >= eventIntervalMs) tellProgress();
  }), { validator });

  setHandler(messages.complete, (input) => handle(() => {
    take(input);
    conclude({ status: 'resolved', outcome: 'completed', reason: `reported complete by ${input.principal.id}` }, actorOf(input.principal));
  }), { validator });

  setHandler(messages.fail, (input) => handle(() => {
    take(input);
    conclude({ status: 'escalated', outcome: 'failed', reason: input.reason ?? 'no reason was given' }, actorOf(input.principal));
  }), { validator });

  const cancelled = (reason: string | null): MissionEnd => ({ status: 'aborted', outcome: 'cancelled', reason: reason ?? 'no reason was given' });

  setHandler(messages.cancel, (input) => handle(() => {
    take(input);
    conclude(cancelled(input.reason), actorOf(input.principal));
  }), { validator });

  setHandler(messages.abort, async (input) => {
    await handle(() => {
      note('mission.abort_requested', { reason: input.reason }, actorOf(input.principal));
      conclude(cancelled(input.reason), actorOf(input.principal));
    });
    return { takes_effect: 'at once' };
  }, { validator });

  setHandler(messages.state, () => ({ ...state, stages: [] }));

  // ---- time --------------------------------------------------------------------------------------------------
  function stall(): void {
    const since = new Date(lastReportMs).toISOString();
    const reason = `no report for ${pack.tracked.stale_after_minutes} min, since ${since}`;
    change({
      waiting_on: {
        kind: 'agent', reason, who: 'whoever works on it, by a report; an operator, by cancel or abort',
        since: new Date().toISOString(), deadline: null, on_deadline: null,
      },
    });
    note('mission.stalled', {
      reason: `${reason}; ${pack.assigned_to === null ? 'assigned to nobody' : `assigned to ${pack.assigned_to}`}, sent by ${pack.created_by}`,
      last_report_at: since, stale_after_minutes: pack.tracked.stale_after_minutes, assigned_to: pack.assigned_to, created_by: pack.created_by,
    });
  }

  /** When there is something to do without a message: tell of progress, or notice that nobody reports. */
  function dueMs(): number {
    const stale = state.waiting_on === null ? lastReportMs + staleMs : Infinity;
    return untold === 0 ? stale : Math.min(stale, lastEventMs + eventIntervalMs);
  }

  const ended = (): boolean => end !== null;
  const runIsFull = (): boolean => reports >= reportsPerRun || workflowInfo().continueAsNewSuggested;

  try {
    if (!began) {
      change({ status: 'in_progress', started_at: new Date().toISOString() });
      note('mission.started', {});
      await flush();
      began = true;
    }
    while (!ended()) {
      const armed = dueMs();
      // Reports put the time off; only what is due earlier than the timer ends the wait.
      const ready = (): boolean => ended() || runIsFull() || dueMs() < armed;
      if (armed === Infinity) await condition(ready);
      else await condition(ready, Math.max(1, armed - Date.now()));
      if (ended()) break;
      if (Date.now() >= lastEventMs + eventIntervalMs || runIsFull()) tellProgress();
      if (state.waiting_on === null && Date.now() >= lastReportMs + staleMs) stall();
      await flush();
      if (!runIsFull()) continue;
      await condition(allHandlersFinished);
      // Whatever a handler noted it has written; a report that came meanwhile is seen by another turn.
      if (!ended() && untold === 0) {
        await continueAsNew<typeof trackedMission>({ package: pack, carried: { journal: journal.carry(), last_report_ms: lastReportMs, told } });
      }
    }
  } catch (error) {
    if (!isCancellation(error)) throw error;
    if (!ended()) conclude(cancelled('the workflow was cancelled in Temporal'), systemActor('worker'));
  }
  await CancellationScope.nonCancellable(async () => {
    await flush();
    await main.tellDependents(missionId);
    await condition(allHandlersFinished);
  });
  return end!;
}
