import { afterEach, beforeEach, expect, test } from 'vitest';
import type { CatalogMetric } from '../../src/domain/metric.ts';
import { maintainMetrics } from '../../src/store/metric-maintenance.ts';
import { figureOf, series, summaryBetween } from '../../src/store/metric-series.ts';
import { fromDefinition, insertSamples, lastSample, samplesBetween } from '../../src/store/metrics.ts';
import { percentile } from '../../src/store/sketch.ts';
import { eventually } from '../support/launched.ts';
import { copyDatabase, type TestDatabase } from '../support/database.ts';

let db: TestDatabase;
beforeEach(async () => { db = await copyDatabase(); });
afterEach(() => db.drop());

const now = new Date('2025-06-15T12:03:00.000Z');
const [minute, hour, day] = [60_000, 3_600_000, 24 * 3_600_000];
const ago = (ms: number): number => now.getTime() - ms;
const by = { id: 'monitor', kind: 'service', role: 'operator', key_id: 'k' } as const;

const push = (samples: readonly [at: number, value: number][], id = 'm') => insertSamples(db.database.query, id,
  samples.map(([at, value]) => ({ at: new Date(at).toISOString(), value, observed_revision: null })), by);
const partitions = async (): Promise<string[]> => (await db.database.query<{ name: string }>(
  "SELECT inhrelid::regclass::text AS name FROM pg_inherits WHERE inhparent = 'metric_samples'::regclass ORDER BY 1")).map(({ name }) => name.replace('metric_partitions.', ''));
const rollups = () => db.database.query<{ metric_id: string; bucket: string; count: number; min: number; max: number; sum: number }>(
  'SELECT metric_id, bucket, count, min, max, sum FROM metric_rollups ORDER BY 1, 2');
const stored = async (): Promise<number> => (await db.database.query<{ n: number }>('SELECT count(*) AS n FROM metric_samples'))[0]!.n;
const maintain = (at = now, retention?: { samples_days: number; rollups_days: number }) => maintainMetrics(db.database.query, at, retention);

test('days get partitions ahead of time; what came before its day had one moves there; a second run does nothing', async () => {
  await push([[ago(0), 1], [ago(3 * day), 2], [ago(3 * day), 3], [ago(-20 * day), 4]]);
  expect(await partitions()).toEqual(['samples_default']);
  expect(await maintain()).toMatchObject({ partitions_made: 5, partitions_dropped: 0 });
  expect(await partitions()).toEqual(['samples_20250612', 'samples_20250614', 'samples_20250615', 'samples_20250616', 'samples_20250617', 'samples_default']);
  const where = await db.database.query<{ value: number; of: string }>('SELECT value, tableoid::regclass::text AS of FROM metric_samples ORDER BY value');
  expect(where.map((row) => row.of.replace('metric_partitions.', ''))).toEqual(['samples_20250615', 'samples_20250612', 'samples_20250612', 'samples_default']);
  await push([[ago(1), 5]]);
  const ids = await db.database.query<{ n: number }>('SELECT count(DISTINCT sample_id) AS n FROM metric_samples');
  expect(ids[0]!.n).toBe(5);
  expect(await maintain()).toMatchObject({ partitions_made: 0, partitions_dropped: 0 });
});

test('a sample that comes while its day gets a partition waits, and is in it', async () => {
  let pushed: Promise<void> | undefined;
  await db.database.transaction(async (query) => {
    await maintainMetrics(query, now);
    pushed = push([[ago(0), 1]]);
    await eventually(async () => (await db.database.query("SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'")).length > 0);
  });
  await pushed;
  expect(await db.database.query("SELECT value FROM metric_partitions.samples_20250615")).toEqual([{ value: 1 }]);
});

test('samples read the same before and after, in the order they came', async () => {
  await push([[ago(2 * hour), 1], [ago(2 * hour), 2], [ago(hour), 3]]);
  const read = () => Promise.all([
    lastSample(db.database.query, 'm', new Date(ago(90 * minute)).toISOString()),
    samplesBetween(db.database.query, 'm', new Date(ago(day)).toISOString(), now.toISOString(), 'nobody'),
  ]);
  const before = await read();
  expect(before[0]).toMatchObject({ value: 2 });
  expect(before[1].map((sample) => sample.value)).toEqual([1, 2, 3]);
  await maintain();
  expect(await read()).toEqual(before);
});

