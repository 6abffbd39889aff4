import type { ComponentChildren } from 'preact';
import type { MissionDetail } from '../../../domain/mission-view.ts';
import { isTerminal } from '../../../domain/mission.ts';
import type { ObservationView, WindowView } from '../../../domain/observation-view.ts';
import { windowEnd } from '../../../domain/observation.ts';
import { inPath } from '../../api.ts';
import { Age, Clock, Span } from '../../parts/age.tsx';
import { Chip } from '../../parts/chip.tsx';
import type { Tone } from '../../tone.ts';
import { may } from '../../session.ts';
import { duration, now } from '../../time.ts';
import { capital, inWords, plural, stateOf, waitWord } from '../../words.ts';

/** What the mission waits for: why, who can end it, since when, until when, and what happens then. Ended, how and why. */
export function Banner({ mission, observation }: { mission: MissionDetail; observation: ObservationView | null }) {
  const window = observation?.windows.at(-1);
  if (isTerminal(mission.status)) {
    const { tone, word } = stateOf(mission);
    return (
      <Line tone={tone} word={word} headline={capital(mission.ended_reason ?? 'ended')}>
        {mission.ended_at !== null && <>Ended <Age at={mission.ended_at} />.</>} {mission.capa_id !== null && <>Record <a href="/capa">{mission.capa_id}</a> holds what is to be done about it.</>}
      </Line>
    );
  }
  if (mission.paused && mission.waiting_on?.kind !== 'pause') return <Line tone="warn" word="pausing" headline="Pauses before its next stage.">Resumed by an operator.</Line>;
  if (mission.waiting_on !== null) {
    const { kind, reason, who, since, deadline, on_deadline: then } = mission.waiting_on;
    return (
      <Line tone={kind === 'operator' || kind === 'budget' || kind === 'pause' ? 'warn' : 'wait'} word={waitWord(kind)} headline={<>{capital(reason)} <span class="faint">for <Span at={since} /></span></>}
        action={kind === 'approval' && may('approval:decide') && <a class="button primary" href={`/missions/${inPath(mission.mission_id)}?tab=approvals`}>Review</a>}>
        Who can end it: {who}. {deadline === null ? 'It has no deadline.' : <>At <Clock at={deadline} />, in <Span at={deadline} />: {inWords(then ?? 'nothing').toLowerCase()}.</>}
      </Line>
    );
  }
  if (window?.state === 'running') return <Watching mission={mission} window={window} />;
  if (mission.started_at === null) return <Line tone="unknown" word="open" headline="Not started.">Handed in <Age at={mission.created_at} /> by {mission.created_by}.</Line>;
  return null;
}

function Watching({ mission, window }: { mission: MissionDetail; window: WindowView }) {
  const start = Date.parse(window.t0);
  const end = windowEnd(window.spec, start);
  const bad = window.samples.filter((sample) => sample.kind !== 'PASS').length;
  const samples = window.spec.metrics === 'none' ? 'Nothing is measured'
    : window.samples.length === 0 ? 'No sample yet'
    : bad === 0 ? `Every sample so far passed (${window.samples.length})` : `${bad} of ${plural(window.samples.length, 'sample')} did not pass`;
  return (
    <Line tone="wait" word="watching" headline={`${duration(Math.min(now.value, end) - start)} of ${duration(end - start)}. ${samples}.`}>
      Ends by itself at <Clock at={new Date(end).toISOString()} />: resolves if every metric held,{' '}
      {mission.landed_commit === null ? 'undoes what was done' : <>reverts <span class="mono">{mission.landed_commit.slice(0, 8)}</span></>} when one fails.
    </Line>
  );
}

const Line = ({ tone, word, headline, action, children }: { tone: Tone; word: string; headline: ComponentChildren; action?: ComponentChildren; children: ComponentChildren }) => (
  <section class={`banner ${tone}`} aria-label="What it waits for">
    <Chip tone={tone}>{word}</Chip>
    <div class="wrap"><b>{headline}</b><p>{children}</p></div>
    {action}
  </section>
);
