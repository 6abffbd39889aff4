import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { ProbeResult } from '../../src/domain/subsystem-health.ts';
import { allHealth, saveInhibition, saveResults } from '../../src/store/subsystem-health.ts';
import { copyDatabase, type TestDatabase } from '../support/database.ts';

let db: TestDatabase;
beforeAll(async () => { db = await copyDatabase(); });
afterAll(() => db.drop());

const result = (probe_id: string, state: ProbeResult['state'], measured_at = Date.now()): ProbeResult =>
  ({ probe_id, state, reason: state, symptom: null, value: null, measured_at, duration_ms: 3, interval_seconds: 15 });
const save = (id: string, declared: string[], results: ProbeResult[]) =>
  db.database.transaction((query) => saveResults(query, id, declared, results, Date.now()));
const health = async (id: string) => (await allHealth(db.database.query)).find((one) => one.subsystem_id === id);
const events = async (id: string): Promise<string[]> => (await db.database.query<{ change: string }>(
  `SELECT payload->>'from' || '>' || (payload->>'state') || coalesce(' by ' || (payload->>'inhibited_by'), '') AS change
     FROM events JOIN event_payloads USING (event_id) WHERE type = 'subsystem.health_changed' AND payload->>'subsystem_id' = $1 ORDER BY ts, event_id`, [id]))
  .map((row) => row.change);

test('the newest result of each probe counts, whoever comes late; each change is one event', async () => {
  const id = randomUUID();
  const now = Date.now();
  await save(id, ['a', 'b'], [result('a', 'healthy', now)]);
  await save(id, ['a', 'b'], [result('b', 'unhealthy', now)]);
  await save(id, ['a', 'b'], [result('b', 'healthy', now - 1_000)]);
  expect(await health(id)).toMatchObject({ state: 'unhealthy', reason: 'b: unhealthy' });
  await save(id, ['a', 'b'], [result('b', 'healthy', now + 1)]);
  expect(await events(id)).toEqual(['unknown>healthy', 'healthy>unhealthy', 'unhealthy>healthy']);
});

test('a probe that is no longer declared no longer counts', async () => {
  const id = randomUUID();
  await save(id, ['a', 'b'], [result('a', 'healthy'), result('b', 'unhealthy')]);
  await save(id, ['a'], [result('a', 'healthy', Date.now() + 1)]);
  expect(await health(id)).toMatchObject({ state: 'healthy', probes: [{ probe_id: 'a' }] });
});

test('two evaluators at once: both results are there, no event twice', async () => {
  const id = randomUUID();
  await Promise.all([...Array.from({ length: 5 }, () => save(id, ['a', 'b'], [result('a', 'healthy')])), ...Array.from({ length: 5 }, () => save(id, ['a', 'b'], [result('b', 'healthy')]))]);
  expect((await health(id))?.probes.map((probe) => probe.probe_id)).toEqual(['a', 'b']);
  expect(await events(id)).toEqual(['unknown>healthy']);
});

test('what a failing parent explains is noted once, and is over with the parent', async () => {
  const [parent, child] = [randomUUID(), randomUUID()];
  const graph = [{ subsystem_id: parent, depends_on: [] }, { subsystem_id: child, depends_on: [parent] }];
  const look = () => db.database.transaction((query) => saveInhibition(query, graph));
  await save(parent, ['p'], [result('p', 'unhealthy')]);
  await save(child, ['p'], [result('p', 'unhealthy')]);
  expect(await look()).toEqual(new Map([[child, parent]]));
  await look();
  expect(await health(child)).toMatchObject({ state: 'unhealthy', inhibited_by: parent });
  await save(parent, ['p'], [result('p', 'healthy', Date.now() + 1)]);
  await look();
  expect(await health(child)).toMatchObject({ inhibited_by: null });
  expect(await events(child)).toEqual(['unknown>unhealthy', `unhealthy>unhealthy by ${parent}`, 'unhealthy>unhealthy']);
});
