import { afterAll, beforeAll, expect, test } from 'vitest';
import type { MissionDetail } from '../../src/domain/mission-view.ts';
import type { TrackedView } from '../../src/domain/tracked.ts';
import type { ApiClient } from '../../src/cli/client.ts';
import { call, expectProblem, keyFor } from '../support/http.ts';
import { startSystem, type System } from '../support/system.ts';

let system: System;
let olga: ApiClient;
let key: string;
beforeAll(async () => {
  system = await startSystem();
  await system.configure('notifications.yaml', 'channels: {nowhere: {kind: slack, url: "http://127.0.0.1:9"}}\nroutes: [{kinds: [stalled], channels: [nowhere], group_seconds: 0}]\n');
  await system.startWorker();
  [olga, key] = [await system.as('olga', 'operator'), await keyFor(system, 'olga', 'operator')];
});
afterAll(() => system.stop());

const path = (id: string, verb = ''): string => `/api/missions/${id}${verb}`;
const running = (more: Record<string, unknown> = {}): Promise<TrackedView> => olga.post<TrackedView>('/api/missions', { title: 'Far away', execute: true, ...more });
const report = (id: string, progress: number): Promise<TrackedView> => olga.post<TrackedView>(path(id, '/progress'), { progress });
const stalled = (id: string): Promise<MissionDetail> => system.whenWaiting(id, 'agent');
interface Timed { type: string; ts: string; payload: Record<string, unknown> }
const events = async (id: string, type: string): Promise<Timed[]> =>
  (await system.reader.get<{ items: Timed[] }>(`/mission-control/missions/${id}/timeline?limit=5000`)).items.filter((event) => event.type === type);
const runsOf = async (id: string): Promise<string> => (await system.temporal.workflow.getHandle(id).describe()).runId;

test('without a report it is seen to be stalled, its owner is told, and the next report ends that', async () => {
  const { id } = await running({ stale_after_minutes: 0.01, assigned_to: 'rita' });
  const first = await stalled(id);
  expect(first.status).toBe('in_progress');
  expect(first.waiting_on).toMatchObject({ reason: expect.stringContaining('no report for 0.01 min') as string, who: expect.stringContaining('report') as string, deadline: null });
  expect((await events(id, 'mission.stalled')).map(({ payload }) => payload)).toEqual([expect.objectContaining({ assigned_to: 'rita', created_by: 'olga' })]);
  await system.until(async () => {
    const { items } = await system.reader.get<{ items: { kind: string; title: string }[] }>('/mission-control/notifications?channel=nowhere');
    return items.some((item) => item.kind === 'stalled' && item.title.includes('Far away'));
  });
  expect((await report(id, 10)).waiting_on).toBeNull();
  expect(await events(id, 'mission.wait_ended')).toHaveLength(1);
  await stalled(id);
  expect((await olga.post<TrackedView>(path(id, '/complete'))).status).toBe('completed');
  expect((await system.mission(id)).waiting_on).toBeNull();
  expect(await events(id, 'mission.stalled')).toHaveLength(2);
});

test('many reports are few events and one true row', async () => {
  const { id } = await running();
  for (let progress = 1; progress <= 30; progress += 1) expect((await report(id, progress)).progress).toBe(progress);
  const told = await system.until(async () => {
    const found = await events(id, 'mission.progress');
    return found.reduce((sum, { payload }) => sum + Number(payload['reports']), 0) === 30 && found;
  });
  // The last of a burst is told too, at most one a second.
  expect(told.at(-1)?.payload['progress']).toBe(30);
  const seconds = (Date.parse(told.at(-1)!.ts) - Date.parse(told[0]!.ts)) / 1_000;
  expect(told.length).toBeLessThanOrEqual(seconds + 2);
  expect(await events(id, 'mission.stalled')).toEqual([]);
  await olga.post(`/mission-control/missions/${id}/abort`, { reason: 'enough' });
  expect(await system.whenEnded(id)).toMatchObject({ status: 'aborted', outcome: 'cancelled', ended_reason: 'enough', waiting_on: null });
});

test('a life of many reports goes on in another run, and forgets nothing', async () => {
  const { id } = await running();
  const firstRun = await runsOf(id);
  await olga.post(path(id, '/progress'), { progress: 1, tokens_used: 5, cost_estimate: 0.25 });
  for (let round = 0; round < 26; round += 1) await Promise.all(Array.from({ length: 10 }, (_, i) => report(id, (round * 10 + i) % 100)));
  const row = await report(id, 99.5);
  expect(row).toMatchObject({ progress: 99.5, tokens_used: 5, cost_estimate: 0.25 });
  expect(await runsOf(id)).not.toBe(firstRun);
  await olga.post(path(id, '/complete'));
  expect(await system.mission(id)).toMatchObject({ status: 'resolved', tokens: 5, cost_micro_usd: 250_000, usage_unreported: 0 });
  const told = await events(id, 'mission.progress');
  expect(told.reduce((sum, { payload }) => sum + Number(payload['reports']), 0)).toBe(262);
  expect(await events(id, 'mission.started')).toHaveLength(1);
});

test('without a worker a report is refused and not lost in between; after the restart everything is as it was', async () => {
  const { id } = await running({ stale_after_minutes: 0.02 });
  await report(id, 50);
  await system.stopWorker();
  expectProblem(await call(system.url, path(id, '/progress'), { key, json: { progress: 51 } }), 503, 'WORKER_UNAVAILABLE');
  const pending = await running({ title: 'Later' });
  expect(pending.status).toBe('pending');
  await system.startWorker();
  // What was refused does not come true later; the time without a report went on.
  expect(await stalled(id)).toMatchObject({ progress: 50 });
  expect((await report(id, 52)).progress).toBe(52);
  expect((await system.whenStatus(pending.id, ({ status }) => status === 'in_progress')).mission_id).toBe(pending.id);
});
