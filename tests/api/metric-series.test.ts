import { afterAll, beforeAll, expect, test } from 'vitest';
import { call, expectProblem, keyFor } from '../support/http.ts';
import { startSystem, type System } from '../support/system.ts';
import { tool } from '../cli/tool.ts';

let system: System;
let key: string;
beforeAll(async () => {
  system = await startSystem();
  key = await keyFor(system, 'root', 'admin');
});
afterAll(() => system.stop());

const get = (path: string) => call(system.url, `/mission-control/metrics${path}`, { key });
const define = (id: string, more: Record<string, unknown> = {}) =>
  call(system.url, `/mission-control/metrics/${id}`, { key, method: 'PUT', json: { comparator: '<', target: 100, unit: 'ms', ...more } });
const ago = (seconds: number): string => new Date(Date.now() - seconds * 1_000).toISOString();
const push = (id: string, samples: [secondsAgo: number, value: number][]) =>
  call(system.url, `/mission-control/metrics/${id}/observations`, { key, json: samples.map(([seconds, value]) => ({ at: ago(seconds), value })) });
const standing = async (id: string) => ((await get('')).body['items'] as Record<string, unknown>[]).find((metric) => metric['metric_id'] === id);

test('each metric says where it stands: ok, breached, stale or without data', async () => {
  await Promise.all(['well', 'ill', 'old', 'never'].map((id) => define(id)));
  await push('well', [[50, 500], [2, 40]]);
  await push('ill', [[2, 100]]);
  await push('old', [[3_600, 1]]);
  expect(await standing('well')).toMatchObject({ state: 'ok', value: 40, last_value: 40, stale_after_seconds: 90 });
  expect(await standing('ill')).toMatchObject({ state: 'breached', value: 100 });
  expect(await standing('old')).toMatchObject({ state: 'stale', value: 1 });
  expect((await standing('old'))!['age_seconds']).toBeGreaterThanOrEqual(3_600);
  expect(await standing('never')).toMatchObject({ state: 'no_data', value: null, last_value: null, last_at: null, age_seconds: null });
});

test('a metric with an aggregation stands by its window, beside its last value', async () => {
  await define('worst', { aggregation: 'max', rolling_window_minutes: 10, stale_after_seconds: 3_600 });
  await push('worst', [[1_000, 900], [300, 150], [1, 20]]);
  expect(await standing('worst')).toMatchObject({ state: 'breached', value: 150, last_value: 20 });
});

test('a catalog file that turned bad is said so, and the old one stays in force', async () => {
  const before = (await get('')).body['items'] as { metric_id: string }[];
  expect((await get('')).body['catalog_problem']).toBeNull();
  await system.configure('metrics_catalog.yaml', 'metrics:\n  infra.cpu_utilization:\n    target: 70\n    comparator: "<"\n    unit: 5\n');
  const { body } = await get('');
  expect(body['catalog_problem']).toMatch(/^metrics_catalog\.yaml is not usable: line 5: metrics\.infra\.cpu_utilization\.unit: /);
  expect((body['items'] as { metric_id: string }[]).map((metric) => metric.metric_id)).toEqual(before.map((metric) => metric.metric_id));
  const shown = await tool(['metric', 'list'], { url: system.url, key });
  expect(shown.out).toContain('the catalog file is not in force');
  await system.configure('metrics_catalog.yaml', 'metrics:\n  mine: {target: 1, comparator: "<"}\n');
  const after = (await get('')).body;
  expect(after['catalog_problem']).toBeNull();
  expect((after['items'] as { metric_id: string }[]).map((metric) => metric.metric_id)).toContain('mine');
});

test('a series: what lies in each step, in whole steps, the newest included', async () => {
  await define('shape');
  const base = Math.floor(Date.now() / 60_000) * 60_000 - 10 * 60_000;
  const at = (ms: number): string => new Date(base + ms).toISOString();
  await call(system.url, '/mission-control/metrics/shape/observations', { key, json: [
    ...Array.from({ length: 20 }, (_, i) => ({ at: at(i * 1_000), value: i + 1 })), { at: at(60_000), value: -5 }, { at: at(299_999), value: 1 }] });
  const { status, body } = await get(`/shape/series?from=${at(1_500)}&to=${at(240_000)}&step=60`);
  expect(status).toBe(200);
  expect(body).toMatchObject({ metric_id: 'shape', unit: 'ms', from: at(0), to: at(240_000), step_seconds: 60 });
  const points = body['points'] as { at: string; p95: number }[];
  expect(points).toMatchObject([{ at: at(0), count: 20, min: 1, max: 20, avg: 10.5 }, { at: at(60_000), count: 1, min: -5, max: -5, avg: -5 }]);
  expect(Math.abs(points[0]!.p95 - 19)).toBeLessThanOrEqual(0.19);
  const usual = (await get('/shape/series')).body;
  expect((usual['points'] as { count: number }[]).reduce((n, point) => n + point.count, 0)).toBe(22);
  const shown = await tool(['metric', 'series', 'shape', '--from', at(0), '--to', at(120_000), '--step', '60'], { url: system.url, key });
  expect(shown.out).toMatch(/shape in ms, .* a row\n.*samples.*\n.* 20 +1 +10\.5 +1[89]\S* +20\n.* 1 +-5/s);
});

test.each<[string, string, number, string, string]>([
  ['the end before the beginning', `from=${ago(0)}&to=${ago(60)}`, 422, 'SERIES_RANGE', 'from'], ['no length', 'from=2025-01-01T00:00:00Z&to=2025-01-01T00:00:00Z', 422, 'SERIES_RANGE', 'from'],
  ['a lifetime', `from=1990-01-01T00:00:00Z&step=86400`, 422, 'SERIES_RANGE', 'from'], ['too many points', `from=${ago(86_400)}&step=60`, 422, 'SERIES_RANGE', 'step'],
  ['a step of nothing', 'step=0', 422, 'SERIES_RANGE', 'step'], ['a step back', 'step=-60', 422, 'SERIES_RANGE', 'step'], ['half a second', 'step=0.5', 422, 'SERIES_RANGE', 'step'],
  ['a step across roll-ups', 'step=450', 422, 'SERIES_RANGE', 'step'], ['an endless one', 'step=1e999', 400, 'INVALID_REQUEST', 'step'], ['a word', 'step=day', 400, 'INVALID_REQUEST', 'step'],
  ['fine steps of long ago', `from=${ago(40 * 86_400)}&to=${ago(40 * 86_400 - 600)}&step=60`, 422, 'SERIES_RANGE', 'step'],
  ['yesterday', 'from=yesterday', 400, 'INVALID_REQUEST', 'from'], ['something else', 'steps=5', 400, 'UNKNOWN_FIELD', 'steps'],
])('%s is refused by name', async (_, query, status, code, path) => {
  await define('refused');
  expectProblem(await get(`/refused/series?${query}`), status, code, path);
});

test('a metric nobody defined has no series', async () => expectProblem(await get('/no.such/series'), 404, 'METRIC_UNKNOWN'));

test('a worker keeps the store in shape by itself: the schedule is there and has run', async () => {
  await system.startWorker();
  const days = await system.until(async () => {
    const rows = await system.db.database.query("SELECT 1 FROM pg_inherits WHERE inhparent = 'metric_samples'::regclass");
    return rows.length > 1 && rows.length;
  });
  expect(days).toBeGreaterThanOrEqual(5);
  const description = await system.temporal.schedule.getHandle('maintain-metrics').describe();
  expect(description.spec.intervals).toMatchObject([{ every: 3_600_000 }]);
});
