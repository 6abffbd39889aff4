import { afterAll, beforeAll, expect, test } from 'vitest';
import type { MissionDetail } from '../../src/domain/mission-view.ts';
import type { Template } from '../../src/domain/template.ts';
import { mergePackage } from '../../src/domain/template.ts';
import { call, expectProblem, keyFor, type Answer } from '../support/http.ts';
import { calculator, fixedAdd } from '../support/repository.ts';
import { missionBody, startSystem, type System } from '../support/system.ts';

let system: System;
let key: string;
beforeAll(async () => {
  system = await startSystem();
  key = await keyFor(system, 'olga', 'operator');
});
afterAll(() => system.stop());

const post = (path: string, json: unknown, headers: Record<string, string> = {}): Promise<Answer> => call(system.url, `/mission-control${path}`, { key, json, headers });
const batch = async (ids: string[], action: string, reason?: string) => {
  const answer = await post('/missions/batch', { mission_ids: ids, action, ...(reason === undefined ? {} : { reason }) });
  expect(answer.status, answer.text).toBe(200);
  return answer.body['results'] as { mission_id: string; ok: boolean; takes_effect?: string; problem?: { status: number; code: string; detail: string } }[];
};
const tracked = async (more: Record<string, unknown> = {}): Promise<string> =>
  String((await call(system.url, '/api/missions', { key, json: { title: 'Elsewhere', ...more } })).body['id']);

test('each mission of a batch is steered as by its own route, and answers for itself', async () => {
  const repository = system.repository(calculator);
  const { mission_id: unstarted } = (await post('/missions', missionBody(repository, [repository.diff(fixedAdd)]))).body as unknown as MissionDetail;
  const [open, ended] = [await tracked(), await tracked()];
  await call(system.url, `/api/missions/${ended}/cancel`, { key, json: {} });
  expect((await batch([unstarted, open, ended, 'mission_20200101_001'], 'pause')).map(({ mission_id, ok, problem }) => [mission_id, ok, problem?.status, problem?.code])).toEqual([
    [unstarted, false, 409, 'MISSION_NOT_RUNNING'], [open, false, 409, 'MISSION_NOT_RUNNING'],
    [ended, false, 409, 'MISSION_ENDED'], ['mission_20200101_001', false, 404, 'MISSION_NOT_FOUND'],
  ]);
  expect(await batch([open, ended, unstarted], 'abort', 'spring cleaning')).toEqual([
    { mission_id: open, ok: true, takes_effect: 'at once' }, expect.objectContaining({ mission_id: ended, ok: false }), { mission_id: unstarted, ok: true, takes_effect: 'at once' },
  ]);
  for (const id of [open, unstarted]) expect(await system.mission(id)).toMatchObject({ status: 'aborted', ended_reason: 'spring cleaning' });
});

test('a batch that nobody could carry out is refused whole', async () => {
  expectProblem(await post('/missions/batch', { mission_ids: ['a'], action: 'abort' }), 400, 'INVALID_REQUEST', 'reason');
  expectProblem(await post('/missions/batch', { mission_ids: ['a', 'b', 'a'], action: 'pause' }), 400, 'INVALID_REQUEST', 'mission_ids.2');
  expectProblem(await post('/missions/batch', { mission_ids: [], action: 'pause' }), 400, 'INVALID_REQUEST', 'mission_ids');
  expectProblem(await post('/missions/batch', { mission_ids: Array.from({ length: 201 }, (_, i) => `m${i}`), action: 'pause' }), 400, 'INVALID_REQUEST', 'mission_ids');
  expectProblem(await post('/missions/batch', { mission_ids: ['a'], action: 'skip' }), 400, 'INVALID_REQUEST', 'action');
});

test('without a worker a batch ends soon and says which missions were not tried', async () => {
  const ids = await Promise.all(Array.from({ length: 40 }, () => tracked()));
  await Promise.all(ids.map((id) => post(`/missions/${id}/execute`, {})));
  const results = await batch(ids, 'abort', 'x');
  expect(results.map(({ mission_id }) => mission_id)).toEqual(ids);
  expect(new Set(results.map(({ problem }) => problem?.code))).toEqual(new Set(['WORKER_UNAVAILABLE']));
  expect(results.filter(({ problem }) => problem?.detail.startsWith('not tried')).length).toBeGreaterThanOrEqual(20);
});

