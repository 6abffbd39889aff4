/** What the benches run: our own workflows, and the naive or bare form of the same. */
import { proxyActivities, sleep } from '@temporalio/workflow';
import { codingStages } from '../src/domain/stages.ts';
import type { MissionPackage } from '../src/domain/mission-package.ts';
import { record } from '../src/workflows/activities.ts';
import { openMission } from '../src/workflows/mission.ts';

export { observationWindow } from '../src/workflows/observation-window.ts';

/** Eleven stages of ours, each with its attempt, evidence, rows and events; the work of a stage is one keyed local activity. */
export async function emptyMission({ package: pack }: { package: MissionPackage }): Promise<void> {
  const mission = openMission(pack);
  mission.change({ status: 'in_progress', started_at: new Date().toISOString() });
  mission.note('mission.started', {});
  for (const name of codingStages) {
    await mission.stage(name, async () => {
      await record.chooseHost();
      return { outcome: 'passed', reason: null, evidence: [] };
    });
  }
  mission.change({ status: 'resolved', outcome: 'landed', ended_at: new Date().toISOString(), progress: 100 });
  mission.note('mission.status_changed', { status: 'resolved' });
  await mission.flush();
}

const { writeStage } = proxyActivities<{ writeStage(input: { mission_id: string; stage: string }): Promise<void> }>({ startToCloseTimeout: '1m' });

/** The naive form: one default activity a stage, which writes the stage's row and event. */
export async function naiveMission({ mission_id }: { mission_id: string }): Promise<void> {
  for (const stage of codingStages) await writeStage({ mission_id, stage });
}

const { nothing } = proxyActivities<{ nothing(at: number): Promise<void> }>({ startToCloseTimeout: '1m' });

/** As many timers and activities as an observation window has, and nothing in them. */
export async function bareTicks({ ticks }: { ticks: number[] }): Promise<void> {
  for (const at of ticks) {
    if (at > Date.now()) await sleep(at - Date.now());
    await nothing(at);
  }
}
