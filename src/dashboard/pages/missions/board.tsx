import type { MissionLine } from '../../../domain/mission-view.ts';
import { missionStatuses } from '../../../domain/mission.ts';
import { Age } from '../../parts/age.tsx';
import { Chip } from '../../parts/chip.tsx';
import { Track } from '../../parts/track.tsx';
import { severityTone, stateOf, statusWords } from '../../words.ts';

const perColumn = 50;

/** A column for each status; cards move by themselves as missions do. */
export const Board = ({ items }: { items: readonly MissionLine[] }) => (
  <div class="board">
    {missionStatuses.map((status) => {
      const column = items.filter((mission) => mission.status === status);
      return (
        <section key={status} class="card" aria-label={statusWords[status]}>
          <h2>{statusWords[status]}<span>{column.length}</span></h2>
          {column.slice(0, perColumn).map((mission) => <BoardCard key={mission.mission_id} mission={mission} />)}
          {column.length > perColumn && <p class="sub">and {column.length - perColumn} more: see the list</p>}
        </section>
      );
    })}
  </div>
);

function BoardCard({ mission }: { mission: MissionLine }) {
  const { tone, word } = stateOf(mission);
  return (
    <a class="board-card" href={`/missions/${encodeURIComponent(mission.mission_id)}`}>
      <div class="wrap">{mission.title}</div>
      <Track mission={mission} />
      <div class="bar"><Chip tone={tone}>{word}</Chip><Chip tone={severityTone[mission.severity]}>{mission.severity}</Chip></div>
      <div class="sub mono clip">{mission.subsystem_id} · <Age at={mission.updated_at} /></div>
    </a>
  );
}
