import { afterAll, beforeAll, expect, test } from 'vitest';
import { call, expectProblem, keyFor, rowCounts, type Answer } from '../support/http.ts';
import { calculator, fixedAdd, makeRepository } from '../support/repository.ts';
import { ownPostgres, startApi, type OwnApi, type OwnServer } from '../support/servers.ts';
import { missionBody, startSystem, type System } from '../support/system.ts';

let system: System;
let postgres: OwnServer;
let api: OwnApi;
let key: string;
let admin: string;
let body: Record<string, unknown>;
const missions = '/mission-control/missions';

beforeAll(async () => {
  system = await startSystem();
  postgres = await ownPostgres();
  api = await startApi({ home: system.home, databaseUrl: postgres.address, temporal: system.config.temporal.address ?? '' });
  key = await keyFor(api, 'operator', 'operator');
  admin = await keyFor(api, 'root', 'admin');
  const repository = makeRepository(`${system.home}/repositories`, calculator);
  body = missionBody(repository, [repository.diff(fixedAdd)]);
  expect((await call(api.url, missions, { key, json: body })).status).toBe(201);
});
afterAll(async () => {
  await api.close();
  await postgres.remove();
  await system.stop();
});

/** One of each kind: read and written, by either way to the database. */
const everything = (): Promise<Answer[]> => Promise.all([
  call(api.url, missions, { key }),
  call(api.url, '/mission-control/repositories', { key }),
  call(api.url, '/mission-control/metrics', { key }),
  call(api.url, '/mission-control/keys', { key: admin }),
  call(api.url, missions, { key, json: body }),
  call(api.url, '/mission-control/metrics/m.x', { key, method: 'PUT', json: { comparator: '<', target: 1 } }),
  call(api.url, '/mission-control/keys', { key: admin, json: { principal_id: 'x', kind: 'person', role: 'viewer' } }),
]);

const whole = (answers: Answer[]): boolean => answers.every((answer) => answer.status < 300);

test('killed: 503 on every route that needs it, alive all the same, and well again by itself', async () => {
  const before = await rowCounts(api.db.database);
  await postgres.kill();
  for (let round = 0; round < 2; round += 1) {
    for (const answer of await everything()) {
      expectProblem(answer, 503, 'DATABASE_UNAVAILABLE');
      expect(answer.headers.get('retry-after')).toBe('1');
    }
  }
  // However often: who has a key is not taken for a stranger because nobody can look it up.
  const patient = await Promise.all(Array.from({ length: 150 }, () => call(api.url, missions, { key })));
  expect(new Set(patient.map((answer) => answer.body['code']))).toEqual(new Set(['DATABASE_UNAVAILABLE']));
  expect((await call(api.url, '/health/live')).status).toBe(200);
  const ready = await call(api.url, '/health/ready');
  expect(ready.status).toBe(503);
  expect(ready.body['not_ready']).toContain('postgres');
  expect((await call(api.url, '/openapi.json')).status).toBe(200);

  await postgres.start();
  expect(await rowCounts(api.db.database), 'nothing was written by what was refused').toEqual(before);
  expect(whole(await everything())).toBe(true);
});

test('its connections ended one by one: at most one refusal each, never a mistake of ours', async () => {
  for (let round = 0; round < 25; round += 1) {
    const [answers] = await Promise.all([everything(), endConnections()]);
    for (const answer of answers) if (answer.status >= 300) expectProblem(answer, 503, 'DATABASE_UNAVAILABLE');
  }
  await system.until(async () => whole(await everything()));
});

async function endConnections(): Promise<void> {
  // Our own goes with the others.
  await api.db.database.query('SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()').catch(() => undefined);
}
