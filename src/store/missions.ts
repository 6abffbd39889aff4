/** Missions: rows of the read model. Written with their events, listed by keyset. */
import { mayPrecede, missionId, severityRank, utcDay, type MissionStatus, type Severity } from '../domain/mission.ts';
import type { MissionContext, MissionPackage, RemediationEvent } from '../domain/mission-package.ts';
import type { MissionState } from '../domain/mission-view.ts';
import type { MissionRecord, Overtaken } from '../domain/record.ts';
import type { StageRecord } from '../domain/stages.ts';
import { nextNumber } from './counters.ts';
import type { Query } from './database.ts';
import { insertEvents } from './events.ts';
import { storable, toJson } from './json.ts';

export interface MissionRow extends MissionState {
  mission_id: string;
  created_seq: number;
  package: MissionPackage;
  context: MissionContext;
  remediation_history: RemediationEvent[];
  repository_id: string | null;
  origin: string | null;
  execute_requested_at: string | null;
}

export interface MissionFilter {
  status?: MissionStatus | undefined;
  /** Any of these. */
  statuses?: MissionStatus[] | undefined;
  severity?: Severity | undefined;
  subsystem_id?: string | undefined;
  mission_type?: string | undefined;
  assigned_to?: string | undefined;
  label?: string | undefined;
  parent_mission_id?: string | undefined;
  created_after?: string | undefined;
  created_before?: string | undefined;
  /** Words that its id, title or symptoms have, each at least in its beginning. */
  q?: string | undefined;
}

const columns = `mission_id, created_seq, package, status, outcome, stage, progress, paused, waiting_on, context,
  remediation_history, tokens, cost_micro_usd, usage_unreported, landed_commit, landed_tree, capa_id, ended_reason, repository_id,
  (SELECT origin FROM repositories r WHERE r.repository_id = missions.repository_id) AS origin,
  execute_requested_at, started_at, ended_at, updated_at`;

/** The next id of the day. Holds the day's counter until the transaction ends. */
export async function newMissionId(query: Query, at: Date): Promise<string> {
  const day = utcDay(at);
  return missionId(day, await nextNumber(query, `mission:${day}`));
}

export async function insertMission(query: Query, mission: MissionPackage, executeRequested: boolean): Promise<void> {
  await query(
    `INSERT INTO missions (mission_id, package, mission_type, subsystem_id, severity, severity_rank, assigned_to, labels,
       repository_id, parent_mission_id, status, context, created_by, created_at, updated_at, execute_requested_at)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 'open', $11, $12, $13, $13, CASE WHEN $14 THEN $13::timestamptz END)`,
    [mission.mission_id, toJson(mission), mission.mission_type, mission.subsystem_id, mission.severity,
      severityRank(mission.severity), mission.assigned_to, mission.labels, mission.workspace?.repository_id ?? null,
      mission.parent_mission_id, toJson(mission.context), mission.created_by, mission.created_at,
      executeRequested]);
  const dependencies = mission.workspace?.dependencies ?? [];
  if (dependencies.length > 0) {
    await query('INSERT INTO mission_dependencies (mission_id, depends_on) SELECT $1, unnest($2::text[]) ON CONFLICT DO NOTHING',
      [mission.mission_id, dependencies]);
  }
}

export async function findMission(query: Query, id: string): Promise<MissionRow | undefined> {
  const [row] = await query<MissionRow>(`SELECT ${columns} FROM missions WHERE mission_id = $1`, [id]);
  return row;
}

/**
 * Newest first.
 * Keyset on created_seq, the index order of the default list, so page 1000 costs what page 1 does.
 * @param before `created_seq` of the last row of the page before
 */
