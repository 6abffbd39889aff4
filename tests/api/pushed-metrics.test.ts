import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Role } from '../../src/domain/actor.ts';
import { call, changingNothing, expectProblem, keyFor } from '../support/http.ts';
import { startSystem, type System } from '../support/system.ts';

let system: System;
const keys = new Map<Role, string>();
beforeAll(async () => {
  system = await startSystem();
  for (const role of ['operator', 'agent', 'viewer', 'approver'] as const) keys.set(role, await keyFor(system, role, role));
});
afterAll(() => system.stop());

const define = (id: string, json: unknown, role: Role = 'operator') => call(system.url, `/mission-control/metrics/${id}`, { key: keys.get(role)!, method: 'PUT', json });
const push = (id: string, json: unknown, role: Role = 'operator') => call(system.url, `/mission-control/metrics/${id}/observations`, { key: keys.get(role)!, json });
const pushRaw = (id: string, raw: string) =>
  call(system.url, `/mission-control/metrics/${id}/observations`, { key: keys.get('operator')!, raw, headers: { 'content-type': 'application/json' } });
const samples = (id: string) => system.db.database.query<{ value: number; at: string; observed_revision: string | null; pushed_by: string; pushed_role: string }>(
  'SELECT value, at, observed_revision, pushed_by, pushed_role FROM metric_samples WHERE metric_id = $1 ORDER BY sample_id', [id]);
const definition = { comparator: '<', target: 100, unit: 'ms' };

test('defined: 201 at first, 200 when it changes, and the catalog shows the last', async () => {
  expect((await define('api.latency', definition)).status).toBe(201);
  expect((await define('api.latency', { ...definition, target: 50 })).status).toBe(200);
  const { body } = await call(system.url, '/mission-control/metrics', { key: keys.get('viewer')! });
  expect((body['items'] as { metric_id: string }[]).filter((metric) => metric.metric_id === 'api.latency'))
    .toMatchObject([{ target: 50, comparator: '<', unit: 'ms', defined_by: 'api', source: { kind: 'push' } }]);
});

test('two definitions at once: one is new', async () => {
  const answers = await Promise.all([1, 2, 3, 4].map((target) => define('race', { ...definition, target })));
  expect(answers.filter((answer) => answer.status === 201)).toHaveLength(1);
  expect(answers.filter((answer) => answer.status === 200)).toHaveLength(3);
});

test('what the file defines is the file\'s', () => changingNothing(system.db.database, async () => {
  expectProblem(await define('infra.cpu_utilization', definition), 409, 'METRIC_IN_FILE');
}));

test('what the file defines can be measured', async () => {
  expect((await push('infra.cpu_utilization', { value: 12.5 })).status).toBe(202);
  expect(await samples('infra.cpu_utilization')).toMatchObject([{ value: 12.5, pushed_by: 'operator', pushed_role: 'operator' }]);
});

test('one or many observations, with their times and revisions', async () => {
  await define('many', definition);
  const at = new Date(Date.now() - 60_000).toISOString();
  const one = await push('many', { value: 1, at, observed_revision: 'abc' });
  expect(one.status).toBe(202);
  expect(one.body).toEqual({ accepted: 1 });
  expect((await push('many', [{ value: 2 }, { value: -0.5 }])).body).toEqual({ accepted: 2 });
  expect((await push('many', Array.from({ length: 1_000 }, () => ({ value: 3 })))).body).toEqual({ accepted: 1_000 });
  const stored = await samples('many');
  expect(stored).toHaveLength(1_003);
  expect(stored.at(0)).toMatchObject({ value: 1, at, observed_revision: 'abc' });
  expect(stored.at(2)?.value).toBe(-0.5);
});

test('an observation may name its moment at any offset', async () => {
  await define('offsets', definition);
  const now = Date.now() - 1_000;
  const local = `${new Date(now + 20 * 3_600_000).toISOString().slice(0, -1)}+20:00`;
  expect((await push('offsets', { value: 1, at: local })).status).toBe(202);
  expect(await samples('offsets')).toMatchObject([{ at: new Date(now).toISOString() }]);
});

