/** Missions whose workflow Temporal does not have any more: found here, ended here, in one transaction. */
import type { Actor } from '../domain/actor.ts';
import type { Query } from './database.ts';
import { withdrawApprovals } from './approvals.ts';
import { openCapa } from './capas.ts';
import { insertEvents } from './events.ts';
import { fencedSeq } from './missions.ts';

export interface RunningMission { mission_id: string; subsystem_id: string; title: string; landed_commit: string | null }

/** Begun and not ended, drawn by chance: however many there are, each is looked at before long. */
export async function someRunning(query: Query, limit: number): Promise<RunningMission[]> {
  return query<RunningMission>(
    `SELECT mission_id, subsystem_id, package->>'title' AS title, landed_commit FROM missions
      WHERE status IN ('in_progress', 'observing') ORDER BY random() LIMIT $1`, [limit]);
}

/**
 * Escalates the mission with a CAPA, its open stage ended as failed, its open approval withdrawn. Safe to repeat. Should
 * the workflow come back with a restored engine, it writes nothing any more.
 * @returns false when it has ended meanwhile
 */
export async function endLost(query: Query, mission: RunningMission, reason: string, actor: Actor): Promise<boolean> {
  const id = mission.mission_id;
  const [ended] = await query<{ stage: string | null }>(
    `UPDATE missions SET status = 'escalated', outcome = 'failed', ended_reason = $2, waiting_on = NULL, paused = false,
            ended_at = clock_timestamp(), updated_at = clock_timestamp(), record_seq = ${fencedSeq}
      WHERE mission_id = $1 AND status IN ('in_progress', 'observing') RETURNING stage`, [id, reason]);
  if (ended === undefined) return false;
  const stages = await query<{ name: string; attempt: number }>(
    `UPDATE mission_stages SET status = 'failed', reason = $2, ended_at = clock_timestamp(),
            duration_ms = (extract(epoch FROM clock_timestamp() - started_at) * 1000)::integer
      WHERE mission_id = $1 AND ended_at IS NULL RETURNING name, attempt`, [id, reason]);
  await withdrawApprovals(query, id);
  const capa = await openCapa(query, {
    source: 'escalation', fingerprint: `engine_state_lost:${id}`, mission_id: id, subsystem_id: mission.subsystem_id,
    problem_statement: `${mission.title}: ${reason}`.slice(0, 10_000), evidence: [], actor,
  });
  await query('UPDATE missions SET capa_id = $2 WHERE mission_id = $1', [id, capa]);
  const subject = { mission_id: id, workflow_id: id, run_id: null, stage: ended.stage, attempt: null };
  await insertEvents(query, [
    ...stages.map(({ name, attempt }) => ({
      type: 'stage.ended' as const, actor, subject: { ...subject, stage: name, attempt },
      payload: { stage: name, attempt, outcome: 'failed', reason, evidence: [] }, idempotency_key: `${id}:lost:${name}:${attempt}`,
    })),
    {
      type: 'mission.status_changed', actor, subject,
      payload: { status: 'escalated', outcome: 'failed', reason }, idempotency_key: `${id}:lost`,
    },
  ]);
  return true;
}
