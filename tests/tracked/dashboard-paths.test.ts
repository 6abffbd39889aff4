import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { trackedSchema } from '../../src/api/tracked-view.ts';
import { missionStatuses } from '../../src/domain/mission.ts';
import { trackedStatusOf, type TrackedView } from '../../src/domain/tracked.ts';
import { call, expectProblem, keyFor, type Answer } from '../support/http.ts';
import { brokenAdd, calculator } from '../support/repository.ts';
import { startSystem, type System } from '../support/system.ts';

let system: System;
let olga: string;
let bot: string;
beforeAll(async () => {
  system = await startSystem();
  await system.startWorker();
  [olga, bot] = [await keyFor(system, 'olga', 'operator'), await keyFor(system, 'bot', 'agent')];
});
afterAll(() => system.stop());

const send = (path: string, json?: unknown, more: { key?: string; headers?: Record<string, string> } = {}): Promise<Answer> =>
  call(system.url, `/api${path}`, { key: olga, ...more, method: 'POST', ...(json === undefined ? {} : { json }) });
const get = (path: string): Promise<Answer> => call(system.url, `/api${path}`, { key: olga });
const viewOf = (answer: Answer): TrackedView => trackedSchema.parse(answer.body) as TrackedView;

async function created(more: Record<string, unknown> = {}): Promise<string> {
  const answer = await send('/missions', { title: 'Document Processing', ...more });
  expect(answer.status, answer.text).toBe(201);
  return viewOf(answer).id;
}
const running = (more: Record<string, unknown> = {}): Promise<string> => created({ ...more, execute: true });
const eventsOf = async (id: string, type?: string): Promise<{ type: string; payload: Record<string, unknown>; actor: { id: string } }[]> => {
  const { items } = await system.reader.get<{ items: { type: string; payload: Record<string, unknown>; actor: { id: string } }[] }>(`/mission-control/missions/${id}/timeline`);
  return items.filter((event) => type === undefined || event.type === type);
};

test("the original's curl line works as it is written, with a key", async () => {
  const { stdout } = await promisify(execFile)('curl', ['-s', '-X', 'POST', `${system.url}/api/missions`,
    '-H', 'Content-Type: application/json', '-H', `Authorization: Bearer ${olga}`,
    '-d', '{\n    "title": "Document Processing",\n    "description": "Process uploaded documents",\n    "priority": "high"\n  }']);
  const mission = trackedSchema.parse(JSON.parse(stdout));
  expect(mission).toMatchObject({
    title: 'Document Processing', description: 'Process uploaded documents', priority: 'high', status: 'pending', progress: 0,
    started_at: null, completed_at: null, duration: null, error_message: null, result: null, metadata: null, agent_type: null, model_used: null,
    tokens_used: null, cost_estimate: null,
  });
  expect(mission.id).toMatch(/^mission_\d{8}_\d{3,}$/);
  expect(await system.mission(mission.id)).toMatchObject({ mission_type: 'tracked', severity: 'high', subsystem_id: 'tracked', status: 'open', stages: [] });
});

test('a whole life: the mission object at its end has every field of the original', async () => {
  const id = await created({ metadata: { type: 'document_processing' } });
  const started = viewOf(await send(`/missions/${id}/start`, { agent_type: 'IntentRouter', model_used: 'mistral:7b-instruct' }));
  expect(started).toMatchObject({ status: 'running', agent_type: 'IntentRouter', model_used: 'mistral:7b-instruct', metadata: { type: 'document_processing' } });
  expect(viewOf(await send(`/missions/${id}/progress`, { progress: 33.3, message: 'a third', metadata: { pages: 7 } }))).toMatchObject({
    progress: 33.3, message: 'a third', metadata: { type: 'document_processing', pages: 7 }, tokens_used: null,
  });
  expect((await system.mission(id)).progress).toBe(33);
  // Less than before is said by whoever had to do something again.
  expect(viewOf(await send(`/missions/${id}/progress`, { progress: 20 })).progress).toBe(20);
  const done = viewOf(await send(`/missions/${id}/complete`, { result: { status: 'completed' }, tokens_used: 1500, cost_estimate: 0.15 }));
  expect(done).toMatchObject({ status: 'completed', progress: 100, result: { status: 'completed' }, tokens_used: 1500, cost_estimate: 0.15, error_message: null });
  expect(done.duration).toBeCloseTo((Date.parse(done.completed_at!) - Date.parse(done.started_at!)) / 1_000, 5);
  expect(viewOf(await get(`/missions/${id}`))).toEqual(done);
  expect(await system.mission(id)).toMatchObject({ status: 'resolved', outcome: 'completed', tokens: 1500, cost_micro_usd: 150_000, usage_unreported: 0 });
  expect((await eventsOf(id, 'mission.status_changed')).map(({ actor, payload }) => [actor.id, payload['outcome']])).toEqual([['olga', 'completed']]);
});

