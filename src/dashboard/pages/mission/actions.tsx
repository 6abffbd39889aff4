import type { MissionDetail } from '../../../domain/mission-view.ts';
import { isTerminal } from '../../../domain/mission.ts';
import { inPath, post } from '../../api.ts';
import { ActionButton } from '../../parts/action-button.tsx';
import { may } from '../../session.ts';
import { canRetry } from '../../words.ts';

interface Steered { mission_id: string; takes_effect: string }

/** What a person may do to this mission now; nothing that would be refused. */
export function Actions({ mission }: { mission: MissionDetail }) {
  const { mission_id: id, status, paused } = mission;
  const ended = isTerminal(status);
  const started = mission.started_at !== null;
  const steers = may('mission:steer') && !ended;
  const held = mission.waiting_on?.kind === 'observation';
  const steer = (verb: string, body: object, done: string) => async (reason: string): Promise<string> => {
    const { takes_effect: when } = await post<Steered>(`/missions/${inPath(id)}/${verb}`, { ...body, ...(reason === '' ? {} : { reason }) });
    return when === 'at once' ? `${done}.` : `${done}: takes effect ${when}.`;
  };
  return (
    <>
      {!started && !ended && may('mission:execute') && (
        <ActionButton tone="primary" run={async () => { await post(`/missions/${inPath(id)}/execute`); return 'Start asked for.'; }}>Start</ActionButton>
      )}
      {steers && canRetry(mission) && (
        <ActionButton tone="primary" ask={{ title: 'Retry now?', effect: `${mission.waiting_on!.reason}. It is tried again at once.`, verb: 'Retry', reason: 'optional' }} run={steer('retry', {}, 'Retried')}>Retry…</ActionButton>
      )}
      {status === 'observing' && may('mission:observe') && <Decide held={held} mission={mission} run={steer} />}
      {steers && started && (paused
        ? <ActionButton ask={{ title: 'Resume?', effect: 'It goes on where it was paused.', verb: 'Resume', reason: 'optional' }} run={steer('resume', {}, 'Resumed')}>Resume…</ActionButton>
        : <ActionButton ask={{ title: 'Pause?', effect: 'It stops before its next stage and stays there until somebody resumes it. What is being done now is finished.', verb: 'Pause', reason: 'optional' }} run={steer('pause', { mode: 'boundary' }, 'Paused')}>Pause…</ActionButton>)}
      {steers && (
        <ActionButton tone="danger" run={steer('abort', {}, 'Aborted')} ask={{
          title: `Abort ${id}?`, verb: 'Abort', dangerous: true, reason: 'required',
          effect: `It ends now and cannot be started again.${mission.landed_commit === null ? ' Nothing of it has landed.' : ` ${mission.landed_commit.slice(0, 8)} stays landed and is no longer watched.`}`,
        }}>Abort…</ActionButton>
      )}
    </>
  );
}

type Steer = (verb: string, body: object, done: string) => (reason: string) => Promise<string>;

/** Decisions about an observation window: resolving is for what is held, and never for the author. */
const Decide = ({ held, mission, run }: { held: boolean; mission: MissionDetail; run: Steer }) => (
  <>
    <ActionButton run={run('observation', { decision: 'extend' }, 'One more window')}
      ask={{ title: 'Watch for one more window?', effect: 'The same metrics are watched once more for the same time before anything is decided.', verb: 'Extend', reason: 'required' }}>Extend…</ActionButton>
    {held && <ActionButton tone="primary" run={run('observation', { decision: 'resolve' }, 'Resolved')}
      ask={{ title: 'Resolve it?', effect: 'The window could not be judged. You say that the change is good; the mission ends resolved, with your name on it.', verb: 'Resolve', reason: 'required' }}>Resolve…</ActionButton>}
    <ActionButton tone="danger" run={run('observation', { decision: 'rollback' }, 'Rolled back')} ask={{
      title: 'Roll back?', verb: 'Roll back', dangerous: true, reason: 'required',
      effect: `${mission.landed_commit === null ? 'What was done is undone' : `${mission.landed_commit.slice(0, 8)} is reverted on the target branch`}, and a CAPA record is opened.`,
    }}>Roll back…</ActionButton>
  </>
);
