import type { MissionLine } from '../../../domain/mission-view.ts';
import { Age } from '../../parts/age.tsx';
import { Chip } from '../../parts/chip.tsx';
import { Track } from '../../parts/track.tsx';
import { severityTone, stateOf } from '../../words.ts';

/** One mission of the list. @param select left out where nothing can be done with a selection */
export function MissionRow({ mission, selected, select }: { mission: MissionLine; selected: boolean; select: ((on: boolean) => void) | undefined }) {
  const { tone, word } = stateOf(mission);
  return (
    <div class={`row mission-row ${select === undefined ? '' : 'selectable'}`}>
      {select !== undefined && <input type="checkbox" aria-label={`Select ${mission.mission_id}`} checked={selected} onChange={(event) => select(event.currentTarget.checked)} />}
      <div>
        <a class="clip title" href={`/missions/${encodeURIComponent(mission.mission_id)}`}>{mission.title}</a>
        <div class="sub mono clip">{mission.mission_id} · {mission.subsystem_id}{mission.assigned_to !== null && ` · ${mission.assigned_to}`}{mission.labels.length > 0 && ` · ${mission.labels.join(', ')}`}</div>
      </div>
      <span><Chip tone={severityTone[mission.severity]}>{mission.severity}</Chip></span>
      <Track mission={mission} />
      <span><Chip tone={tone} title={mission.waiting_on?.reason ?? mission.ended_reason ?? undefined}>{word}</Chip></span>
      <span class="sub"><Age at={mission.updated_at} /></span>
    </div>
  );
}