test('complete five minutes are rolled up, the running ones are not, and late samples are counted in', async () => {
  await push([[ago(9 * minute), 10], [ago(9 * minute), -30], [ago(4 * minute), 5], [ago(minute), 7]]);
  await push([[ago(9 * minute), 1]], 'other');
  expect(await maintain()).toMatchObject({ rolled_up: 3 });
  expect(await rollups()).toEqual([
    { metric_id: 'm', bucket: '2025-06-15T11:50:00.000Z', count: 2, min: -30, max: 10, sum: -20 },
    { metric_id: 'm', bucket: '2025-06-15T11:55:00.000Z', count: 1, min: 5, max: 5, sum: 5 },
    { metric_id: 'other', bucket: '2025-06-15T11:50:00.000Z', count: 1, min: 1, max: 1, sum: 1 },
  ]);
  expect(await maintain()).toMatchObject({ rolled_up: 0 });
  await push([[ago(9 * minute), 100], [ago(23 * hour), 3]]);
  expect(await maintain()).toMatchObject({ rolled_up: 2 });
  expect(await rollups()).toContainEqual({ metric_id: 'm', bucket: '2025-06-15T11:50:00.000Z', count: 3, min: -30, max: 100, sum: 80 });
});

test('figures at the edge of what a number can be end no upkeep', async () => {
  await push([[ago(9 * minute), Number.MAX_VALUE], [ago(9 * minute), Number.MAX_VALUE], [ago(9 * minute), 5e-324], [ago(9 * minute), -Number.MAX_VALUE], [ago(9 * minute), 0]]);
  await maintain();
  expect(await rollups()).toMatchObject([{ count: 5, min: -Number.MAX_VALUE, max: Number.MAX_VALUE }]);
  const [point] = await series(db.database.query, 'm', ago(0) - (ago(0) % hour) - hour, ago(0), hour);
  for (const figure of Object.values(point!)) expect(typeof figure === 'number' ? Number.isFinite(figure) : true).toBe(true);
});

test('old samples go, their roll-ups stay, and those go later', async () => {
  await push([[ago(20 * day), 1], [ago(3 * day), 2], [ago(hour), 3]]);
  const keep = { samples_days: 2, rollups_days: 10 };
  expect(await maintain(now, keep)).toMatchObject({ rolled_up: 3, rollups_deleted: 1 });
  expect(await stored()).toBe(1);
  expect((await rollups()).map((rollup) => rollup.sum)).toEqual([2, 3]);
  expect(await maintain(new Date(now.getTime() + 4 * day), keep)).toMatchObject({ partitions_dropped: 3 });
  expect(await stored()).toBe(0);
  expect((await rollups()).map((rollup) => rollup.sum)).toEqual([2, 3]);
});

test('a sample of half a century ago costs no upkeep of half a century', async () => {
  await push([[Date.parse('1971-01-01T00:00:00Z'), 1], [ago(hour), 2]]);
  let asked = 0;
  await maintainMetrics(async (text, params) => { asked += 1; return db.database.query(text, params); }, now);
  expect(asked).toBeLessThan(20);
  expect(await stored()).toBe(1);
});

test('two that maintain at once do it once', async () => {
  await push(Array.from({ length: 200 }, (_, i) => [ago(i * 10 * minute), i] as const).map(([at, value]) => [at, value]));
  await Promise.all([maintain(), maintain(), maintain()]);
  const [rolled] = await db.database.query<{ n: number }>('SELECT sum(count)::bigint AS n FROM metric_rollups');
  expect(rolled!.n).toBe(199);
  expect((await partitions()).filter((name) => name === 'samples_20250615')).toHaveLength(1);
});

test('one that was slow does not overwrite what another has counted since', async () => {
  await push([[ago(9 * minute), 1]]);
  let overtaken = false;
  const slow: typeof db.database.query = async (text, params) => {
    if (text.startsWith('INSERT INTO metric_rollups') && !overtaken) {
      overtaken = true;
      await push([[ago(9 * minute), 2]]);
      await maintain();
    }
    return db.database.query(text, params);
  };
  await maintainMetrics(slow, now);
  expect(overtaken).toBe(true);
  expect(await rollups()).toMatchObject([{ count: 2, sum: 3 }]);
});

test('a series is the same whether its buckets are rolled up or not', async () => {
  const samples = Array.from({ length: 600 }, (_, i) => [ago(i * minute / 2), Math.sin(i) * 100] as [number, number]);
  await push(samples);
  const [from, to] = [Math.floor(ago(6 * hour) / hour) * hour, Math.ceil(now.getTime() / hour) * hour];
  const read = () => Promise.all([5 * minute, 15 * minute, hour].map((step) => series(db.database.query, 'm', from, to, step)));
  const raw = await read();
  expect(raw.map((points) => points.reduce((n, point) => n + point.count, 0))).toEqual([600, 600, 600]);
  await maintain();
  const rolled = await read();
  rolled.forEach((points, i) => points.forEach((point, j) => {
    const was = raw[i]![j]!;
    expect(point).toMatchObject({ at: was.at, count: was.count, min: was.min, max: was.max });
    expect(point.avg).toBeCloseTo(was.avg, 9);
    expect(point.p95).toBe(was.p95);
  }));
  const inHour = samples.filter(([at]) => at >= from + 3 * hour && at < from + 4 * hour).map(([, value]) => value).sort((a, b) => a - b);
  const exact = inHour[Math.ceil(0.95 * inHour.length) - 1]!;
  const point = rolled[2]!.find(({ at }) => Date.parse(at) === from + 3 * hour)!;
  expect(Math.abs(point.p95 - exact)).toBeLessThanOrEqual(Math.abs(exact) * 0.0101);
});

