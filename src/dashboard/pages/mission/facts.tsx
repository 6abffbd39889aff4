import type { MissionLine } from '../../../domain/mission-view.ts';
import type { MissionDetail } from '../../../domain/mission-view.ts';
import { Age } from '../../parts/age.tsx';
import { Card } from '../../parts/card.tsx';
import { useResource } from '../../resource.ts';
import { dollars, stateOf } from '../../words.ts';

const page = (id: string): string => `/missions/${encodeURIComponent(id)}`;

/** What was asked for, by whom, and what belongs to it. */
export function Facts({ mission }: { mission: MissionDetail }) {
  const children = useResource<{ items: MissionLine[] }>(`/missions?parent_mission_id=${encodeURIComponent(mission.mission_id)}&limit=50`, { on: (event) => event.type === 'mission.created' });
  const { workspace, acceptance_criteria: criteria } = mission;
  return (
    <Card title="Asked for" aside={<Age at={mission.created_at} />}>
      <div class="symptoms">{mission.symptoms.map((symptom, i) => <p key={i} class="wrap">{symptom.description}</p>)}</div>
      <dl>
        <dt>By</dt><dd>{mission.created_by}</dd>
        <dt>Subsystem</dt><dd>{mission.subsystem_id}</dd>
        {mission.assigned_to !== null && <><dt>Agent</dt><dd>{mission.assigned_to}</dd></>}
        {workspace !== null && <><dt>Repository</dt><dd class="mono">{workspace.repository} · {workspace.target_branch}</dd></>}
        {criteria.metric_targets.map((target) => <MetricLine key={target.metric_id} name={target.metric_id} goal={`${target.comparator} ${target.target}`} />)}
        {mission.labels.length > 0 && <><dt>Labels</dt><dd>{mission.labels.join(', ')}</dd></>}
        <dt>Spent</dt><dd>{mission.usage_unreported > 0 ? 'at least ' : ''}{dollars(mission.cost_micro_usd)} · {mission.tokens.toLocaleString()} tokens{mission.usage_unreported > 0 && ` · ${mission.usage_unreported} unreported`}</dd>
        {mission.landed_commit !== null && <><dt>Landed</dt><dd class="mono">{mission.links.commit === null ? mission.landed_commit.slice(0, 12) : <a href={mission.links.commit} target="_blank" rel="noreferrer">{mission.landed_commit.slice(0, 12)} ↗</a>}</dd></>}
        {mission.parent_mission_id !== null && <><dt>Parent</dt><dd><a class="mono" href={page(mission.parent_mission_id)}>{mission.parent_mission_id}</a></dd></>}
        {(workspace?.dependencies ?? []).map((id) => <Related key={id} word="After" id={id} />)}
        {(children.data?.items ?? []).map((child) => <Related key={child.mission_id} word="Child" id={child.mission_id} says={`${child.title}, ${stateOf(child).word}`} />)}
      </dl>
    </Card>
  );
}

const MetricLine = ({ name, goal }: { name: string; goal: string }) => <><dt>Target</dt><dd class="mono">{name} {goal}</dd></>;
const Related = ({ word, id, says }: { word: string; id: string; says?: string }) =>
  <><dt>{word}</dt><dd><a class="mono" href={page(id)}>{id}</a>{says !== undefined && <div class="sub">{says}</div>}</dd></>;