export async function listMissions(
  query: Query, filter: MissionFilter, limit: number, before: number | null,
): Promise<MissionRow[]> {
  const params: unknown[] = [];
  const where: string[] = [];
  const add = (condition: (placeholder: string) => string, value: unknown): void => {
    if (value === undefined || value === null) return;
    params.push(value);
    where.push(condition(`$${params.length}`));
  };
  add((p) => `created_seq < ${p}`, before);
  add((p) => `status = ${p}`, filter.status);
  add((p) => `status = ANY(${p})`, filter.statuses);
  add((p) => `severity = ${p}`, filter.severity);
  add((p) => `subsystem_id = ${p}`, filter.subsystem_id);
  add((p) => `mission_type = ${p}`, filter.mission_type);
  add((p) => `assigned_to = ${p}`, filter.assigned_to);
  add((p) => `labels @> ARRAY[${p}]::text[]`, filter.label);
  add((p) => `parent_mission_id = ${p}`, filter.parent_mission_id);
  add((p) => `created_at >= ${p}`, filter.created_after);
  add((p) => `created_at < ${p}`, filter.created_before);
  // Found first, as an array: beside the ORDER BY the planner misjudges beginnings of words, and walked 1 M rows in order
  // for 19 s where the index has the answer in 3 ms.
  add((p) => `created_seq = ANY(ARRAY(SELECT created_seq FROM missions WHERE mission_words(mission_id, package) @@ to_tsquery('simple', ${p})))`,
    filter.q === undefined ? undefined : wordsQuery(filter.q));
  params.push(limit);
  return query<MissionRow>(
    `SELECT ${columns} FROM missions ${where.length > 0 ? `WHERE ${where.join(' AND ')}` : ''}
      ORDER BY created_seq DESC LIMIT $${params.length}`, params);
}

/** Every word, in any order, by its beginning. A tsquery has a grammar of its own: only letters and digits get through. */
const wordsQuery = (text: string): string => (text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? []).map((word) => `'${word}':*`).join(' & ');

export async function stagesOf(query: Query, id: string): Promise<StageRecord[]> {
  return query<StageRecord>(
    `SELECT name, status, attempt, started_at, ended_at, duration_ms, reason, evidence
       FROM mission_stages WHERE mission_id = $1 ORDER BY started_at, name, attempt`, [id]);
}

export async function countByStatus(query: Query): Promise<Record<string, number>> {
  const rows = await query<{ status: string; count: number }>('SELECT status, count(*) AS count FROM missions GROUP BY status');
  return Object.fromEntries(rows.map((row) => [row.status, row.count]));
}

/** Which missions put these commits on their branches. */
export async function missionsThatLanded(query: Query, commits: readonly string[]): Promise<Map<string, string>> {
  const rows = await query<{ landed_commit: string; mission_id: string }>(
    'SELECT landed_commit, mission_id FROM missions WHERE landed_commit = ANY($1)', [commits]);
  return new Map(rows.map((row) => [row.landed_commit, row.mission_id]));
}

/** Missions that this one waits for, with their status. */
export async function dependenciesOf(query: Query, id: string): Promise<{ mission_id: string; status: MissionStatus }[]> {
  return query<{ mission_id: string; status: MissionStatus }>(
    `SELECT m.mission_id, m.status FROM mission_dependencies d JOIN missions m ON m.mission_id = d.depends_on
      WHERE d.mission_id = $1 ORDER BY m.created_seq`, [id]);
}

/** Started missions that wait for this one. */
export async function runningDependents(query: Query, id: string): Promise<string[]> {
  const rows = await query<{ mission_id: string }>(
    `SELECT m.mission_id FROM mission_dependencies d JOIN missions m USING (mission_id)
      WHERE d.depends_on = $1 AND m.status = 'in_progress'`, [id]);
  return rows.map((row) => row.mission_id);
}

/** Marks that somebody wants it run; the reconciler starts what is marked and not started. */
export async function requestExecution(query: Query, id: string): Promise<boolean> {
  const rows = await query(
    `UPDATE missions SET execute_requested_at = clock_timestamp(), updated_at = clock_timestamp()
      WHERE mission_id = $1 AND execute_requested_at IS NULL AND status = 'open' RETURNING mission_id`, [id]);
  return rows.length > 0;
}

/** Asked for and not started: what a crash between row and workflow start left behind. */
export async function unstartedMissions(query: Query, limit: number): Promise<MissionPackage[]> {
  const rows = await query<{ package: MissionPackage }>(
    `SELECT package FROM missions WHERE status = 'open' AND execute_requested_at IS NOT NULL
      ORDER BY execute_requested_at LIMIT $1`, [limit]);
  return rows.map((row) => row.package);
}

/** Ends a mission that never started. False when it is not open, or was asked to run. */
export async function abortUnstarted(query: Query, id: string, reason: string): Promise<boolean> {
  const rows = await query(
    `UPDATE missions SET status = 'aborted', outcome = 'cancelled', ended_reason = $2,
            ended_at = clock_timestamp(), updated_at = clock_timestamp()
      WHERE mission_id = $1 AND status = 'open' AND execute_requested_at IS NULL RETURNING mission_id`, [id, reason]);
  return rows.length > 0;
}

