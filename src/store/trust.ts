import type { OutcomeEvent } from '../domain/trust.ts';
import type { Query } from './database.ts';

/** Ended missions that this agent did: those assigned to it, else those it sent. Newest first, as far as they matter. */
export async function outcomesOf(query: Query, agentId: string): Promise<OutcomeEvent[]> {
  return query<OutcomeEvent>(
    `SELECT mission_id, outcome, ended_at AS at FROM missions
      WHERE coalesce(assigned_to, created_by) = $1 AND outcome IN ('landed', 'completed', 'rolled_back', 'rejected', 'failed')
        AND ended_at > clock_timestamp() - interval '1 year'
      ORDER BY created_seq DESC LIMIT 1000`, [agentId]);
}

/** Agents with an outcome. */
export async function knownAgents(query: Query, limit: number): Promise<string[]> {
  const rows = await query<{ agent: string }>(
    `SELECT DISTINCT coalesce(assigned_to, created_by) AS agent FROM missions WHERE outcome IS NOT NULL ORDER BY agent LIMIT $1`, [limit]);
  return rows.map((row) => row.agent);
}

export interface QueuedMission {
  mission_id: string;
  severity: string;
  required_trust_score: number;
  allowed_roles: string[];
  assigned_to: string | null;
  open_dependencies: string[];
}

/** Missions that nobody has started: most severe first, then oldest. */
export async function queuedMissions(query: Query, limit: number): Promise<QueuedMission[]> {
  return query<QueuedMission>(
    `SELECT m.mission_id, m.severity, m.assigned_to,
            (m.package #>> '{trust_requirements,required_trust_score}')::double precision AS required_trust_score,
            ARRAY(SELECT jsonb_array_elements_text(m.package #> '{trust_requirements,allowed_roles}')) AS allowed_roles,
            ARRAY(SELECT d.depends_on FROM mission_dependencies d JOIN missions o ON o.mission_id = d.depends_on
                   WHERE d.mission_id = m.mission_id AND o.status <> 'resolved') AS open_dependencies
       FROM missions m WHERE m.status = 'open' AND m.execute_requested_at IS NULL
      ORDER BY m.severity_rank, m.created_seq LIMIT $1`, [limit]);
}
