/** What a mission has done and not yet written: state, stages and events, noted as they happen, written together. */
import { CancellationScope, workflowInfo } from '@temporalio/workflow';
import { systemActor, type Actor } from '../domain/actor.ts';
import type { AgentWorkChange } from '../domain/agent-work.ts';
import type { Approval } from '../domain/approval.ts';
import type { EventType } from '../domain/event.ts';
import type { MissionContext, RemediationEvent } from '../domain/mission-package.ts';
import type { MissionState } from '../domain/mission-view.ts';
import { eventKey, type MissionRecord, type Noted, type StateChange } from '../domain/record.ts';
import type { StageRecord } from '../domain/stages.ts';
import type { ReportedDetails, ReportKey } from '../domain/tracked.ts';
import { main, recording } from './activities.ts';

export interface Journal {
  readonly state: Readonly<Omit<MissionState, 'updated_at'>>;
  /** Every attempt of every stage, in order. */
  readonly stages: StageRecord[];
  /** Notes a change of state; it is written with the next record. */
  change: (state: StateChange) => void;
  note: (type: EventType, payload: Record<string, unknown>, actor?: Actor) => void;
  saveStage: (stage: StageRecord) => void;
  remember: (entry: Omit<RemediationEvent, 'at'>) => void;
  setContext: (context: MissionContext) => void;
  saveApproval: (approval: Approval) => void;
  /** Notes what somebody reports about work that is done elsewhere. */
  report: (details: ReportedDetails, key: ReportKey | null) => void;
  /** Notes what changed of its work for agents elsewhere. */
  agentWork: (change: Partial<AgentWorkChange>) => void;
  /** What the next run of a long life goes on from. Nothing may be left to write. */
  carry: () => CarriedJournal;
  /** Writes everything noted so far in one transaction. */
  flush: () => Promise<void>;
}

export interface CarriedJournal { state: Omit<MissionState, 'updated_at'>; seq: number }

/** Noted and not yet written: a record without its number, and its events without their keys. */
type Pending = Omit<MissionRecord, 'mission_id' | 'seq' | 'events'> & { events: Noted[] };

export function openJournal(missionId: string, carried?: CarriedJournal): Journal {
  const info = workflowInfo();
  const stages: StageRecord[] = [];
  const remediation: RemediationEvent[] = [];
  const state: Omit<MissionState, 'updated_at'> = {
    status: 'open', outcome: null, stage: null, progress: 0, paused: false, waiting_on: null, tokens: 0,
    cost_micro_usd: 0, usage_unreported: 0, landed_commit: null, landed_tree: null, capa_id: null, ended_reason: null,
    started_at: null, ended_at: null, ...carried?.state,
  };

  let seq = carried?.seq ?? 0;
  const nothing = (): Pending => ({ state: {}, stages: [], events: [] });
  let pending = nothing();
  let pendingApproval: Approval | null = null;
  let latestApproval: Approval | null = null;
  let dirty = false;
  let flushing: Promise<void> = Promise.resolve();

  const numbered = (changes: Pending): MissionRecord => ({
    mission_id: missionId, ...changes, seq,
    events: changes.events.map((event, index) => ({ ...event, idempotency_key: eventKey(missionId, event, { seq, place: index + 1 }) })),
  });

  /** Whether nobody may read this before the history has it: what somebody said to the mission, or how it ended. */
  const binds = ({ events, report, state: changed }: Pending): boolean =>
    report !== undefined || typeof changed.ended_at === 'string' || events.some(({ actor }) => actor.role !== 'system');

  /**
   * A workflow task that is lost with its worker is done again, with the messages that came meanwhile: what a local
   * activity had recorded may not be what is recorded now. What it wrote stands where this says the same; where it says
   * something else this is written after it, with all that the journal holds.
   */
  async function write(changes: Pending, approval: Approval | null): Promise<void> {
    seq += 1;
    let overtaken = await recording(binds(changes)).write({ record: numbered(changes), approval });
    while (overtaken) {
      seq = overtaken.last + 1;
      const all: Pending = { ...changes, whole: true, state: { ...state }, stages: stages.map((stage) => ({ ...stage })), remediation: [...remediation] };
      // Never a local activity: one of a worker that slept through its turn would put its story over its successor's.
      overtaken = await main.write({ record: numbered(all), approval: latestApproval });
    }
  }

  return {
    state, stages,
    change(changes) {
      Object.assign(state, changes);
      Object.assign(pending.state, changes);
      dirty = true;
    },
    note(type, payload, actor = systemActor('worker')) {
      const current = state.stage === null ? undefined : stages.findLast((stage) => stage.name === state.stage);
      pending.events.push({
        type, actor, payload,
        subject: {
          mission_id: missionId, workflow_id: info.workflowId, run_id: info.runId,
          stage: current?.name ?? null, attempt: current?.attempt ?? null,
        },
      });
      dirty = true;
    },
    saveStage(stage) {
      const copy = { ...stage };
      const at = pending.stages.findIndex((s) => s.name === stage.name && s.attempt === stage.attempt);
      if (at >= 0) pending.stages[at] = copy;
      else pending.stages.push(copy);
      dirty = true;
    },
    remember(entry) {
      remediation.push({ at: new Date().toISOString(), ...entry });
      pending.remediation = [...remediation];
      dirty = true;
    },
    setContext(context) {
      pending.context = context;
      dirty = true;
    },
    saveApproval(approval) {
      latestApproval = { ...approval, decisions: [...approval.decisions] };
      pendingApproval = latestApproval;
      dirty = true;
    },
    report(details, key) {
      const { details: before, keys } = pending.report ?? { details: {}, keys: [] };
      const metadata = before.metadata && details.metadata ? { metadata: { ...before.metadata, ...details.metadata } } : {};
      pending.report = { details: { ...before, ...details, ...metadata }, keys: key === null ? keys : [...keys, key], at: new Date().toISOString() };
      dirty = true;
    },
    agentWork({ mission, leases = [], patches = [] }) {
      const before = pending.agent_work ?? { mission: {}, leases: [], patches: [] };
      pending.agent_work = {
        mission: { ...before.mission, ...mission }, leases: [...before.leases, ...leases], patches: [...before.patches, ...patches.map((patch) => ({ ...patch }))],
      };
      dirty = true;
    },
    carry: () => ({ state: { ...state }, seq }),
    /** Records are written one after the other, whoever asks: handlers interleave with the pipeline at every await. */
    flush() {
      flushing = flushing.then(async () => {
        if (!dirty) return;
        const [changes, approval] = [pending, pendingApproval];
        pending = nothing();
        pendingApproval = null;
        dirty = false;
        await CancellationScope.nonCancellable(() => write(changes, approval));
      });
      return flushing;
    },
  };
}
