import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { rm, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { measure, type SourceDeps } from '../../src/activities/metric-sources/measure.ts';
import { readMetric } from '../../src/activities/metric-sources/read-metric.ts';
import type { InternalFigure, MetricSource, ProcessFigure } from '../../src/domain/metric.ts';
import { fromDefinition, insertSamples } from '../../src/store/metrics.ts';
import { copyDatabase, type TestDatabase } from '../support/database.ts';
import { temporaryFolder } from '../support/repository.ts';
import { aMission, aRepository } from '../store/fixtures.ts';

let db: TestDatabase;
let deps: SourceDeps;
let folder: string;
beforeAll(async () => {
  db = await copyDatabase();
  folder = temporaryFolder();
  deps = { database: db.database, processes: undefined as never, config: undefined as never };
});
afterAll(async () => {
  delete process.env['TEST_METRIC_URL'];
  await rm(folder, { recursive: true, force: true });
  await db.drop();
});
const metric = (source: MetricSource, id = 'm') => fromDefinition(id, { source, comparator: '<', target: 1, unit: '' }, 'file');
const error = (reason: RegExp) => ({ kind: 'error', reason: expect.stringMatching(reason) as string });

describe('postgres', () => {
  const address = (): string => new URL(db.url).host;
  const ask = (query: string, allow = [address()]) => {
    process.env['TEST_METRIC_URL'] = db.url;
    return readMetric(deps, metric({ kind: 'postgres', url_env: 'TEST_METRIC_URL', query, timeout_seconds: 0.5 }), { allow }, 'test');
  };

  test.each<[string, string, number]>([
    ['a count', 'SELECT count(*) FROM metrics', 0], ['a numeric', "SELECT 12.5::numeric(10,2)", 12.5], ['a float', 'SELECT 1e-3::float8', 0.001],
    ['one with an end and a comment', 'SELECT 7 -- seven\n;', 7], ['one with a table of its own', 'WITH x AS (SELECT 3 AS n) SELECT n FROM x', 3],
  ])('%s', async (_, query, value) => expect(await ask(query)).toMatchObject({ kind: 'value', value }));

  test.each<[string, string, RegExp]>([
    ['no row', 'SELECT 1 WHERE false', /gives no row/], ['two rows', 'SELECT generate_series(1, 3)', /more than one row/], ['two columns', 'SELECT 1, 2', /2 columns/],
    ['null', 'SELECT NULL::integer', /measured null/], ['NaN', "SELECT 'NaN'::float8", /not a finite number/], ['infinity', "SELECT 'infinity'::numeric", /not a finite number/],
    ['a text', "SELECT '5'::text", /not numeric/], ['a truth', 'SELECT true', /not numeric/], ['no SQL', 'SELEKT', /syntax error/],
    ['a slow one', 'SELECT count(*) FROM (SELECT pg_sleep(30)) AS s', /statement timeout/],
  ])('%s is an error that can be read', async (_, query, reason) => expect(await ask(query)).toEqual(error(reason)));

  test.each([
    "INSERT INTO counters VALUES ('x', 1) RETURNING last", "WITH x AS (INSERT INTO counters VALUES ('x', 1) RETURNING last) SELECT last FROM x",
    "SELECT 1) AS figure; INSERT INTO counters VALUES ('x', 1); --", "SELECT 1; INSERT INTO counters VALUES ('x', 1)", 'SET TRANSACTION READ WRITE', 'DROP TABLE counters',
    "SELECT nextval('metric_samples_sample_id_seq')", "COPY counters TO PROGRAM 'cat'", 'SELECT last FROM counters FOR UPDATE',
  ])('%s changes nothing', async (query) => {
    const reading = await ask(query);
    expect(reading.kind).toBe('error');
    expect(await db.database.query("SELECT 1 FROM counters WHERE name = 'x'")).toEqual([]);
  });

  test('a private address that the policy does not list is not connected to, by number or by name', async () => {
    expect(await ask('SELECT 1', [])).toEqual(error(/^URL_FORBIDDEN/));
    process.env['TEST_METRIC_URL'] = Object.assign(new URL(db.url), { hostname: 'localhost' }).href;
    const named = { kind: 'postgres', url_env: 'TEST_METRIC_URL', query: 'SELECT 1', timeout_seconds: 1 } as const;
    expect(await readMetric(deps, metric(named), { allow: [address()] }, 'test')).toEqual(error(/^URL_FORBIDDEN: localhost is/));
  });

  test('without its variable it says which; a password appears nowhere', async () => {
    const source = { kind: 'postgres', url_env: 'TEST_METRIC_URL', query: 'SELECT 1', timeout_seconds: 1 } as const;
    delete process.env['TEST_METRIC_URL'];
    expect(await readMetric(deps, metric(source), { allow: [] }, 'test')).toEqual(error(/TEST_METRIC_URL is not set/));
    for (const url of [Object.assign(new URL(db.url), { password: 'hunter2' }).href, 'postgres://me:hunter2@127.0.0.1:1/x', 'postgres://me:hunter2@[/x']) {
      process.env['TEST_METRIC_URL'] = url;
      const reading = await readMetric(deps, metric(source), { allow: [address(), '127.0.0.1:1'] }, 'test');
      expect(reading.kind).toBe('error');
      expect(JSON.stringify(reading)).not.toContain('hunter2');
    }
  });
});

describe.skipIf(process.platform !== 'linux')('process', () => {
  const read = (pid_file: string, figure: ProcessFigure = 'rss_bytes') => readMetric(deps, metric({ kind: 'process', pid_file, figure }), { allow: [] }, 'test');
  const busy = async (script: string) => {
    const child = spawn(process.execPath, ['-e', `${script}; console.log('up')`], { stdio: ['pipe', 'pipe', 'inherit'] });
    await once(child.stdout, 'data');
    const file = join(folder, `${child.pid}.pid`);
    await writeFile(file, `${child.pid}\n`);
    return { file, pid: child.pid!, async end(): Promise<void> { const gone = once(child, 'exit'); child.kill('SIGKILL'); await gone; } };
  };

  test('memory, threads and open files of a process', async () => {
    const child = await busy('globalThis.held = Buffer.alloc(200e6, 1); process.stdin.resume()');
    try {
      const [rss, threads, files] = await Promise.all((['rss_bytes', 'threads', 'open_fds'] as const).map((figure) => read(child.file, figure)));
      expect(rss).toMatchObject({ kind: 'value' });
      expect((rss as { value: number }).value).toBeGreaterThan(200e6);
      expect((threads as { value: number }).value).toBeGreaterThan(1);
      expect((files as { value: number }).value).toBeGreaterThan(2);
    } finally {
      await child.end();
    }
    expect(await read(child.file)).toEqual(error(/is not running/));
  });

  test('a busy process uses more CPU than one that waits', async () => {
    const [spinning, waiting] = [await busy('setTimeout(() => { for (;;); }, 0)'), await busy('process.stdin.resume()')];
    try {
      const [more, less] = await Promise.all([read(spinning.file, 'cpu_percent'), read(waiting.file, 'cpu_percent')]) as { value: number }[];
      expect(more!.value).toBeGreaterThan(less!.value);
      expect(more!.value).toBeLessThan(400);
      expect(less!.value).toBeGreaterThanOrEqual(0);
    } finally {
      await Promise.all([spinning.end(), waiting.end()]);
    }
  });

  test('a pid that was given again is somebody else', async () => {
    const child = await busy('process.stdin.resume()');
    try {
      const past = new Date(Date.now() - 24 * 3_600_000);
      await utimes(child.file, past, past);
      expect(await read(child.file)).toEqual(error(/the pid is another process's now/));
    } finally {
      await child.end();
    }
  });

  test.each<[string, string | undefined, RegExp]>([
    ['no file', undefined, /there is no pid file/], ['an empty one', '', /does not hold a pid/], ['words', 'self', /does not hold a pid/], ['a path', '1/../self', /does not hold a pid/],
    ['nought', '0', /does not hold a pid/], ['a group', '-1', /does not hold a pid/], ['nobody', '2147483646', /is not running/],
  ])('%s', async (name, text, reason) => {
    const file = join(folder, `${name.replaceAll(' ', '-')}.pid`);
    if (text !== undefined) await writeFile(file, text);
    expect(await read(file)).toEqual(error(reason));
  });
});

describe('internal', () => {
  const figure = (name: InternalFigure) => measure(deps, metric({ kind: 'internal', figure: name }), { allow: [] }, 'test');
  const ofMissions: InternalFigure[] = ['plan_success_rate', 'missions.success_rate', 'missions.per_minute', 'stage.duration_p95_ms', 'queue.oldest_age_seconds'];

  test('without missions there is nothing: no share, no rate, neither 0 nor 100', async () => {
    for (const name of ofMissions) expect(await figure(name), name).toBeUndefined();
    expect(await readMetric(deps, metric({ kind: 'internal', figure: 'plan_success_rate' }), { allow: [] }, 'test')).toEqual({ kind: 'nothing' });
  });

  test('of missions: only what ended in time counts, and what waits is as old as its request', async () => {
    const repository = await aRepository(db.database);
    const ended = async (status: string, minutesAgo: number, durations: number[] = []): Promise<void> => {
      const id = await aMission(db.database, repository);
      await db.database.query("UPDATE missions SET status = $2, ended_at = now() - make_interval(mins => $3) WHERE mission_id = $1", [id, status, minutesAgo]);
      for (const [i, ms] of durations.entries()) {
        await db.database.query("INSERT INTO mission_stages (mission_id, name, attempt, status, duration_ms) VALUES ($1, $2, 1, 'passed', $3)", [id, `s${i}`, ms]);
      }
    };
    await ended('resolved', 1, Array.from({ length: 19 }, (_, i) => i + 1));
    await ended('resolved', 2, [5_000]);
    await ended('aborted', 3);
    await ended('escalated', 90);
    await ended('escalated', 25 * 60, [1e6]);
    const waiting = await aMission(db.database, repository);
    await db.database.query("UPDATE missions SET execute_requested_at = now() - interval '90 seconds' WHERE mission_id = $1", [waiting]);
    const values = await Promise.all(ofMissions.map(async (name) => (await figure(name))!.value));
    expect(values.slice(0, 4)).toEqual([50, 100, 0.3, 19]);
    expect(values[4]).toBeGreaterThanOrEqual(90);
    expect(values[4]).toBeLessThan(90 + 300);
  });

  test('of this host and process: measured, within what is possible', async () => {
    const cpu = (await figure('infra.cpu_utilization'))!.value as number;
    expect(cpu).toBeGreaterThanOrEqual(0);
    expect(cpu).toBeLessThanOrEqual(100);
    expect((await figure('worker.rss_bytes'))!.value).toBeGreaterThan(10e6);
  });

  test('a blocked event loop is seen', async () => {
    const measuring = figure('worker.event_loop_delay_p99_ms');
    setTimeout(() => { for (const end = performance.now() + 250; performance.now() < end;); }, 50);
    expect((await measuring)!.value).toBeGreaterThan(100);
  });
});

describe('push', () => {
  const by = { id: 'monitor', kind: 'service', role: 'operator', key_id: 'k' } as const;
  test('the latest, with its time and revision, however old; nothing when there is none', async () => {
    const pushed = metric({ kind: 'push' }, 'pushed');
    const read = () => readMetric(deps, pushed, { allow: [] }, 'test');
    expect(await read()).toEqual({ kind: 'nothing' });
    const at = new Date(Date.now() - 3_600_000).toISOString();
    await insertSamples(db.database.query, 'pushed', [{ value: 4, at, observed_revision: 'c0ffee' }], by);
    expect(await read()).toEqual({ kind: 'value', value: 4, at: Date.parse(at), observed_revision: 'c0ffee' });
  });

  test('with an aggregation, that of the window', async () => {
    const pushed = fromDefinition('window', { source: { kind: 'push' }, comparator: '<', target: 1, unit: '', aggregation: 'max' }, 'file');
    const at = (ms: number): string => new Date(Date.now() - ms).toISOString();
    await insertSamples(db.database.query, 'window', [{ value: 99, at: at(3_600_000), observed_revision: null }, { value: 8, at: at(60_000), observed_revision: null }, { value: 3, at: at(1_000), observed_revision: null }], by);
    expect(await readMetric(deps, pushed, { allow: [] }, 'test')).toMatchObject({ kind: 'value', value: 8 });
  });
});
