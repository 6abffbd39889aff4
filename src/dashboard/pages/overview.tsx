import { computed } from '@preact/signals';
import { lazily } from '../frame/lazily.tsx';
import { Card } from '../parts/card.tsx';
import { PageHeader } from '../parts/page-header.tsx';
import { Empty, Loading } from '../parts/states.tsx';
import { may } from '../session.ts';
import { metrics, missions, openMissions } from '../store.ts';
import { Figures } from './overview/figures.tsx';
import { NeedsYou } from './overview/needs-you.tsx';
import { RunningRow } from './overview/running-row.tsx';
import { SubsystemsCard } from './overview/subsystems-card.tsx';
import './overview.css';

const Activity = lazily(() => import('./overview/activity.tsx').then((part) => part.Activity));

const shownRunning = 8;

const running = computed(() => openMissions.value.filter((mission) => mission.started_at !== null));
export const OverviewPage = () => (
  <>
    <PageHeader title="Overview">{may('mission:create') && <a class="button" href="/missions?new=1">New mission</a>}</PageHeader>
    <Figures />
    <div class="cols">
      <div class="stack">
        <NeedsYou />
        <Running />
      </div>
      <div class="stack">
        {may('status:read') && <SubsystemsCard />}
        <Activity />
      </div>
    </div>
  </>
);

function Running() {
  const all = running.value;
  const shown = all.slice(0, shownRunning);
  return (
    <Card title="Running" aside={all.length > shown.length ? <a href="/missions?status=in_progress">{shown.length} of {all.length}</a> : String(all.length)}>
      {metrics.value === null && missions.value.size === 0 && <Loading what="missions" />}
      {metrics.value !== null && shown.length === 0 && (
        <Empty title="Nothing runs">
          {may('mission:create') ? <><a href="/missions?new=1">Hand in a mission</a>, or let an agent do it through the <a href="/docs">API</a>.</> : 'Missions that agents or people hand in appear here.'}
        </Empty>
      )}
      {shown.map((mission) => <RunningRow key={mission.mission_id} mission={mission} />)}
    </Card>
  );
}
