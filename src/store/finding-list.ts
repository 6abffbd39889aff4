/** What is asked about findings: lists, histories, what may be healed, and whether there is a storm. */
import type { FindingState } from '../domain/finding.ts';
import type { Finding } from '../domain/finding-record.ts';
import { stormWindowMs } from '../domain/storm.ts';
import type { Query } from './database.ts';
import { findingColumns } from './findings.ts';

export interface FindingFilter {
  state?: FindingState | undefined;
  subsystem_id?: string | undefined;
  open?: boolean | undefined;
}

/** Newest first. @param before `created_seq` of the last row of the page before */
export async function listFindings(query: Query, filter: FindingFilter, limit: number, before: number | null): Promise<Finding[]> {
  const { state = null, subsystem_id = null, open = null } = filter;
  return query<Finding>(
    `SELECT ${findingColumns} FROM findings
      WHERE ($1::text IS NULL OR state = $1) AND ($2::text IS NULL OR subsystem_id = $2)
        AND ($3::boolean IS NULL OR (resolved_at IS NULL) = $3) AND ($4::bigint IS NULL OR created_seq < $4)
      ORDER BY created_seq DESC LIMIT $5`, [state, subsystem_id, open, before, limit]);
}

export async function findFinding(query: Query, id: string): Promise<Finding | undefined> {
  const [row] = await query<Finding>(`SELECT ${findingColumns} FROM findings WHERE finding_id = $1`, [id]);
  return row;
}

export const openFindings = (query: Query): Promise<Finding[]> =>
  query<Finding>(`SELECT ${findingColumns} FROM findings WHERE resolved_at IS NULL ORDER BY created_seq`);

export interface FindingEvent { at: string; type: string; from: string | null; state: string; reason: string; value: number | null }

/** What happened to a finding, oldest first. */
export async function historyOf(query: Query, findingId: string): Promise<FindingEvent[]> {
  // The keys of a finding's events start with its id; the partial index on them needs the condition on the type.
  return query<FindingEvent>(
    `SELECT e.ts AS at, e.type, p.payload->>'from' AS from, p.payload->>'state' AS state, p.payload->>'reason' AS reason,
            (p.payload->>'value')::double precision AS value
       FROM events e JOIN event_payloads p USING (event_id)
      WHERE e.type LIKE 'finding.%' AND e.idempotency_key LIKE $1 ORDER BY e.ts, e.event_id LIMIT 1000`, [`finding:${findingId}:%`]);
}

/** Earlier findings of the same fingerprint, newest first. */
export const earlierOf = (query: Query, { fingerprint, created_seq }: Finding): Promise<{ finding_id: string; first_seen_at: string; resolved_at: string | null }[]> =>
  query(`SELECT finding_id, first_seen_at, resolved_at FROM findings WHERE fingerprint = $1 AND created_seq < $2 ORDER BY created_seq DESC LIMIT 20`,
    [fingerprint, created_seq]);

/** Asked and nobody there to heal it: asked again after this, since playbooks may have been bound meanwhile. */
const askAgainSeconds = 300;

/** Findings that fire undisturbed, with a symptom that a playbook may match, and no healing yet. */
export const healable = (query: Query, now: number): Promise<Finding[]> =>
  query<Finding>(
    `SELECT ${findingColumns} FROM findings
      WHERE resolved_at IS NULL AND state = 'FIRING' AND symptom IS NOT NULL AND healing_mission_id IS NULL
        AND (healing_asked_at IS NULL OR healing_asked_at < $1) ORDER BY created_seq LIMIT 100`,
    [new Date(now - askAgainSeconds * 1_000).toISOString()]);

/** Notes that healing was asked for, and the mission that came of it. */
export async function noteHealingAsked(query: Query, findingId: string, missionId: string | null, now: number): Promise<void> {
  await query(
    `UPDATE findings SET healing_asked_at = $2, healing_mission_id = COALESCE(healing_mission_id, $3) WHERE finding_id = $1`,
    [findingId, new Date(now).toISOString(), missionId]);
}

/** What a storm is judged by. A finding that a failing parent explains is not one of its causes. */
export async function stormFigures(query: Query, now: number): Promise<{ begun: number; targets: number }> {
  const [row] = await query<{ begun: number; targets: number }>(
    `SELECT (SELECT count(DISTINCT fingerprint) FROM findings
              WHERE fired_at > $1 AND source NOT IN ('detector', 'storm') AND inhibited_by IS NULL) AS begun,
            (SELECT count(*) FROM rule_states WHERE last_at > $2 AND source NOT IN ('detector', 'storm')) AS targets`,
    [new Date(now - stormWindowMs).toISOString(), new Date(now - 600_000).toISOString()]);
  return row!;
}
