import type { Approval } from '../../domain/approval.ts';
import type { SealedEvent, StoredEvent } from '../../domain/event.ts';
import type { MissionDetail } from '../../domain/mission-view.ts';
import { isTerminal } from '../../domain/mission.ts';
import type { ObservationView } from '../../domain/observation-view.ts';
import { inPath } from '../api.ts';
import { lazily } from '../frame/lazily.tsx';
import { Card } from '../parts/card.tsx';
import { Chip } from '../parts/chip.tsx';
import { Copyable } from '../parts/copyable.tsx';
import { PageHeader } from '../parts/page-header.tsx';
import { Empty, Loaded } from '../parts/states.tsx';
import { Tabs, type Tab } from '../parts/tabs.tsx';
import { EventRow } from '../parts/told.tsx';
import { useResource } from '../resource.ts';
import { may } from '../session.ts';
import { missions } from '../store.ts';
import { severityTone, stateOf } from '../words.ts';
import { Actions } from './mission/actions.tsx';
import { evidenceOf } from './mission/artifact.ts';
import { Banner } from './mission/banner.tsx';
import type { StageEvidence } from './mission/evidence-tab.tsx';
import { Facts } from './mission/facts.tsx';
import { Proved } from './mission/proved.tsx';
import { Stages } from './mission/stages.tsx';
import { WindowTab } from './mission/window-tab.tsx';
import './mission.css';

const TestsTab = lazily(() => import('./mission/tests-tab.tsx').then((part) => part.TestsTab));
const PlanTab = lazily(() => import('./mission/plan-tab.tsx').then((part) => part.PlanTab));
const DiffTab = lazily(() => import('./mission/diff-tab.tsx').then((part) => part.DiffTab));
const LogTab = lazily(() => import('./mission/log-tab.tsx').then((part) => part.LogTab));
const ApprovalsTab = lazily(() => import('./mission/approvals-tab.tsx').then((part) => part.ApprovalsTab));
const EvidenceTab = lazily(() => import('./mission/evidence-tab.tsx').then((part) => part.EvidenceTab));

/** Samples are measured, not told: while a window is open they are asked for. */
const sampledEveryMs = 3_000;
const shownNews = 12;

export function MissionPage({ params }: { params: Record<string, string> }) {
  const id = params['mission_id']!;
  const about = (event: SealedEvent): boolean => event.subject.mission_id === id;
  const mission = useResource<MissionDetail>(`/missions/${inPath(id)}`, { on: about });
  if (mission.data === null) {
    return (
      <>
        <PageHeader title={id} />
        <Loaded of={mission} what="the mission">{() => null}</Loaded>
      </>
    );
  }
  // The list's line may be a moment newer than what was loaded; it never is older by more than the load that follows.
  const line = missions.value.get(id);
  const newer = line !== undefined && line.updated_at > mission.data.updated_at ? line : {};
  return <Loaded of={mission} what="the mission">{(data) => <Whole mission={{ ...data, ...newer }} about={about} />}</Loaded>;
}

function Whole({ mission, about }: { mission: MissionDetail; about: (event: SealedEvent) => boolean }) {
  const path = `/missions/${inPath(mission.mission_id)}`;
  const watching = mission.status === 'observing' || mission.stage === 'observe';
  const observation = useResource<ObservationView>(`${path}/observation`, { on: about, ...(watching ? { every_ms: sampledEveryMs } : {}) });
  const approvals = useResource<{ items: Approval[] }>(may('approval:read') ? `/approvals?mission_id=${encodeURIComponent(mission.mission_id)}` : null, { on: about });
  const timeline = useResource<{ items: StoredEvent[] }>(`${path}/timeline`, { on: about });
  const evidence = useResource<{ items: StageEvidence[] }>(`${path}/evidence`, { on: (event) => about(event) && event.type === 'stage.ended' });
  const { tone, word } = stateOf(mission);
  const news = timeline.data?.items.toReversed() ?? [];
  const logs = (evidence.data?.items ?? []).filter((item) => item.kind === 'log');
  const healing = mission.mission_type === 'healing';

  const tabs: Tab[] = [
    ...(healing ? [{ id: 'plan', label: 'Plan', show: () => <PlanTab stages={mission.stages} /> }] : [
      { id: 'tests', label: 'Tests', show: () => <TestsTab stages={mission.stages} required={mission.acceptance_criteria.must_pass_tests} /> },
      { id: 'diff', label: 'Diff', show: () => <DiffTab stages={mission.stages} /> },
    ]),
    ...(logs.length > 0 || !healing ? [{ id: 'log', label: 'Log', show: () => <LogTab logs={logs} /> }] : []),
    ...(may('approval:read') ? [{ id: 'approvals', label: 'Approvals', count: approvals.data?.items.length, show: () => <ApprovalsTab approvals={approvals} /> }] : []),
    { id: 'timeline', label: 'Timeline', count: timeline.data?.items.length, show: () => <Loaded of={timeline} what="the timeline">{() => <div class="feed">{news.map((event) => <EventRow key={event.event_id} event={event} />)}</div>}</Loaded> },
    { id: 'evidence', label: 'Evidence', count: evidence.data?.items.length, show: () => <EvidenceTab evidence={evidence} missionId={mission.mission_id} /> },
  ];
  const windowTab: Tab = { id: 'window', label: 'Window', show: () => <WindowTab observation={observation} /> };
  // First stands what is of interest now: the window once there is one, until then the tests.
  const watched = watching || (observation.data?.windows.length ?? 0) > 0;
  const shown = watched ? [windowTab, ...tabs] : evidenceOf(mission.stages, 'test_run').length > 0 || healing ? [tabs[0]!, windowTab, ...tabs.slice(1)] : [...tabs.slice(0, 2), windowTab, ...tabs.slice(2)];

  return (
    <>
      <PageHeader title={mission.title} chips={<><Chip tone={severityTone[mission.severity]}>{mission.severity}</Chip><Chip tone={tone}>{word}</Chip></>}>
        <Actions mission={mission} />
        {mission.links.temporal !== null && <a class="button" href={mission.links.temporal} target="_blank" rel="noreferrer">Temporal ↗</a>}
      </PageHeader>
      <p class="under-title"><Copyable value={mission.mission_id} /> <span class="sub">{mission.mission_type} · {isTerminal(mission.status) ? mission.status : `${mission.progress} %`}</span></p>
      <Banner mission={mission} observation={observation.data} />
      <Stages stages={mission.stages} waiting={mission.waiting_on !== null || mission.paused} />
      <div class="cols">
        <section class="card"><Tabs tabs={shown} label="About this mission" /></section>
        <div class="stack">
          {!healing && <Proved mission={mission} approvals={approvals.data?.items ?? []} />}
          <Facts mission={mission} />
          <Card title="Timeline" aside={`${news.length} events`} class="feed">
            {news.length === 0 && timeline.data !== null && <Empty title="Nothing happened yet" />}
            {news.slice(0, shownNews).map((event) => <EventRow key={event.event_id} event={event} />)}
          </Card>
        </div>
      </div>
    </>
  );
}
