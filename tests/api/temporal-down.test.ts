import { afterAll, beforeAll, expect, test } from 'vitest';
import { call, changingNothing, expectProblem, keyFor } from '../support/http.ts';
import { calculator, fixedAdd } from '../support/repository.ts';
import { ownTemporal, startApi, type OwnApi, type OwnServer } from '../support/servers.ts';
import { missionBody, startSystem, type System } from '../support/system.ts';

let system: System;
let engine: OwnServer;
let api: OwnApi;
let key: string;
let running: string;
const missions = '/mission-control/missions';

beforeAll(async () => {
  system = await startSystem();
  engine = await ownTemporal();
  api = await startApi({ home: system.home, databaseUrl: system.db.url, temporal: engine.address });
  key = await keyFor(system, 'operator', 'operator');
  running = await create({ execute: true });
  await engine.kill();
});
afterAll(async () => {
  await api.close();
  await engine.remove();
  await system.stop();
});

async function create(more: Record<string, unknown> = {}): Promise<string> {
  const repository = system.repository(calculator);
  const answer = await call(api.url, missions, { key, json: { ...missionBody(repository, [repository.diff(fixedAdd)]), ...more } });
  expect(answer.status, answer.text).toBe(201);
  return String(answer.body['mission_id']);
}

test('whatever is read is still read', async () => {
  for (const path of ['/missions', `/missions/${running}`, `/missions/${running}/stages`, `/missions/${running}/timeline`, '/approvals', '/capa', '/metrics', '/repositories']) {
    expect((await call(api.url, `/mission-control${path}`, { key })).status, path).toBe(200);
  }
});

test('health says so: measured, with a reason, and not ready', async () => {
  const status = await call(api.url, '/mission-control/status', { key });
  expect(status.status).toBe(200);
  expect(status.body['overall_health']).toBe('unhealthy');
  const parts = status.body['subsystems'] as { id: string; state: string; reason: string | null }[];
  expect(parts.find((part) => part.id === 'temporal')).toMatchObject({ state: 'unhealthy', reason: expect.stringMatching(/./) as string });
  expect(parts.find((part) => part.id === 'postgres')).toMatchObject({ state: 'healthy', reason: null });
  const ready = await call(api.url, '/health/ready');
  expect(ready.status).toBe(503);
  expect(ready.body['not_ready']).toContain('temporal');
  expect((await call(api.url, '/health/live')).status).toBe(200);
});

test('steering a running mission is refused within seconds and changes nothing', async () => {
  await changingNothing(system.db.database, async () => {
    const started = Date.now();
    const answers = await Promise.all(['pause', 'resume', 'retry', 'abort'].map((verb) =>
      call(api.url, `${missions}/${running}/${verb}`, { key, json: { reason: 'x' } })));
    for (const answer of answers) {
      expectProblem(answer, 503, 'ENGINE_UNAVAILABLE');
      expect(answer.headers.get('retry-after')).toBe('1');
    }
    // 5 s for the message, 1 s to see whether anybody is there, the rest for a busy machine.
    expect(Date.now() - started).toBeLessThan(15_000);
  });
});

test('a mission is taken in all the same, and runs when the engine is back', async () => {
  const asked = await create({ execute: true });
  const later = await create();
  expectProblem(await call(api.url, `${missions}/${later}/execute`, { key, method: 'POST' }), 503, 'ENGINE_UNAVAILABLE');
  await engine.start();
  // The api found its way back by itself; asking again starts it.
  await system.until(async () => (await call(api.url, `${missions}/${later}/execute`, { key, method: 'POST' })).status === 202);
  expect((await call(api.url, `${missions}/${asked}/execute`, { key, method: 'POST' })).status).toBe(202);
  const status = await call(api.url, '/mission-control/status', { key });
  expect((status.body['subsystems'] as { id: string; state: string }[]).find((part) => part.id === 'temporal')?.state).toBe('healthy');
});
