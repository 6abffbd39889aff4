/** Rows of the read model as the API's one flat object. */
import type { MissionDetail, MissionSummary } from '../domain/mission-view.ts';
import { latestAttempts, pipelineOf, type StageRecord } from '../domain/stages.ts';
import type { Config } from '../config.ts';
import { workflowsUrl } from '../engine/ui.ts';
import type { MissionRow } from '../store/missions.ts';

export function summaryOf(row: MissionRow, config: Config): MissionSummary {
  const { package: pack, created_seq: _seq, execute_requested_at: _requested, repository_id: _repository, origin: _origin, ...state } = row;
  const workflows = workflowsUrl(config.temporal);
  const started = row.started_at !== null || row.execute_requested_at !== null;
  return {
    ...pack, ...state,
    links: {
      temporal: workflows === null || !started ? null : `${workflows}/${row.mission_id}`,
      commit: commitLink(row),
    },
  };
}

/** An https origin has a page for each commit; a path on this host has none. */
function commitLink({ origin, landed_commit: commit }: MissionRow): string | null {
  if (commit === null || !origin?.startsWith('https://')) return null;
  return `${origin.replace(/\.git$/, '')}/commit/${commit}`;
}

export const detailOf = (row: MissionRow, stages: readonly StageRecord[], config: Config): MissionDetail =>
  ({ ...summaryOf(row, config), stages: latestAttempts(pipelineOf(row.package.mission_type), stages) });
