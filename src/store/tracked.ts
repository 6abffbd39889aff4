/** What tracked missions report beyond the mission's own row. */
import type { Json } from '../domain/healing.ts';
import type { MissionRecord } from '../domain/record.ts';
import type { TrackedDetails } from '../domain/tracked.ts';
import type { Query } from './database.ts';
import { toJson } from './json.ts';

const columns = 'started_by, agent_type, model_used, progress, tokens_used, cost_micro_usd, result, metadata, message, last_report_at';

/** What its author or whoever starts it says of the work. */
export interface TrackedIntroduction { agent_type?: string | undefined; model_used?: string | undefined; metadata?: Record<string, Json> | undefined }

export async function insertTracked(query: Query, missionId: string, { agent_type, model_used, metadata }: TrackedIntroduction): Promise<void> {
  await query('INSERT INTO tracked_missions (mission_id, agent_type, model_used, metadata) VALUES ($1, $2, $3, $4)',
    [missionId, agent_type ?? null, model_used ?? null, metadata === undefined ? null : toJson(metadata)]);
}

/** Notes who started it and what they said of themselves. */
export async function introduce(query: Query, missionId: string, startedBy: string, { agent_type, model_used, metadata }: TrackedIntroduction): Promise<void> {
  await query(
    `UPDATE tracked_missions SET started_by = $2, agent_type = coalesce($3, agent_type), model_used = coalesce($4, model_used),
            metadata = CASE WHEN $5::jsonb IS NULL THEN metadata ELSE coalesce(metadata, '{}') || $5::jsonb END
      WHERE mission_id = $1`,
    [missionId, startedBy, agent_type ?? null, model_used ?? null, metadata === undefined ? null : toJson(metadata)]);
}

/** Of these missions, the tracked ones' details. */
export async function trackedDetails(query: Query, missionIds: readonly string[]): Promise<Map<string, TrackedDetails>> {
  const rows = await query<TrackedDetails & { mission_id: string }>(
    `SELECT mission_id, ${columns} FROM tracked_missions WHERE mission_id = ANY($1)`, [missionIds]);
  return new Map(rows.map(({ mission_id, ...details }) => [mission_id, details]));
}

const jsonColumns = new Set(['result', 'metadata']);

/** Writes what a record reports, and keeps its keys. In the record's own transaction. */
export async function saveReport(query: Query, { mission_id, report }: MissionRecord): Promise<void> {
  if (report === undefined) return;
  const params: unknown[] = [mission_id, report.at];
  const sets = Object.entries(report.details).map(([column, value]) => {
    params.push(jsonColumns.has(column) && value !== null ? toJson(value) : value);
    // Metadata grow field by field; everything else is what was said last.
    return column === 'metadata' ? `metadata = coalesce(metadata, '{}') || $${params.length}::jsonb` : `${column} = $${params.length}`;
  });
  await query(`UPDATE tracked_missions SET ${['last_report_at = $2', ...sets].join(', ')} WHERE mission_id = $1`, params);
  for (const { principal_id, key, body_digest } of report.keys) {
    await query('INSERT INTO idempotency_keys (principal_id, key, body_digest, mission_id) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING',
      [principal_id, key, body_digest, mission_id]);
  }
}
