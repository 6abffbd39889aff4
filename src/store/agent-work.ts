/** Leases of missions and the patches that agents post. Times of leases are this database's: one clock for everybody. */
import type { AgentPatch, Lease } from '../domain/agent-work.ts';
import type { MissionRecord } from '../domain/record.ts';
import type { Query } from './database.ts';
import { storable, toJson } from './json.ts';

const leaseColumns = 'lease_id, mission_id, agent_id, agent_role, lease_seconds, granted_at, expires_at, ended_at, end_reason';
const patchColumns = `mission_id, number, lease_id, agent_id, kind, artifact, size_bytes, tokens, cost_micro_usd, state, reason, stages, again,
  posted_at, ended_at`;

/** Writes what a record says of leases and patches, in the record's own transaction. */
export async function saveAgentWork(query: Query, { agent_work: work }: MissionRecord): Promise<void> {
  for (const lease of work?.leases ?? []) {
    await query(
      `INSERT INTO agent_leases (lease_id, mission_id, agent_id, agent_role, lease_seconds, granted_at, expires_at, ended_at, end_reason)
       VALUES ($1, $2, $3, $4, $5, $6, clock_timestamp() + make_interval(secs => $5), $7, $8)
       ON CONFLICT (lease_id) DO UPDATE SET agent_id = EXCLUDED.agent_id, agent_role = EXCLUDED.agent_role,
         ended_at = coalesce(agent_leases.ended_at, EXCLUDED.ended_at), end_reason = coalesce(agent_leases.end_reason, EXCLUDED.end_reason)`,
      [lease.lease_id, lease.mission_id, lease.agent_id, lease.agent_role, lease.lease_seconds, lease.granted_at, lease.ended_at, lease.end_reason]);
  }
  for (const patch of work?.patches ?? []) {
    await query(
      `INSERT INTO agent_patches (${patchColumns}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
       ON CONFLICT (mission_id, number) DO UPDATE SET lease_id = EXCLUDED.lease_id, agent_id = EXCLUDED.agent_id, kind = EXCLUDED.kind,
         artifact = EXCLUDED.artifact, size_bytes = EXCLUDED.size_bytes, tokens = EXCLUDED.tokens, cost_micro_usd = EXCLUDED.cost_micro_usd,
         state = EXCLUDED.state, reason = EXCLUDED.reason, stages = EXCLUDED.stages, again = EXCLUDED.again,
         posted_at = EXCLUDED.posted_at, ended_at = EXCLUDED.ended_at`,
      [patch.mission_id, patch.number, patch.lease_id, patch.agent_id, patch.kind, patch.artifact, patch.size_bytes, patch.tokens,
        patch.cost_micro_usd, patch.state, storable(patch.reason), toJson(patch.stages), patch.again, patch.posted_at, patch.ended_at]);
  }
}

export async function leaseById(query: Query, leaseId: string): Promise<Lease | undefined> {
  const [lease] = await query<Lease>(`SELECT ${leaseColumns} FROM agent_leases WHERE lease_id = $1`, [leaseId]);
  return lease;
}

/** Who holds the mission, if anybody does. */
export async function heldLease(query: Query, missionId: string): Promise<Lease | undefined> {
  const [lease] = await query<Lease>(
    `SELECT ${leaseColumns} FROM agent_leases WHERE mission_id = $1 AND ended_at IS NULL AND expires_at > clock_timestamp()`, [missionId]);
  return lease;
}

/** Moves the end of a lease that is not over. @returns undefined when it is */
export async function extendLease(query: Query, leaseId: string, seconds: number): Promise<Lease | undefined> {
  const [lease] = await query<Lease>(
    `UPDATE agent_leases SET expires_at = clock_timestamp() + make_interval(secs => $2), lease_seconds = $2
      WHERE lease_id = $1 AND ended_at IS NULL AND expires_at > clock_timestamp() RETURNING ${leaseColumns}`, [leaseId, seconds]);
  return lease;
}

/**
 * Ends a lease whose time is over; nobody extends it from then on.
 * @returns milliseconds that are left of it; 0 when it is over
 */
export async function expireLease(query: Query, leaseId: string): Promise<number> {
  await query(
    `UPDATE agent_leases SET ended_at = clock_timestamp(), end_reason = 'expired'
      WHERE lease_id = $1 AND ended_at IS NULL AND expires_at <= clock_timestamp()`, [leaseId]);
  const [row] = await query<{ left_ms: number }>(
    `SELECT CASE WHEN ended_at IS NULL THEN ceil(extract(epoch FROM expires_at - clock_timestamp()) * 1000)::double precision ELSE 0 END AS left_ms
       FROM agent_leases WHERE lease_id = $1`, [leaseId]);
  return Math.max(0, row?.left_ms ?? 0);
}

export async function patchesOf(query: Query, missionId: string): Promise<AgentPatch[]> {
  return query<AgentPatch>(`SELECT ${patchColumns} FROM agent_patches WHERE mission_id = $1 ORDER BY number`, [missionId]);
}

export async function findPatch(query: Query, missionId: string, number: number): Promise<AgentPatch | undefined> {
  const [patch] = await query<AgentPatch>(`SELECT ${patchColumns} FROM agent_patches WHERE mission_id = $1 AND number = $2`, [missionId, number]);
  return patch;
}

/** What the mission's agent is told now, as an artefact, and the commit it starts from; undefined before it was offered. */
export async function briefOf(query: Query, missionId: string): Promise<{ brief: string; base_commit: string } | undefined> {
  const [row] = await query<{ brief: string; base_commit: string }>(
    'SELECT brief, base_commit FROM missions WHERE mission_id = $1 AND brief IS NOT NULL', [missionId]);
  return row;
}
