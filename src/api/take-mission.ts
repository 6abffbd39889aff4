/** Taking missions from the queue, over HTTP: who may, who holds one until when, and letting it go again. */
import type { Principal } from '../domain/actor.ts';
import type { ClaimAnswer, Lease } from '../domain/agent-work.ts';
import { hasRole } from '../domain/agent.ts';
import { isTerminal } from '../domain/mission.ts';
import { refuseAgent, trustOf } from '../domain/trust.ts';
import { asQueued, firstMissionFor, queuedMissions, type QueuedMission, type QueueNeed } from '../store/agent-queue.ts';
import { extendLease, heldLease, leaseById } from '../store/agent-work.ts';
import { findAgent } from '../store/agents.ts';
import type { MissionRow } from '../store/missions.ts';
import { outcomesOf } from '../store/trust.ts';
import * as messages from '../workflows/messages.ts';
import type { ApiDeps } from './context.ts';
import { update, validUntil } from './engine.ts';
import { executeMission } from './execute-mission.ts';
import { missionOf } from './find-mission.ts';
import { Problem } from './problem.ts';

export interface AgentAsking { id: string; role: string | null; score: number }

export const trustScore = async ({ database }: Pick<ApiDeps, 'database'>, id: string): Promise<number> =>
  trustOf(id, await outcomesOf(database.query, id), Date.now()).score;

export interface Next {
  mission_id: string | null;
  reason: string;
  /** Where to POST to take it. */
  take: string | null;
  passed_over: { mission_id: string; reason: string }[];
}

/** How much of the queue is looked at at once, and of how much of it an agent is told why it is not for it. */
const headOfQueue = 20;
const explained = 200;

/** The most urgent mission that the agent may take, with those before it and why not those; or why there is none. */
export async function nextFor({ database }: Pick<ApiDeps, 'database'>, agent: AgentAsking, need: QueueNeed): Promise<Next> {
  const head = await refusalsUntilOne(await queuedMissions(database.query, need, headOfQueue), agent);
  if (head.found !== undefined) return answerOf(head.found, head.passed_over);
  if (head.passed_over.length < headOfQueue) return nothingFor(agent, head.passed_over);
  const deeper = await firstMissionFor(database.query, need, agent);
  if (deeper !== undefined) return answerOf(deeper, head.passed_over);
  return nothingFor(agent, (await refusalsUntilOne(await queuedMissions(database.query, need, explained), agent)).passed_over);
}

async function refusalsUntilOne(missions: readonly QueuedMission[], agent: AgentAsking) {
  const passed_over: Next['passed_over'] = [];
  for (const mission of missions) {
    const reason = refuseAgent(mission, agent);
    if (reason === null) return { found: mission, passed_over };
    passed_over.push({ mission_id: mission.mission_id, reason });
  }
  return { found: undefined, passed_over };
}

const answerOf = (mission: QueuedMission, passed_over: Next['passed_over']): Next =>
  ({ mission_id: mission.mission_id, reason: `severity ${mission.severity}, the oldest of these`, take: takenBy(mission), passed_over });

const nothingFor = ({ id }: AgentAsking, passed_over: Next['passed_over']): Next => ({
  mission_id: null, take: null, passed_over,
  reason: passed_over.length === 0 ? 'no mission is waiting' : `none of ${passed_over.length} waiting missions is for ${id}`,
});

/** A mission that has its patch is only to be started; a tracked one is worked on without us. */
function takenBy({ mission_id: id, mission_type, offered, has_candidates }: QueuedMission): string {
  if (mission_type === 'tracked') return `/api/missions/${id}/start`;
  return offered || !has_candidates ? `/mission-control/queue/${id}/claim` : `/mission-control/missions/${id}/execute`;
}

export interface Claim { agent_id: string; agent_role: string | null; lease_seconds: number }

/**
 * Gives the mission to the agent for a time, starting it if nobody has. Who holds it already gets the same lease.
 * @throws Problem NOT_YOUR_AGENT_ID, ROLE_UNPROVED, NOT_FOR_THIS_AGENT, LEASE_HELD, MISSION_NOT_WAITING, MISSION_PREPARING, WORKER_UNAVAILABLE
 */
export async function claimMission(deps: ApiDeps, id: string, claim: Claim, principal: Principal): Promise<{ lease: Lease } & ClaimAnswer> {
  requireOwnId(claim.agent_id, principal);
  await requireRole(deps, claim);
  const row = await missionOf(deps, id);
  if (isTerminal(row.status)) throw new Problem(409, 'MISSION_ENDED', `${id} is ${row.status}`);
  const queued = (await asQueued(deps.database.query, id))!;
  const score = await trustScore(deps, principal.id);
  const refusal = refuseAgent(queued, { id: principal.id, role: claim.agent_role, score });
  if (refusal !== null) throw new Problem(409, 'NOT_FOR_THIS_AGENT', `${id} is not for ${principal.id}: ${refusal}`);
  await refuseHeld(deps, id, principal);
  await refuseUnclaimable(deps, row, queued);
  if (row.status === 'open') await executeMission(deps, id, principal);
  try {
    const answer = await update(deps, id, messages.claim, {
      principal, agent_role: claim.agent_role, lease_seconds: claim.lease_seconds, valid_until: validUntil(),
    });
    return { ...answer, lease: (await leaseById(deps.database.query, answer.lease_id))! };
  } catch (error) {
    // Another one was faster: its row says until when.
    if (error instanceof Problem && error.code === 'LEASE_HELD') await refuseHeld(deps, id, principal);
    throw error;
  }
}

