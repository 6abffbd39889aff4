import type { MissionLine } from '../../domain/mission-view.ts';
import { isTerminal } from '../../domain/mission.ts';
import { pipelineOf } from '../../domain/stages.ts';
import { stageWord, stateOf } from '../words.ts';

/** A mission's way through its stages as one thin bar; the words are in its label, and beside it. */
export function Track({ mission }: { mission: MissionLine }) {
  const pipeline = pipelineOf(mission.mission_type);
  const at = mission.stage === null ? -1 : pipeline.indexOf(mission.stage);
  const ended = isTerminal(mission.status);
  const here = ended ? (mission.status === 'resolved' ? 'd' : 'f') : mission.waiting_on !== null || mission.paused ? 'w' : 'r';
  const label = mission.stage === null ? 'not started' : `${stageWord(mission.stage)}, stage ${at + 1} of ${pipeline.length}, ${stateOf(mission).word}`;
  return (
    <div class="track" role="img" aria-label={label} title={label} style={{ gridTemplateColumns: `repeat(${pipeline.length}, 1fr)` }}>
      {pipeline.map((stage, i) => <i key={stage} class={i < at || (ended && mission.status === 'resolved') ? 'd' : i === at ? here : ''} />)}
    </div>
  );
}