test('a mission from a template: objects are merged, arrays and the rest replaced, and the whole is checked as always', async () => {
  const repository = system.repository(calculator);
  const { title: _, ...part } = missionBody(repository, [repository.diff(fixedAdd)]);
  const made = await post('/templates', { name: 'Fix the calculator', description: 'as usual', package: { ...part, labels: ['usual', 'maths'] } });
  expect(made.status, made.text).toBe(201);
  const { template_id } = made.body as unknown as Template;
  const answer = await post('/missions', { template_id, title: 'Again', labels: ['now'], acceptance_criteria: { must_pass_tests: ['adds', 'more'] } });
  expect(answer.status, answer.text).toBe(201);
  expect(answer.body).toMatchObject({
    title: 'Again', subsystem_id: 'calculator', labels: ['now'],
    acceptance_criteria: { must_pass_tests: ['adds', 'more'], observation_window_minutes: 0.005 }, workspace: { repo_path: repository.path },
  });
  expectProblem(await post('/missions', { template_id, severity: 'grave' }), 400, 'INVALID_REQUEST', 'severity');
  expectProblem(await post('/missions', { template_id, crypto_signatures: [{ key_id: 'k', signature: 's' }] }), 422, 'SIGNATURE_INVALID', 'crypto_signatures');
  expectProblem(await post('/missions', { template_id: 'template_999', title: 'x' }), 404, 'TEMPLATE_NOT_FOUND', 'template_id');
  expectProblem(await post('/templates', { name: 'Fix the calculator', package: {} }), 409, 'TEMPLATE_EXISTS', 'name');
});

test('a template that lacks something leaves it to the sender; what is there must be right', async () => {
  const { template_id } = (await post('/templates', { name: 'tracked', package: { mission_type: 'tracked', subsystem_id: 'docs', tracked: { stale_after_minutes: 5, metadata: { a: 1 } } } })).body as unknown as Template;
  expectProblem(await post('/missions', { template_id }), 400, 'INVALID_REQUEST', 'severity');
  const answer = await post('/missions', { template_id, severity: 'low', tracked: { metadata: { b: 2 } } });
  expect(answer.body).toMatchObject({ mission_type: 'tracked', subsystem_id: 'docs', tracked: { stale_after_minutes: 5 } });
  expect((await call(system.url, `/api/missions/${String(answer.body['mission_id'])}`, { key })).body).toMatchObject({ metadata: { a: 1, b: 2 } });
  expectProblem(await post('/templates', { name: 'bad', package: { severity: 'grave' } }), 400, 'INVALID_REQUEST', 'package.severity');
  expectProblem(await post('/templates', { name: 'bad', package: { crypto_signatures: [] } }), 400, 'UNKNOWN_FIELD', 'package.crypto_signatures');
  expectProblem(await post('/templates', { name: 'bad', package: { workspace: { repo_path: 'x', branch: 'y' } } }), 400, 'UNKNOWN_FIELD', 'package.workspace.branch');
});

test('a removed template makes nothing any more, but a repeated request still finds its mission', async () => {
  const body = { name: 'short-lived', package: { mission_type: 'tracked', subsystem_id: 'docs', severity: 'low' } };
  const { template_id } = (await post('/templates', body)).body as unknown as Template;
  const once = () => post('/missions', { template_id, title: 'x' }, { 'idempotency-key': 'from-template' });
  const first = await once();
  const remove = () => call(system.url, `/mission-control/templates/${template_id}`, { key, method: 'DELETE' });
  expect((await remove()).status).toBe(200);
  expectProblem(await remove(), 404, 'TEMPLATE_NOT_FOUND');
  expect((await once()).body['mission_id']).toBe(first.body['mission_id']);
  expectProblem(await post('/missions', { template_id, title: 'x' }), 404, 'TEMPLATE_NOT_FOUND');
  expect((await post('/templates', body)).status).toBe(201);
  const types = await system.db.database.query<{ type: string }>("SELECT type FROM events WHERE idempotency_key LIKE $1 ORDER BY ts, event_id", [`${template_id}:%`]);
  expect(types.map(({ type }) => type)).toEqual(['template.added', 'template.removed']);
});

test('merging keeps what is below and what is beside', () => {
  expect(mergePackage({ a: { b: 1, c: [1, 2] }, d: 1 }, { a: { c: [3] }, e: { f: 2 } })).toEqual({ a: { b: 1, c: [3] }, d: 1, e: { f: 2 } });
  expect(mergePackage({ a: { b: 1 } }, { a: 2 })).toEqual({ a: 2 });
  expect(mergePackage({ a: [1] }, { a: { b: 1 } })).toEqual({ a: { b: 1 } });
  expect(Object.getPrototypeOf(mergePackage({}, JSON.parse('{"__proto__": {"x": 1}}') as Record<string, unknown>))).toBe(Object.prototype);
});