/** Higher than any record's number: of a mission that was ended here, nothing is written any more. */
export const fencedSeq = 2_147_483_647;

const jsonColumns = new Set(['waiting_on', 'context', 'remediation_history']);
/** A workflow task writes fewer than these as a rule. The records of one that wrote more and was lost are written again, whole. */
const recentRecords = 8;

/**
 * Writes one record: stages, state and events, once. A record that is not newer than the last one changes nothing; a
 * status that may not follow is refused by the WHERE.
 * @param saying what the record says, as a digest: a record of the same number that says the same is the same
 * @returns `written`; or the last record's number, when what is there under this one's number says something else; or
 *   `unchanged`, when it was written before or may not be written any more
 * @throws Error for a mission that this database does not have
 */
export async function applyRecord(query: Query, record: MissionRecord, saying: string): Promise<'written' | 'unchanged' | Overtaken> {
  const changes: Record<string, unknown> = {
    ...record.state,
    ...(record.context ? { context: record.context } : {}),
    ...record.agent_work?.mission,
    ...(record.remediation ? { remediation_history: record.remediation } : {}),
  };
  const mark = `${record.seq}:${saying}`;
  const params: unknown[] = [record.mission_id, record.seq, mark];
  const sets = Object.entries(changes).map(([column, value]) => {
    params.push(jsonColumns.has(column) && value !== null ? toJson(value) : storable(value));
    return `${column} = $${params.length}`;
  });
  let guard = '';
  // The status of a whole record is the workflow's own; what stands here was written by a task that it knows nothing of.
  if (record.state.status !== undefined && !record.whole) {
    params.push(mayPrecede(record.state.status));
    guard = `AND status = ANY($${params.length})`;
  }
  const recent = record.whole ? 'ARRAY[$3::text]' : `(ARRAY[$3::text] || recent_records)[1:${recentRecords}]`;
  const updated = await query(
    `UPDATE missions SET ${[...sets, 'record_seq = $2', `recent_records = ${recent}`, 'updated_at = clock_timestamp()'].join(', ')}
      WHERE mission_id = $1 AND record_seq < $2 ${guard} RETURNING mission_id`, params);
  if (updated.length === 0) return whatIsThere(query, record, mark);
  if (record.whole) {
    await query(
      `DELETE FROM mission_stages WHERE mission_id = $1
          AND NOT EXISTS (SELECT FROM jsonb_to_recordset($2::jsonb) AS r(name text, attempt integer)
                           WHERE r.name = mission_stages.name AND r.attempt = mission_stages.attempt)`,
      [record.mission_id, toJson(record.stages)]);
  }
  if (record.stages.length > 0) {
    await query(
      `INSERT INTO mission_stages (mission_id, name, attempt, status, started_at, ended_at, duration_ms, reason, evidence)
       SELECT $1, name, attempt, status, started_at, ended_at, duration_ms, reason, evidence
         FROM jsonb_to_recordset($2::jsonb) AS r(name text, attempt integer, status text, started_at timestamptz,
              ended_at timestamptz, duration_ms integer, reason text, evidence jsonb)
       ON CONFLICT (mission_id, name, attempt) DO UPDATE SET status = EXCLUDED.status, ended_at = EXCLUDED.ended_at,
         duration_ms = EXCLUDED.duration_ms, reason = EXCLUDED.reason, evidence = EXCLUDED.evidence`,
      [record.mission_id, toJson(record.stages)]);
  }
  await insertEvents(query, record.events);
  return 'written';
}

/** Why a record was not written. */
async function whatIsThere(query: Query, { mission_id, seq }: MissionRecord, mark: string): Promise<'unchanged' | Overtaken> {
  const [row] = await query<{ record_seq: number; recent_records: string[] }>(
    'SELECT record_seq, recent_records FROM missions WHERE mission_id = $1', [mission_id]);
  // A worker that came to another system's engine, by a port that changed hands, must not take its missions' records for written.
  if (row === undefined) throw new Error(`${mission_id} is no mission of this database: is the engine another system's?`);
  const { record_seq: last, recent_records: recent } = row;
  // The status refused it; or the mission was ended for good, or last written before records were remembered.
  if (last < seq || last === fencedSeq || recent.length === 0) return 'unchanged';
  return recent.includes(mark) ? 'unchanged' : { last };
}
