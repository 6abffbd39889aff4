/** What must be true of a mission that landed, however often anything died on its way. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import type { MissionDetail } from '../../src/domain/mission-view.ts';
import { codingStages, type StageRecord } from '../../src/domain/stages.ts';
import { parseVkey } from '../../src/ledger/note.ts';
import { verifyDatabase } from '../../src/ledger/verify-ledger.ts';
import { ledgerPaths } from '../../src/home.ts';
import type { CrashMission, CrashSystem } from './crash-mission.ts';
import { engineOf, eventually } from './launched.ts';
import { runningIn } from './processes.ts';
import { withClient } from './turnstile.ts';

/** @param attempts `one`: every stage ran once; `any`: a killed command is a failed attempt, and others followed it */
export async function expectOneCleanLanding(system: CrashSystem, mission: CrashMission, ended: MissionDetail, attempts: 'one' | 'any'): Promise<void> {
  expect(ended, ended.ended_reason ?? '').toMatchObject({ status: 'resolved', outcome: 'landed', landed_tree: mission.expectedTree });
  expect(mission.repository.tree()).toBe(mission.expectedTree);
  expect(mission.repository.git('status', '--porcelain')).toBe('');
  // The first commit, somebody else's, and ours.
  expect(mission.repository.log()).toHaveLength(3);
  await expectEveryResultOnce(system, mission.mission_id, attempts);
  await expectNothingLeft(system, [mission.mission_id]);
  await expectWholeLedger(system);
}

async function expectEveryResultOnce(system: CrashSystem, missionId: string, attempts: 'one' | 'any'): Promise<void> {
  const { items } = await system.launched.api().get<{ items: StageRecord[] }>(`/mission-control/missions/${missionId}/stages`);
  const last = codingStages.map((name) => items.filter((stage) => stage.name === name).at(-1));
  expect(last.map((stage) => [stage?.name, stage?.status])).toEqual(codingStages.map((name) => [name, 'passed']));
  if (attempts === 'one') expect(items).toHaveLength(codingStages.length);
  const events = await withClient(system.databaseUrl(), async (client) => (await client.query<{ type: string; at: string; n: number }>(
    `SELECT type, stage || ':' || attempt AS at, count(*)::int AS n FROM events
      WHERE mission_id = $1 AND type IN ('stage.started', 'stage.ended', 'merge.landed') GROUP BY 1, 2`, [missionId])).rows);
  expect(events.filter(({ n }) => n !== 1), 'recorded more than once').toEqual([]);
  const told = (type: string): string[] => events.filter((event) => event.type === type).map(({ at }) => at).sort();
  const stored = items.map(({ name, attempt }) => `${name}:${attempt}`).sort();
  expect(told('stage.started')).toEqual(stored);
  expect(told('stage.ended')).toEqual(stored);
  expect(told('merge.landed')).toHaveLength(1);
}

/** No process, holder of a worktree, workflow, lock of a row, git lock or temporary file of these missions. */
export async function expectNothingLeft(system: CrashSystem, missionIds: readonly string[]): Promise<void> {
  const { home } = system.launched;
  for (const id of missionIds) {
    expect([id, `${id}:landing`].flatMap((marker) => runningIn(home, marker)), `processes of ${id}`).toEqual([]);
  }
  const left = async () => ({
    holders: await withClient(system.databaseUrl(), async (client) => (await client.query('SELECT holder FROM worktrees WHERE holder IS NOT NULL')).rows),
    waiting: await withClient(system.databaseUrl(), async (client) => (await client.query("SELECT pid, query FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND wait_event <> 'advisory'")).rows),
    workflows: await openWorkflows(system, missionIds),
    // An activity's end leaves its token for two seconds, in case its answer was lost.
    tokens: activitiesIn(join(home, 'running')).filter((activity) => !ofSchedules.has(activity)),
    temporary: [...readdirSync(join(home, 'scratch')).filter((name) => name !== 'git-home'), ...locksIn(join(home, 'mirrors'))],
  });
  const nothing = { holders: [], waiting: [], workflows: [], tokens: [], temporary: [] };
  const deadline = Date.now() + 15_000;
  await eventually(async () => Date.now() > deadline || JSON.stringify(await left()) === JSON.stringify(nothing));
  expect(await left()).toEqual(nothing);
}

/** Under way at any time, and no mission's. */
const ofSchedules = new Set(['watchOnce', 'syncWatches', 'maintainMetrics', 'dispatchNotifications', 'sendNotification', 'startUnstarted']);

/** Which activities a worker notes as under way. */
const activitiesIn = (folder: string): string[] => readdirSync(folder).map((name) =>
  (JSON.parse(readFileSync(join(folder, name), 'utf8')) as { activity: string }).activity);

async function openWorkflows(system: CrashSystem, missionIds: readonly string[]): Promise<string[]> {
  const temporal = await engineOf(system.launched);
  try {
    const open: string[] = [];
    for await (const { workflowId } of temporal.workflow.list({ query: "ExecutionStatus = 'Running'" })) open.push(workflowId);
    return open.filter((id) => missionIds.some((mission) => id.startsWith(mission)) || id.startsWith('merge-queue:'));
  } finally {
    await temporal.connection.close();
  }
}

/** Git's own. The file beside a mirror that workers take turns by is there for good. */
const locksIn = (folder: string): string[] => readdirSync(folder, { recursive: true, encoding: 'utf8' })
  .filter((name) => (name.endsWith('.lock') && name.includes('/')) || name.includes('tmp_pack'));

/** Everything sealed, without a gap, and whole by the key and the checkpoints that the data directory published. */
export async function expectWholeLedger(system: CrashSystem): Promise<void> {
  const { vkey, checkpoints } = ledgerPaths(system.launched.home);
  const key = parseVkey(readFileSync(vkey, 'utf8').trim());
  const pins = readFileSync(checkpoints, 'utf8').trim().split('\n').map((line) => ({ where: checkpoints, note: (JSON.parse(line) as { note: string }).note }));
  const report = await eventually(async () => {
    const now = await verifyDatabase(system.databaseUrl(), [key], pins);
    return now.waiting === 0 ? now : undefined;
  });
  expect(report.problems).toEqual([]);
  expect(report.signed_size).toBe(report.records);
}
