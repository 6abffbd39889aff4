/** The queue for agents: missions that wait for one, and those that nobody has started. Most severe first, then oldest. */
import type { Severity } from '../domain/mission.ts';
import type { Query } from './database.ts';

export interface QueuedMission {
  mission_id: string;
  mission_type: string;
  severity: Severity;
  offered: boolean;
  has_candidates: boolean;
  required_trust_score: number;
  allowed_roles: string[];
  assigned_to: string | null;
  open_dependencies: string[];
}

/** `patch`: only what an agent can claim, which is what has no patch yet. */
export type QueueNeed = 'patch' | 'any';

// Word for word the conditions of the indexes, or they would not be used.
const waiting: Readonly<Record<QueueNeed, string>> = {
  any: `(m.offered OR (m.status = 'open' AND m.execute_requested_at IS NULL))`,
  patch: `(m.offered OR (m.status = 'open' AND m.execute_requested_at IS NULL AND m.mission_type = 'coding' AND m.package #> '{workspace,patch_candidates}' = '[]'))`,
};

const openDependencies = `SELECT d.depends_on FROM mission_dependencies d JOIN missions o ON o.mission_id = d.depends_on
                   WHERE d.mission_id = m.mission_id AND o.status <> 'resolved'`;

const columns = `m.mission_id, m.mission_type, m.severity, m.assigned_to, m.offered,
            m.package #> '{workspace,patch_candidates}' <> '[]' AS has_candidates,
            (m.package #>> '{trust_requirements,required_trust_score}')::double precision AS required_trust_score,
            ARRAY(SELECT jsonb_array_elements_text(m.package #> '{trust_requirements,allowed_roles}')) AS allowed_roles,
            ARRAY(${openDependencies}) AS open_dependencies`;

/** The head of the queue, whoever it is for. */
export async function queuedMissions(query: Query, need: QueueNeed, limit: number): Promise<QueuedMission[]> {
  return query<QueuedMission>(
    `SELECT ${columns} FROM missions m WHERE ${waiting[need]} ORDER BY m.severity_rank, m.created_seq LIMIT $1`, [limit]);
}

/** The first mission of the queue that this agent may take, however far down; as `refuseAgent` judges. */
export async function firstMissionFor(
  query: Query, need: QueueNeed, agent: { id: string; role: string | null; score: number },
): Promise<QueuedMission | undefined> {
  // Looks at the rows of the queue and no others: 5 ms where 10,000 for somebody else come first (PostgreSQL 18, warm).
  const [row] = await query<QueuedMission>(
    `SELECT ${columns} FROM missions m
      WHERE ${waiting[need]} AND (m.assigned_to IS NULL OR m.assigned_to = $1)
        AND (m.package #>> '{trust_requirements,required_trust_score}')::double precision <= $3
        AND (m.package #> '{trust_requirements,allowed_roles}' = '[]' OR m.package #> '{trust_requirements,allowed_roles}' ? $2::text)
        AND NOT EXISTS (${openDependencies})
      ORDER BY m.severity_rank, m.created_seq LIMIT 1`, [agent.id, agent.role, agent.score]);
  return row;
}

/** One mission as the queue sees it, wherever it stands. */
export async function asQueued(query: Query, missionId: string): Promise<QueuedMission | undefined> {
  const [row] = await query<QueuedMission>(`SELECT ${columns} FROM missions m WHERE m.mission_id = $1`, [missionId]);
  return row;
}

/** One line of the queue: what waits, and what is held by whom. */
export interface QueueLine {
  mission_id: string;
  title: string;
  severity: Severity;
  mission_type: string;
  subsystem_id: string;
  assigned_to: string | null;
  state: 'held' | 'offered' | 'not_started';
  since: string;
  lease_id: string | null;
  agent_id: string | null;
  granted_at: string | null;
  expires_at: string | null;
}

/** Held ones first, then the queue in its order. */
export async function queueLines(query: Query, limit: number): Promise<QueueLine[]> {
  const line = `m.mission_id, m.package ->> 'title' AS title, m.severity, m.mission_type, m.subsystem_id, m.assigned_to`;
  const held = await query<QueueLine>(
    `SELECT ${line}, 'held' AS state, l.granted_at AS since, l.lease_id, l.agent_id, l.granted_at, l.expires_at
       FROM agent_leases l JOIN missions m USING (mission_id) WHERE l.ended_at IS NULL ORDER BY l.granted_at LIMIT $1`, [limit]);
  const left = limit - held.length;
  const rest = left === 0 ? [] : await query<QueueLine>(
    `SELECT ${line}, CASE WHEN m.offered THEN 'offered' ELSE 'not_started' END AS state,
            CASE WHEN m.offered THEN (m.waiting_on ->> 'since')::timestamptz ELSE m.created_at END AS since,
            NULL AS lease_id, NULL AS agent_id, NULL AS granted_at, NULL AS expires_at
       FROM missions m WHERE ${waiting.any} ORDER BY m.severity_rank, m.created_seq LIMIT $1`, [left]);
  return [...held, ...rest];
}