test('failed and cancelled; what nobody reported stays unknown', async () => {
  const [failed, cancelled, never] = [await running(), await running(), await created()];
  expect(viewOf(await send(`/missions/${failed}/fail`, { error_message: 'out of memory' }))).toMatchObject({ status: 'failed', error_message: 'out of memory', tokens_used: null, cost_estimate: null });
  expect(await system.mission(failed)).toMatchObject({ status: 'escalated', outcome: 'failed', usage_unreported: 1, capa_id: null });
  expect(viewOf(await send(`/missions/${cancelled}/cancel`))).toMatchObject({ status: 'cancelled', error_message: null });
  expect(viewOf(await send(`/missions/${never}/cancel`, { reason: 'not needed' }))).toMatchObject({ status: 'cancelled', started_at: null, duration: null });
  expect(await system.mission(never)).toMatchObject({ status: 'aborted', outcome: 'cancelled', ended_reason: 'not needed' });
});

test('what does not apply is refused with a code, and completion is final', async () => {
  const id = await created();
  expectProblem(await send(`/missions/${id}/progress`, { progress: 1 }), 409, 'MISSION_NOT_RUNNING');
  expectProblem(await send(`/missions/${id}/complete`), 409, 'MISSION_NOT_RUNNING');
  await send(`/missions/${id}/start`);
  expectProblem(await send(`/missions/${id}/start`, { agent_type: 'another' }), 409, 'MISSION_STARTED');
  for (const progress of [-1, 101, '50', null]) expectProblem(await send(`/missions/${id}/progress`, { progress }), 400, 'INVALID_REQUEST', 'progress');
  expectProblem(await send(`/missions/${id}/progress`, { progress: 1, percent: 2 }), 400, 'UNKNOWN_FIELD', 'percent');
  expectProblem(await send(`/missions/${id}/complete`, { tokens_used: 1.5 }), 400, 'INVALID_REQUEST', 'tokens_used');
  for (const depth of [30, 100_000]) {
    const raw = `{"result": ${'['.repeat(depth)}${']'.repeat(depth)}}`;
    expectProblem(await call(system.url, `/api/missions/${id}/complete`, { key: olga, raw, headers: { 'content-type': 'application/json' } }), 400, 'INVALID_REQUEST', 'result');
  }
  expectProblem(await send(`/missions/${id}/progress`, { progress: 1, metadata: { x: 'y'.repeat(17_000) } }), 400, 'INVALID_REQUEST', 'metadata');
  // Field by field they could grow for ever, under every list and every write.
  for (let i = 0; i < 4; i += 1) expect((await send(`/missions/${id}/progress`, { progress: 1, metadata: { [`x${i}`]: 'y'.repeat(16_000) } })).status).toBe(200);
  expectProblem(await send(`/missions/${id}/progress`, { progress: 1, metadata: { x4: 'y'.repeat(16_000) } }), 422, 'METADATA_FULL', 'metadata');
  expect((await send(`/missions/${id}/progress`, { progress: 2 })).status).toBe(200);
  for (const verb of ['pause', 'resume', 'retry']) {
    expectProblem(await call(system.url, `/mission-control/missions/${id}/${verb}`, { key: olga, json: {} }), 409, 'NOTHING_RUNS_HERE');
  }
  const done = await Promise.all([send(`/missions/${id}/complete`), send(`/missions/${id}/fail`, { error_message: 'x' })]);
  expect(new Set(done.map(({ status }) => status))).toEqual(new Set([200, 409]));
  const end = viewOf(await get(`/missions/${id}`));
  for (const verb of ['start', 'complete', 'fail', 'cancel', 'progress']) {
    expectProblem(await send(`/missions/${id}/${verb}`, verb === 'progress' ? { progress: 3 } : {}), 409, 'MISSION_ENDED');
  }
  expect(viewOf(await get(`/missions/${id}`))).toEqual(end);
  expectProblem(await send('/missions/mission_20200101_001/start'), 404, 'MISSION_NOT_FOUND');
  expectProblem(await send('/missions', { description: 'no title' }), 400, 'INVALID_REQUEST', 'title');
  expectProblem(await send('/missions', { title: 'x', priority: 'urgent' }), 400, 'INVALID_REQUEST', 'priority');
});

