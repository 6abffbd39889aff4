/** Missions as the original dashboard's objects. */
import { z } from 'zod';
import { missionTypes, severities } from '../domain/mission.ts';
import { knownSum, secondsBetween, toUsd, trackedStatuses, trackedStatusOf, type TrackedDetails, type TrackedView } from '../domain/tracked.ts';
import type { Query } from '../store/database.ts';
import type { MissionRow } from '../store/missions.ts';
import { trackedDetails } from '../store/tracked.ts';
import { waitingSchema } from './schemas.ts';

/** In the order of the rows. */
export async function trackedViews(query: Query, rows: readonly MissionRow[]): Promise<TrackedView[]> {
  const details = await trackedDetails(query, rows.filter((row) => row.package.mission_type === 'tracked').map((row) => row.mission_id));
  return rows.map((row) => viewOf(row, details.get(row.mission_id)));
}

/** One that we run ourselves has no reports: what is known of it is in its own row. */
function viewOf(row: MissionRow, details: TrackedDetails | undefined): TrackedView {
  const { package: pack, status, started_at, ended_at } = row;
  return {
    id: row.mission_id, title: pack.title, description: pack.description, status: trackedStatusOf(status), priority: pack.severity,
    created_at: pack.created_at, started_at, completed_at: ended_at, duration: secondsBetween(started_at, ended_at),
    progress: status === 'resolved' ? 100 : details?.progress ?? row.progress,
    error_message: status === 'escalated' ? row.ended_reason : null,
    result: details?.result ?? null, metadata: details?.metadata ?? null, agent_type: details?.agent_type ?? null, model_used: details?.model_used ?? null,
    tokens_used: details === undefined ? knownSum(row.tokens, row) : details.tokens_used,
    cost_estimate: toUsd(details === undefined ? knownSum(row.cost_micro_usd, row) : details.cost_micro_usd),
    mission_id: row.mission_id, mission_type: pack.mission_type, subsystem_id: pack.subsystem_id, assigned_to: pack.assigned_to,
    created_by: pack.created_by, message: details?.message ?? null, waiting_on: row.waiting_on, last_report_at: details?.last_report_at ?? null,
    stale_after_minutes: pack.tracked?.stale_after_minutes ?? null,
  };
}

const time = z.iso.datetime();

export const trackedSchema = z.strictObject({
  id: z.string(), title: z.string(), description: z.string().nullable(), status: z.enum(trackedStatuses), priority: z.enum(severities),
  created_at: time, started_at: time.nullable(), completed_at: time.nullable(), duration: z.number().nullable(), progress: z.number(),
  error_message: z.string().nullable(), result: z.unknown(), metadata: z.record(z.string(), z.unknown()).nullable(),
  agent_type: z.string().nullable(), model_used: z.string().nullable(), tokens_used: z.number().int().nullable(), cost_estimate: z.number().nullable(),
  mission_id: z.string(), mission_type: z.enum(missionTypes), subsystem_id: z.string(), assigned_to: z.string().nullable(),
  created_by: z.string(), message: z.string().nullable(), waiting_on: waitingSchema.nullable(), last_report_at: time.nullable(),
  stale_after_minutes: z.number().nullable(),
}).describe('A mission in the words of the mission dashboard; null is "nobody said"');

const metrics = {
  total_missions: z.number().int(), completed_missions: z.number().int(), failed_missions: z.number().int(), running_missions: z.number().int(),
  average_duration: z.number().nullable(), success_rate: z.number().nullable(), total_tokens: z.number().nullable(), total_cost: z.number().nullable(),
};
export const dashboardMetricsSchema = z.strictObject(metrics);
export const metricsAtSchema = z.strictObject({ timestamp: time, ...metrics });
