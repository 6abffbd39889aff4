import type { MissionDetail } from '../../../domain/mission-view.ts';
import { isTerminal } from '../../../domain/mission.ts';
import { inPath, post } from '../../api.ts';
import { ActionButton } from '../../parts/action-button.tsx';
import { may } from '../../session.ts';
import { decideWindow, maySteer, steer, steeringQuestion, type SteeringVerb } from '../../steering.ts';
import { capital } from '../../words.ts';

/** What a person may do to this mission now; nothing that would be refused. */
export function Actions({ mission }: { mission: MissionDetail }) {
  const { mission_id: id, status } = mission;
  const button = (verb: SteeringVerb, tone?: 'primary' | 'danger') => maySteer(verb, mission) && (
    <ActionButton tone={tone} ask={steeringQuestion(verb, mission)} run={(reason) => steer(verb, mission, reason)}>{capital(verb)}…</ActionButton>
  );
  return (
    <>
      {mission.started_at === null && !isTerminal(status) && may('mission:execute') && (
        <ActionButton tone="primary" run={async () => { await post(`/missions/${inPath(id)}/execute`); return 'Start asked for.'; }}>Start</ActionButton>
      )}
      {button('retry', 'primary')}
      {status === 'observing' && may('mission:observe') && <Decide mission={mission} />}
      {button('resume')}
      {button('pause')}
      {button('abort', 'danger')}
    </>
  );
}

/** Decisions about an observation window: resolving is for what is held, and never for the author. */
function Decide({ mission }: { mission: MissionDetail }) {
  const landed = mission.landed_commit?.slice(0, 8);
  const decide = (decision: 'resolve' | 'rollback' | 'extend') => (reason: string) => decideWindow(decision, mission.mission_id, reason);
  return (
    <>
      <ActionButton run={decide('extend')} ask={{ title: 'Watch for one more window?', effect: 'The same metrics are watched once more for the same time before anything is decided.', verb: 'Extend', reason: 'required' }}>Extend…</ActionButton>
      {mission.waiting_on?.kind === 'observation' && (
        <ActionButton tone="primary" run={decide('resolve')} ask={{ title: 'Resolve it?', effect: 'The window could not be judged. You say that the change is good; the mission ends resolved, with your name on it.', verb: 'Resolve', reason: 'required' }}>Resolve…</ActionButton>
      )}
      <ActionButton tone="danger" run={decide('rollback')} ask={{
        title: 'Roll back?', verb: 'Roll back', dangerous: true, reason: 'required',
        effect: `${landed === undefined ? 'What was done is undone' : `${landed} is reverted on the target branch`}, and a CAPA record is opened.`,
      }}>Roll back…</ActionButton>
    </>
  );
}
