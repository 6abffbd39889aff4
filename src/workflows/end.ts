/** How a mission ends: resolved, escalated with a CAPA, aborted; written once, its worktree freed. */
import { CancellationScope, isCancellation, log } from '@temporalio/workflow';
import type { CapaSource } from '../domain/capa.ts';
import type { CodingPackage, MissionPackage } from '../domain/mission-package.ts';
import type { MissionOutcome, MissionStatus } from '../domain/mission.ts';
import { cleanUp, record } from './activities.ts';
import { MissionAborted, MissionEscalated } from './interrupts.ts';
import type { Mission } from './mission.ts';

export interface MissionEnd { status: MissionStatus; outcome: MissionOutcome; reason: string }

/** Opens the CAPA with everything learned. */
export async function escalate(mission: Mission<MissionPackage>, source: CapaSource, reason: string, outcome: MissionOutcome = 'failed'): Promise<MissionEnd> {
  const pack = mission.package;
  const capa = await record.openCapaOnce({
    key: `${pack.mission_id}:${source}`, source, fingerprint: `${source}:${pack.mission_id}`, mission_id: pack.mission_id,
    subsystem_id: pack.subsystem_id, problem_statement: `${pack.title}: ${reason}`.slice(0, 10_000),
    evidence: mission.stages.flatMap((stage) => stage.evidence).map((item) => item.sha256),
  });
  mission.change({ capa_id: capa });
  return { status: 'escalated', outcome, reason };
}

/** What an exception that left the pipeline means. */
export async function endOf(mission: Mission<MissionPackage>, error: unknown): Promise<MissionEnd> {
  if (error instanceof MissionAborted) return aborted(mission, error.message);
  if (isCancellation(error)) return aborted(mission, 'the workflow was cancelled in Temporal');
  if (error instanceof MissionEscalated) {
    return CancellationScope.nonCancellable(() => escalate(mission, 'escalation', error.message));
  }
  throw error;
}

function aborted(mission: Mission<MissionPackage>, reason: string): MissionEnd {
  const landed = mission.state.landed_commit;
  return {
    status: 'aborted', outcome: 'cancelled',
    reason: landed === null ? reason : `${reason} (${landed} stays landed; revert it by a mission of its own)`,
  };
}

/** Frees the worktree. A host that is gone for good must not keep an ended mission: ended missions' slots are free anyway. */
export async function release(pack: CodingPackage, hostQueue: string): Promise<void> {
  try {
    await cleanUp(hostQueue).releaseWorkspace({ mission_id: pack.mission_id, repository_id: pack.workspace.repository_id });
  } catch (error) {
    log.warn('the worktree was not released', { mission_id: pack.mission_id, error: String(error) });
  }
}

export async function finish(mission: Mission<MissionPackage>, end: MissionEnd): Promise<void> {
  mission.change({
    status: end.status, outcome: end.outcome, ended_reason: end.reason, ended_at: new Date().toISOString(),
    waiting_on: null, paused: false, ...(end.status === 'resolved' ? { progress: 100 } : {}),
  });
  mission.note('mission.status_changed', { status: end.status, outcome: end.outcome, reason: end.reason });
  await mission.flush();
}