function requireOwnId(agentId: string, { id }: Principal): void {
  if (agentId === id) return;
  throw new Problem(403, 'NOT_YOUR_AGENT_ID', `your key is ${id}'s: nobody works under another name`, [{ path: 'agent_id', message: `must be ${id}` }]);
}

/** A role that anybody could claim to have would open every mission to everybody. */
async function requireRole({ config }: ApiDeps, { agent_id, agent_role: role }: Claim): Promise<void> {
  if (role === null || hasRole(await findAgent(config.configFolder, agent_id) ?? null, role)) return;
  throw new Problem(403, 'ROLE_UNPROVED', `${agent_id} is not registered with the role ${role}: config/agents.yaml says who has which`, [{ path: 'agent_role', message: 'not among its roles' }]);
}

async function refuseHeld({ database }: ApiDeps, id: string, principal: Principal): Promise<void> {
  const held = await heldLease(database.query, id);
  if (held === undefined || held.agent_id === principal.id) return;
  throw new Problem(409, 'LEASE_HELD', `${held.agent_id} holds ${id} until ${held.expires_at}`);
}

/** What is refused before it would be started for nothing. */
async function refuseUnclaimable({ config }: ApiDeps, { status, package: pack }: MissionRow, queued: QueuedMission): Promise<void> {
  const { mission_id: id, mission_type: type, assigned_to: assigned } = pack;
  if (type !== 'coding') throw new Problem(409, 'MISSION_NOT_CLAIMABLE', `${id} is a ${type} mission; ${type === 'tracked' ? `POST ${takenBy(queued)} starts it` : 'no agent sends it patches'}`);
  if (status === 'open' && queued.has_candidates) throw new Problem(409, 'MISSION_NOT_CLAIMABLE', `${id} has candidates of its own; POST ${takenBy(queued)} starts it`);
  if (assigned !== null && (await findAgent(config.configFolder, assigned))?.kind !== 'queue') {
    throw new Problem(409, 'MISSION_NOT_CLAIMABLE', `${id} is assigned to ${assigned}, which config/agents.yaml does not name with kind: queue`);
  }
}

/** @throws Problem LEASE_NOT_FOUND, NOT_YOUR_AGENT_ID */
async function ownLease({ database }: ApiDeps, missionId: string, leaseId: string, principal: Principal): Promise<Lease> {
  const lease = await leaseById(database.query, leaseId);
  if (lease === undefined || lease.mission_id !== missionId) throw new Problem(404, 'LEASE_NOT_FOUND', `there is no lease ${leaseId} of ${missionId}`, [{ path: 'lease_id', message: 'not there' }]);
  requireOwnId(lease.agent_id, principal);
  return lease;
}

const leaseLost = ({ lease_id, mission_id, ended_at, expires_at, end_reason }: Lease): Problem =>
  new Problem(409, 'LEASE_LOST', `${lease_id} of ${mission_id} is over since ${ended_at ?? expires_at}: ${(end_reason ?? 'expired').replaceAll('_', ' ')}; claim it again if it waits`);

/** The agent's lease while it lasts. @throws Problem LEASE_LOST */
export async function requireLease(deps: ApiDeps, missionId: string, leaseId: string, principal: Principal): Promise<Lease> {
  const lease = await ownLease(deps, missionId, leaseId, principal);
  if (lease.ended_at !== null || (await heldLease(deps.database.query, missionId))?.lease_id !== leaseId) throw leaseLost(lease);
  return lease;
}

/** Puts the end of a lease off, from now on. @throws Problem LEASE_LOST */
export async function keepLease(deps: ApiDeps, missionId: string, leaseId: string, seconds: number | undefined, principal: Principal): Promise<Lease> {
  const lease = await ownLease(deps, missionId, leaseId, principal);
  const extended = await extendLease(deps.database.query, leaseId, seconds ?? lease.lease_seconds);
  if (extended === undefined) throw leaseLost((await leaseById(deps.database.query, leaseId))!);
  return extended;
}

/** Ends a lease; a repeat gets the same answer. @throws Problem LEASE_LOST */
export async function giveBack(deps: ApiDeps, missionId: string, leaseId: string, principal: Principal): Promise<Lease> {
  const lease = await ownLease(deps, missionId, leaseId, principal);
  if (lease.end_reason === 'given_back') return lease;
  if (lease.ended_at !== null) throw leaseLost(lease);
  await update(deps, missionId, messages.giveBack, { principal, lease_id: leaseId, valid_until: validUntil() });
  return (await leaseById(deps.database.query, leaseId))!;
}