test('one key, one report, also after the end; with another body it is refused', async () => {
  const key = { headers: { 'idempotency-key': 'create-1' } };
  const id = viewOf(await send('/missions', { title: 'Once' }, key)).id;
  expect(viewOf(await send('/missions', { title: 'Once' }, key)).id).toBe(id);
  const once = (verb: string, body: unknown) => send(`/missions/${id}/${verb}`, body, { headers: { 'idempotency-key': `${id}-${verb}` } });
  expect((await once('start', {})).status).toBe(200);
  expect((await once('start', {})).status).toBe(200);
  await Promise.all([once('progress', { progress: 40 }), once('progress', { progress: 40 })]);
  await send(`/missions/${id}/progress`, { progress: 60 });
  expect(viewOf(await once('progress', { progress: 40 })).progress).toBe(60);
  expectProblem(await once('progress', { progress: 41 }), 422, 'IDEMPOTENCY_MISMATCH');
  const done = viewOf(await once('complete', { tokens_used: 3 }));
  expect(viewOf(await once('complete', { tokens_used: 3 }))).toEqual(done);
  expect(await eventsOf(id, 'mission.status_changed')).toHaveLength(1);
});

test('an agent reports on what it sent, what it started and what is assigned to it, and on nothing else', async () => {
  const [sent, started, assigned, others] = [
    viewOf(await send('/missions', { title: 'Mine', execute: true }, { key: bot })).id, await created(), await running({ assigned_to: 'bot' }), await running(),
  ];
  expect((await send(`/missions/${started}/start`, {}, { key: bot })).status).toBe(200);
  for (const id of [sent, started, assigned]) expect((await send(`/missions/${id}/progress`, { progress: 5 }, { key: bot })).status).toBe(200);
  expectProblem(await send(`/missions/${others}/complete`, {}, { key: bot }), 403, 'NOT_YOUR_MISSION');
  expectProblem(await send(`/missions/${await created({ assigned_to: 'rita' })}/start`, {}, { key: bot }), 403, 'NOT_YOUR_MISSION');
});

test('missions that run here are seen and not reported on; every status has its word', async () => {
  const repository = system.repository(calculator);
  const { mission_id: coding } = await system.send(repository, [repository.diff(brokenAdd)], { title: 'Calculator zyxwv' });
  await system.whenEnded(coding);
  const seen = viewOf(await get(`/missions/${coding}`));
  expect(seen).toMatchObject({ mission_type: 'coding', status: 'failed', error_message: expect.any(String) as string });
  for (const verb of ['start', 'progress', 'complete', 'fail', 'cancel']) {
    expectProblem(await send(`/missions/${coding}/${verb}`, verb === 'progress' ? { progress: 1 } : {}), 409, 'MISSION_NOT_TRACKED');
  }
  expect(missionStatuses.map(trackedStatusOf)).toEqual(['pending', 'running', 'running', 'completed', 'failed', 'cancelled']);
  const list = async (query: string) => (await get(`/missions?${query}`)).body['missions'] as TrackedView[];
  for (const status of ['pending', 'running', 'completed', 'failed', 'cancelled']) {
    const missions = await list(`status=${status}`);
    expect(missions.map((mission) => mission.status), status).not.toEqual([]);
    expect(new Set(missions.map((mission) => mission.status))).toEqual(new Set([status]));
  }
  expect((await list('search=ZYXWV%20calculator')).map(({ id }) => id)).toEqual([coding]);
  expect(await list("search=zyxwv%20'%20%5C%20%26!%20(")).toHaveLength(1);
  expect(await list('search=zyxwv%20nothing')).toEqual([]);
  const high = await created({ priority: 'critical' });
  expect((await list('priority=critical&limit=1')).map(({ id }) => id)).toEqual([high]);
  const running = (await get('/running')).body;
  expect(running['count']).toBe((running['missions'] as unknown[]).length);
});

test('figures: counts are counts, and what nobody knows is null', async () => {
  const before = (await get('/metrics')).body as Record<string, number>;
  const id = await running();
  await send(`/missions/${id}/complete`, { tokens_used: 1_000, cost_estimate: 0.5 });
  await send(`/missions/${await running()}/complete`);
  const after = (await get('/metrics')).body as Record<string, number>;
  expect(after['total_missions']).toBe(before['total_missions']! + 2);
  expect(after['completed_missions']).toBe(before['completed_missions']! + 2);
  expect(after['total_tokens']).toBe(before['total_tokens']! + 1_000);
  expect(after['total_cost']).toBeCloseTo(before['total_cost']! + 0.5, 6);
  expect(after['success_rate']).toBeCloseTo((100 * after['completed_missions']!) / after['total_missions']!, 6);
  const { items } = (await get('/metrics/history?points=3')).body as { items: Record<string, number | null>[] };
  expect(items[0]).toMatchObject({ total_missions: 0, completed_missions: 0, average_duration: null, success_rate: null, total_tokens: null, total_cost: null });
  expect(items.at(-1)).toMatchObject({ total_missions: after['total_missions'], completed_missions: after['completed_missions'], failed_missions: after['failed_missions'] });
  expectProblem(await get('/metrics/history?from=2100-01-01T00:00:00Z'), 422, 'SERIES_RANGE', 'from');
});
