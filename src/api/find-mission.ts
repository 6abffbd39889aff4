import { findMission, type MissionRow } from '../store/missions.ts';
import type { ApiDeps } from './context.ts';
import { Problem } from './problem.ts';

/** @throws Problem MISSION_NOT_FOUND */
export async function missionOf({ database }: Pick<ApiDeps, 'database'>, id: string): Promise<MissionRow> {
  const row = await findMission(database.query, id);
  if (row === undefined) throw new Problem(404, 'MISSION_NOT_FOUND', `there is no mission ${id}`);
  return row;
}