test('a window that begins and ends between buckets counts each sample once, before and after the upkeep', async () => {
  await push(Array.from({ length: 300 }, (_, i) => [ago(i * minute), i] as [number, number]));
  const window = async () => {
    const { count, min, max } = await summaryBetween(db.database.query, 'm', ago(100 * minute), ago(0) + 1);
    return { count, min, max };
  };
  const expected = { count: 101, min: 0, max: 100 };
  expect(await window()).toEqual(expected);
  await maintain();
  expect(await window()).toEqual(expected);
  await maintain(new Date(now.getTime() + 10 * minute));
  expect(await window()).toEqual(expected);
  expect(percentile(await summaryBetween(db.database.query, 'm', ago(2 * minute), ago(minute)), 0.5)).toBeCloseTo(2, 1);
});

test('a sample that comes late by less than an hour counts at once, whatever is rolled up', async () => {
  const present = Date.now();
  const at = (minutes: number): number => present - minutes * minute;
  await push([[at(180), 1], [at(50), 2], [at(20), 3]]);
  await maintain(new Date(present));
  expect(await rollups()).toHaveLength(3);
  await push([[at(49), 900]]);
  const whole = await summaryBetween(db.database.query, 'm', at(200), present);
  expect(whole).toMatchObject({ count: 4, max: 900 });
  const points = await series(db.database.query, 'm', Math.floor(at(240) / hour) * hour, Math.ceil(present / hour) * hour, hour);
  expect(points.reduce((n, point) => n + point.count, 0)).toBe(4);
});

const metric = (aggregation: CatalogMetric['aggregation']): CatalogMetric => fromDefinition('m', {
  source: { kind: 'push' }, comparator: '<', target: 1, unit: '', aggregation, rolling_window_minutes: 10,
}, 'api');

test('the figure of a metric is that of its window, with the time of the newest sample', async () => {
  expect(await figureOf(db.database.query, metric('p95'), now.getTime())).toBeUndefined();
  await push([[ago(hour), 1_000], [ago(8 * minute), 60], [ago(5 * minute), 0], [ago(2 * minute), 30]]);
  const figures = await Promise.all((['last', 'max', 'min', 'avg', 'rate', 'p50'] as const).map((how) => figureOf(db.database.query, metric(how), now.getTime())));
  expect(figures.map((figure) => figure!.value).slice(0, 4)).toEqual([30, 60, 0, 30]);
  expect(figures[4]!.value).toBeCloseTo(-30 / 360, 9);
  expect(figures[5]!.value).toBeCloseTo(30, 0);
  for (const figure of figures) expect(figure!.at).toBe(new Date(ago(2 * minute)).toISOString());
});

test('a window without samples has no figure, whatever lay before it', async () => {
  await push([[ago(hour), 1]]);
  expect(await figureOf(db.database.query, metric('avg'), now.getTime())).toBeUndefined();
  expect(await figureOf(db.database.query, metric('rate'), now.getTime())).toBeUndefined();
});

test('a role that may only read and write rows keeps the samples too, and can make and drop nothing itself', async () => {
  const role = `app_${db.name}`;
  await db.database.query(`CREATE ROLE ${role}`);
  try {
    await db.database.query(`GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO ${role}`);
    await push([[ago(20 * day), 1], [ago(9 * minute), 2]]);
    const done = await db.database.transaction(async (query) => {
      await query(`SET LOCAL ROLE ${role}`);
      const first = await maintainMetrics(query, now);
      await insertSamples(query, 'm', [{ at: now.toISOString(), value: 3, observed_revision: null }], by);
      return [first, await maintainMetrics(query, new Date(now.getTime() + 30 * day))];
    });
    expect(done).toMatchObject([{ partitions_made: 4, rolled_up: 2 }, { partitions_dropped: 4, rolled_up: 1 }]);
    for (const attempt of ['DROP TABLE metric_partitions.samples_default', "SELECT make_metric_partition('2020-01-01')", 'TRUNCATE metric_samples']) {
      await expect(db.database.transaction(async (query) => {
        await query(`SET LOCAL ROLE ${role}`);
        await query(attempt);
      }), attempt).rejects.toThrow(/permission denied|must be owner/);
    }
  } finally {
    await db.database.query(`DROP OWNED BY ${role}`);
    await db.database.query(`DROP ROLE ${role}`);
  }
});
