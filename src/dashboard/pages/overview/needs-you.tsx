import { computed } from '@preact/signals';
import type { MissionLine } from '../../../domain/mission-view.ts';
import { Card } from '../../parts/card.tsx';
import { Chip } from '../../parts/chip.tsx';
import { Span } from '../../parts/age.tsx';
import { Empty, Loading } from '../../parts/states.tsx';
import { may } from '../../session.ts';
import { metrics, openMissions } from '../../store.ts';
import { inWords, waitsForPerson, waitWord } from '../../words.ts';

/** The longest wait first. */
const waiting = computed(() => openMissions.value.filter(waitsForPerson).sort((a, b) => (a.waiting_on!.since < b.waiting_on!.since ? -1 : 1)));

/** Missions that only a person can help on. */
export function NeedsYou() {
  const all = waiting.value;
  return (
    <Card title="Needs you" aside={String(all.length)}>
      {metrics.value === null && <Loading what="what waits" />}
      {metrics.value !== null && all.length === 0 && <Empty title="Nothing waits for a person">Approvals, parked missions and undecided windows appear here, the longest wait first.</Empty>}
      {all.slice(0, 12).map((mission) => <Wait key={mission.mission_id} mission={mission} />)}
    </Card>
  );
}

function Wait({ mission }: { mission: MissionLine }) {
  const { kind, reason, who, since, deadline, on_deadline: then } = mission.waiting_on!;
  const decides = kind === 'approval' && may('approval:decide');
  const href = `/missions/${encodeURIComponent(mission.mission_id)}${kind === 'approval' ? '?tab=approvals' : ''}`;
  return (
    <div class="row att">
      <Chip tone={kind === 'operator' || kind === 'budget' ? 'warn' : 'wait'}>{waitWord(kind)}</Chip>
      <div class="wrap">
        <a href={href}>{mission.title}</a>
        <div class="sub">
          {reason} · {who} · for <Span at={since} />
          {deadline !== null && <> · in <Span at={deadline} />: {then === null ? 'deadline' : inWords(then).toLowerCase()}</>}
        </div>
      </div>
      <a class={decides ? 'button primary' : 'button'} href={href}>{decides ? 'Review' : 'Open'}</a>
    </div>
  );
}
