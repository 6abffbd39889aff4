/** The only writers of mission state and events. Keyed, so that a retry writes once. */
import { WorkflowExecutionAlreadyStartedError, WorkflowNotFoundError } from '@temporalio/client';
import type { Approval } from '../domain/approval.ts';
import { systemActor } from '../domain/actor.ts';
import type { CapaSource } from '../domain/capa.ts';
import type { LandingRequest, QueueEvent, QueueRow } from '../domain/landing.ts';
import type { MissionStatus } from '../domain/mission.ts';
import { sayingOf, type MissionRecord, type Overtaken } from '../domain/record.ts';
import { digestOf } from '../ledger/canonical.ts';
import { once } from '../store/effects.ts';
import { saveApproval, withdrawApprovals } from '../store/approvals.ts';
import { openCapa } from '../store/capas.ts';
import { applyRecord, dependenciesOf, runningDependents, unstartedMissions } from '../store/missions.ts';
import { expireLease, saveAgentWork } from '../store/agent-work.ts';
import { saveQueue } from '../store/merge-queues.ts';
import { hostAlive } from '../store/presence.ts';
import { saveReport } from '../store/tracked.ts';
import { mergeQueueStart } from '../engine/merge-queue.ts';
import { startMission } from '../engine/start-mission.ts';
import { tellCapa } from '../engine/tell-capa.ts';
import { tellUntold } from './capa.ts';
import type { ActivityDeps } from './deps.ts';
import { endLostMissions } from './lost-missions.ts';

export interface CapaRequest {
  /** Mission, stage and attempt that ask for it. */
  key: string;
  source: CapaSource;
  fingerprint: string;
  mission_id: string;
  subsystem_id: string;
  problem_statement: string;
  evidence: string[];
}

export const recordActivities = ({ config, database, temporal, hostQueue, logger }: ActivityDeps) => ({
  /** The queue of the host that takes a mission's checkout: the one whose worker runs this. */
  async chooseHost(): Promise<string> {
    return hostQueue;
  },

  /** Whether anybody takes a host's work now, and how long it may be away before its missions go on elsewhere. */
  async hostState(queue: string): Promise<{ alive: boolean; grace_seconds: number }> {
    return { alive: await hostAlive(database.query, queue), grace_seconds: config.hostGraceSeconds };
  },

  /** What people see of a merge queue. */
  async writeQueue(input: { row: QueueRow; event: QueueEvent | null }): Promise<void> {
    await saveQueue(database, input);
  },

  /**
   * State, stages, approval, report and events of one step, in one transaction.
   * @returns the last record's number, when something else is written under this one's; null when this one is written
   */
  async write({ record, approval }: { record: MissionRecord; approval: Approval | null }): Promise<Overtaken | null> {
    return database.transaction(async (query) => {
      const result = await applyRecord(query, record, digestOf(sayingOf(record, approval)).slice(-12));
      if (typeof result === 'object') return result;
      if (result === 'unchanged') return null;
      if (record.whole) await withdrawApprovals(query, record.mission_id);
      if (approval !== null) await saveApproval(query, approval);
      await saveReport(query, record);
      await saveAgentWork(query, record);
      return null;
    });
  },

  /** Ends a lease whose time is over. @returns milliseconds that are left of it, 0 when it is over */
  async expireLease(leaseId: string): Promise<number> {
    return expireLease(database.query, leaseId);
  },

  /** Opens a CAPA once for its key. */
  async openCapaOnce(input: CapaRequest): Promise<string> {
    const id = await database.transaction(async (query) => {
      // Two runs of this activity at once would otherwise both open, one of them as a recurrence.
      await query('SELECT pg_advisory_xact_lock(hashtextextended($1, 0))', [input.key]);
      return once(query, `capa:${input.key}`, () => openCapa(query, { ...input, actor: systemActor('worker') }));
    });
    // The record is what the mission needs; its workflow is started by the reconciler if not now.
    await tellCapa(temporal, database.query, id).catch((error: Error) => logger.warn({ event: 'capa.not_told', capa_id: id, reason: error.message }));
    return id;
  },

  async dependencies(missionId: string): Promise<{ mission_id: string; status: MissionStatus }[]> {
    return dependenciesOf(database.query, missionId);
  },

  /** Tells the missions that wait for this one that it has ended; one that is gone by now needs no telling. */
  async tellDependents(missionId: string): Promise<void> {
    for (const dependent of await runningDependents(database.query, missionId)) {
      try {
        await temporal.workflow.getHandle(dependent).signal('dependencyEnded', missionId);
      } catch (error) {
        if (!(error instanceof WorkflowNotFoundError)) throw error;
      }
    }
  },

  /** Hands a landing to its queue, starting the queue if it sleeps. A repeat is recognised by `request_id`. */
  async queueLanding(request: LandingRequest): Promise<void> {
    await temporal.workflow.signalWithStart('mergeQueue', {
      ...mergeQueueStart(request.repository_id, request.target_branch),
      signal: 'enqueueLanding',
      signalArgs: [request],
    });
  },

  /**
   * Starts what was asked for and not started, missions and CAPA records: what a crash between row and start left behind.
   * Ends missions that Temporal has lost.
   */
  async startUnstarted(): Promise<number> {
    const missions = await unstartedMissions(database.query, 100);
    let started = 0;
    for (const mission of missions) {
      try {
        await startMission(temporal, mission);
        started += 1;
      } catch (error) {
        if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
      }
    }
    if (started > 0) logger.info({ event: 'missions.reconciled', started });
    const lost = await endLostMissions({ database, temporal, logger });
    return started + lost + await tellUntold({ database, temporal });
  },
});
