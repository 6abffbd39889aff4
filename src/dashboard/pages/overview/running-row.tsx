import type { MissionLine } from '../../../domain/mission-view.ts';
import { Chip } from '../../parts/chip.tsx';
import { Track } from '../../parts/track.tsx';
import { stateOf } from '../../words.ts';

export function RunningRow({ mission }: { mission: MissionLine }) {
  const { tone, word } = stateOf(mission);
  return (
    <a class="row mis" href={`/missions/${encodeURIComponent(mission.mission_id)}`}>
      <div>
        <div class="clip">{mission.title}</div>
        <div class="sub mono clip">{mission.mission_id} · {mission.severity} · {mission.assigned_to ?? mission.subsystem_id}</div>
      </div>
      <Track mission={mission} />
      <Chip tone={tone}>{word}</Chip>
    </a>
  );
}
