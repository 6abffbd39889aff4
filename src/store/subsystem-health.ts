/** How each subsystem is, by the newest result of each of its probes. */
import { systemActor } from '../domain/actor.ts';
import { noSubject } from '../domain/event.ts';
import type { HealthState } from '../domain/subsystem.ts';
import { healthOf, inhibitedBy, type Dependency, type ProbeResult } from '../domain/subsystem-health.ts';
import type { Query } from './database.ts';
import { insertEvents } from './events.ts';
import { storable, toJson } from './json.ts';

export interface StoredHealth {
  subsystem_id: string;
  state: HealthState;
  reason: string | null;
  since: string;
  measured_at: string;
  duration_ms: number;
  inhibited_by: string | null;
  probes: ProbeResult[];
  version: number;
}

const columns = 'subsystem_id, state, reason, since, measured_at, duration_ms, inhibited_by, probes, version';

export const allHealth = (query: Query): Promise<StoredHealth[]> =>
  query<StoredHealth>(`SELECT ${columns} FROM subsystem_health ORDER BY subsystem_id`);

/**
 * Puts new results beside those of the subsystem's other probes. Call it in a transaction.
 * @param declared ids of all its probes: results of others are dropped
 */
export async function saveResults(query: Query, subsystemId: string, declared: readonly string[], results: readonly ProbeResult[], now: number): Promise<void> {
  await query('SELECT pg_advisory_xact_lock(hashtextextended($1, 0))', [`health:${subsystemId}`]);
  const [before] = await query<StoredHealth>(`SELECT ${columns} FROM subsystem_health WHERE subsystem_id = $1`, [subsystemId]);
  const probes = declared.flatMap((id) => [...before?.probes ?? [], ...results].filter((result) => result.probe_id === id)
    .sort((a, b) => b.measured_at - a.measured_at).slice(0, 1));
  if (probes.length === 0) return;
  const { state, reason } = storable(healthOf(probes, now));
  const changed = before === undefined || before.state !== state;
  const version = (before?.version ?? 0) + 1;
  const at = new Date(Math.max(...probes.map((probe) => probe.measured_at))).toISOString();
  await query(
    `INSERT INTO subsystem_health (subsystem_id, state, reason, since, measured_at, duration_ms, probes, version)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
     ON CONFLICT (subsystem_id) DO UPDATE SET state = EXCLUDED.state, reason = EXCLUDED.reason, since = EXCLUDED.since,
       measured_at = EXCLUDED.measured_at, duration_ms = EXCLUDED.duration_ms, probes = EXCLUDED.probes, version = EXCLUDED.version`,
    [subsystemId, state, reason, changed ? at : before.since, at, Math.round(Math.max(...probes.map((probe) => probe.duration_ms))), toJson(probes), version]);
  if (changed) await tell(query, subsystemId, version, { from: before?.state ?? 'unknown', state, reason });
}

/** Notes which subsystems a failing parent explains. @returns the failing parent by subsystem, for those that have one */
export async function saveInhibition(query: Query, dependencies: readonly Dependency[]): Promise<Map<string, string>> {
  const rows = await allHealth(query);
  const now = Date.now();
  const states = new Map(rows.map((row) => [row.subsystem_id, healthOf(row.probes, now).state]));
  const inhibited = new Map(dependencies.flatMap(({ subsystem_id }) => {
    const by = inhibitedBy(subsystem_id, dependencies, states);
    return by === null ? [] : [[subsystem_id, by] as const];
  }));
  for (const row of rows) {
    const by = inhibited.get(row.subsystem_id) ?? null;
    if (by === row.inhibited_by) continue;
    // Only over the value that was read: of two evaluators one tells of the change.
    const [updated] = await query<{ version: number }>(
      `UPDATE subsystem_health SET inhibited_by = $2, version = version + 1
        WHERE subsystem_id = $1 AND inhibited_by IS NOT DISTINCT FROM $3 RETURNING version`, [row.subsystem_id, by, row.inhibited_by]);
    if (updated !== undefined) await tell(query, row.subsystem_id, updated.version, { from: row.state, state: row.state, reason: row.reason, inhibited_by: by });
  }
  return inhibited;
}

const tell = (query: Query, subsystemId: string, version: number, payload: Record<string, unknown>): Promise<unknown> => insertEvents(query, [{
  type: 'subsystem.health_changed', actor: systemActor('detector'), subject: noSubject,
  payload: { subsystem_id: subsystemId, ...payload }, idempotency_key: `health:${subsystemId}:${version}`,
}]);