describe('refused, and nothing is kept', () => {
  beforeAll(() => define('kept', definition));
  const refused = (work: () => Promise<Awaited<ReturnType<typeof push>>>, status: number, code: string, path?: string): Promise<void> =>
    changingNothing(system.db.database, async () => expectProblem(await work(), status, code, path));

  test.each(['agent', 'viewer', 'approver'] as const)('%s measures nothing and defines nothing', async (role) => {
    await refused(() => push('kept', { value: 1 }, role), 403, 'FORBIDDEN');
    await refused(() => define('mine', definition, role), 403, 'FORBIDDEN');
  });

  test('a metric nobody defined', () => refused(() => push('no.such', { value: 1 }), 404, 'METRIC_UNKNOWN'));

  test.each(['NaN', 'Infinity', '-Infinity', '0x10', '1.', '.5', '+1', '01'])('%s is no JSON number', (value) =>
    refused(() => pushRaw('kept', `{"value":${value}}`), 400, 'INVALID_JSON'));

  test.each(['1e999', '-1e999', 'null', '"1"', 'true', '[]', '{"valueOf":1}'])('%s is no finite number', (value) =>
    refused(() => pushRaw('kept', `{"value":${value}}`), 400, 'INVALID_REQUEST', 'value'));

  test('one bad observation spoils the list, and is named', async () => {
    await refused(() => push('kept', [{ value: 1 }, { value: 2 }, { value: 'x' }]), 400, 'INVALID_REQUEST', '2.value');
    await refused(() => push('kept', [{ value: 1 }, { value: 2, colour: 'red' }]), 400, 'UNKNOWN_FIELD', '1.colour');
    await refused(() => push('kept', [{ value: 1 }, { value: 2, at: '2001-01-01T00:00:00Z' }]), 422, 'SAMPLE_TIME', '1.at');
  });

  test('none, and more than 1,000', async () => {
    await refused(() => push('kept', []), 400, 'INVALID_REQUEST');
    await refused(() => push('kept', Array.from({ length: 1_001 }, () => ({ value: 1 }))), 400, 'INVALID_REQUEST');
  });

  test('older than a day, more than a minute ahead', async () => {
    const hours = (n: number): string => new Date(Date.now() + n * 3_600_000).toISOString();
    for (const at of [hours(-24.1), hours(0.05), '0001-01-01T00:00:00Z', '9999-12-31T23:59:59Z']) {
      await refused(() => push('kept', { value: 1, at }), 422, 'SAMPLE_TIME', 'at');
    }
    for (const at of ['yesterday', '2025-02-30T00:00:00Z', 1_700_000_000, '2025-01-01']) {
      await refused(() => push('kept', { value: 1, at }), 400, 'INVALID_REQUEST', 'at');
    }
  });

  test.each<[string, unknown, string, string]>([
    ['no comparator', { target: 1 }, 'INVALID_REQUEST', 'comparator'], ['an unknown one', { ...definition, comparator: '=' }, 'INVALID_REQUEST', 'comparator'],
    ['no target', { comparator: '<' }, 'INVALID_REQUEST', 'target'], ['a target in words', { ...definition, target: '100' }, 'INVALID_REQUEST', 'target'],
    ['a source that would be fetched', { ...definition, source: { kind: 'http', url: 'http://169.254.169.254/' } }, 'UNKNOWN_FIELD', 'source.kind'],
    ['a source with more in it', { ...definition, source: { kind: 'push', url: 'file:///etc/passwd' } }, 'UNKNOWN_FIELD', 'source.url'],
    ['a unit of 41', { ...definition, unit: 'x'.repeat(41) }, 'INVALID_REQUEST', 'unit'],
  ])('a definition with %s', (_name, json, code, path) => refused(() => define('kept', json), 400, code, path));

  test.each(['__proto__', '-x', '.x', 'a%2fb', 'a%20b', 'x'.repeat(201)])('a metric called %s', (id) =>
    refused(() => define(id, definition), 400, 'INVALID_REQUEST', 'metric_id'));
});
