/** Missions as tables and pages. */
import { spentText } from '../../domain/budget.ts';
import type { MissionDetail, MissionSummary } from '../../domain/mission-view.ts';
import type { StageRecord } from '../../domain/stages.ts';
import { safe, safeLines } from './safe-text.ts';
import { pairs, short, styled, table, tone } from './terminal.ts';
import { ageOf, duration, nextStep, shortTime } from './words.ts';

export function missionTable({ items, next_cursor }: { items: MissionSummary[]; next_cursor: string | null }): string {
  if (items.length === 0) return 'no missions';
  const rows = items.map((mission) => [
    mission.mission_id, tone(mission.status), tone(mission.severity), safe(mission.subsystem_id),
    mission.stage ?? '', `${mission.progress} %`, ageOf(mission.created_at), short(mission.title, 50),
  ]);
  const waits = items.filter((mission) => mission.waiting_on !== null).map((mission) => `${mission.mission_id} ${nextStep(mission)}`);
  return [
    table(['mission', 'status', 'severity', 'subsystem', 'stage', 'done', 'age', 'title'], rows),
    ...(waits.length === 0 ? [] : ['', ...waits]),
    ...(next_cursor === null ? [] : ['', `more: --cursor ${safe(next_cursor)}`]),
  ].join('\n');
}

export function missionPage(mission: MissionDetail): string {
  const { workspace, acceptance_criteria: criteria } = mission;
  const targets = criteria.metric_targets.map(({ metric_id, comparator, target }) => `${metric_id} ${comparator} ${target}`);
  const head = pairs([
    ['mission', mission.mission_id], ['title', safe(mission.title)],
    ['status', `${tone(mission.status)}${mission.outcome === null ? '' : ` (${mission.outcome})`}, ${mission.progress} %`],
    ['next', nextStep(mission)],
    ['severity', tone(mission.severity)], ['subsystem', safe(mission.subsystem_id)],
    ['repository', workspace === null ? null : safe(workspace.repo_path ?? workspace.repository)], ['branch', workspace === null ? null : safe(workspace.target_branch)],
    ['must pass', criteria.must_pass_tests.map(safe).join(', ')], ['targets', targets.map(safe).join(', ')],
    ['sent by', `${safe(mission.created_by)}, ${ageOf(mission.created_at)} ago (${shortTime(mission.created_at)})`],
    ['used', spentText(mission)],
    ['labels', mission.labels.map(safe).join(', ')],
    ['landed', mission.landed_commit === null ? null : `commit ${safe(mission.landed_commit)}, tree ${safe(mission.landed_tree ?? '')}`],
    ['commit', mission.links.commit === null ? null : safe(mission.links.commit)],
    ['Temporal', mission.links.temporal === null ? null : safe(mission.links.temporal)],
  ]);
  const description = mission.description === null ? [] : ['', ...safeLines(mission.description)];
  return [head, ...description, '', stageTable(mission.stages)].join('\n');
}

export const stageTable = (stages: readonly StageRecord[]): string => table(
  ['stage', 'status', 'attempt', 'took', 'evidence', 'reason'],
  stages.map((stage) => [
    stage.name, tone(stage.status), stage.attempt > 1 ? String(stage.attempt) : '', duration(stage.duration_ms),
    stage.evidence.length === 0 ? '' : String(stage.evidence.length), short(stage.reason ?? '', 70),
  ]));

/** What the stages found, a line for each piece of evidence. */
export const evidenceLines = (stages: readonly StageRecord[]): string[] => stages.flatMap((stage) =>
  stage.evidence.map((item) => `  ${styled('gray', stage.name)}  ${safe(item.summary)}`));

/** One line for one change of one stage. */
export function stageLine(stage: StageRecord): string {
  const time = (stage.ended_at ?? stage.started_at)?.slice(11, 19) ?? '        ';
  const attempt = stage.attempt > 1 ? ` (attempt ${stage.attempt})` : '';
  const facts = [duration(stage.duration_ms), stage.evidence.length === 0 ? '' : `${stage.evidence.length} evidence`, safe(stage.reason ?? '')];
  return `${time}  ${tone(stage.status)}${' '.repeat(8 - stage.status.length)}${stage.name}${attempt}  ${facts.filter((fact) => fact !== '').join('  ')}`.trimEnd();
}
