import type { OutcomeEvent } from '../domain/trust.ts';
import type { Query } from './database.ts';

/** Ended missions that this agent did: whose last patch it posted, else those assigned to it, else those it sent. Newest first, as far as they matter. */
export async function outcomesOf(query: Query, agentId: string): Promise<OutcomeEvent[]> {
  return query<OutcomeEvent>(
    `SELECT mission_id, outcome, ended_at AS at FROM missions
      WHERE coalesce(worked_by, assigned_to, created_by) = $1 AND outcome IN ('landed', 'completed', 'rolled_back', 'rejected', 'failed')
        AND ended_at > clock_timestamp() - interval '1 year'
      ORDER BY created_seq DESC LIMIT 1000`, [agentId]);
}

/** Agents with an outcome. */
export async function knownAgents(query: Query, limit: number): Promise<string[]> {
  const rows = await query<{ agent: string }>(
    `SELECT DISTINCT coalesce(worked_by, assigned_to, created_by) AS agent FROM missions WHERE outcome IS NOT NULL ORDER BY agent LIMIT $1`, [limit]);
  return rows.map((row) => row.agent);
}
