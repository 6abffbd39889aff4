import { rm, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createCatalog, type Catalog } from '../../src/store/catalog.ts';
import { saveMetric } from '../../src/store/metrics.ts';
import { copyDatabase, type TestDatabase } from '../support/database.ts';
import { temporaryFolder } from '../support/repository.ts';

let db: TestDatabase;
let folder: string;
let catalog: Catalog;
let logged: string[];
beforeAll(async () => { db = await copyDatabase(); });
afterAll(() => db.drop());
beforeEach(() => {
  folder = temporaryFolder();
  logged = [];
  catalog = createCatalog(folder, db.database, pino({}, { write: (line: string) => { logged.push(line); } }));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const write = (text: string): Promise<void> => writeFile(join(folder, 'metrics_catalog.yaml'), text);
const good = (target: number): string => `metrics:\n  a.b: {target: ${target}, comparator: "<", unit: ms}\n`;
const targets = async (): Promise<number[]> => (await catalog.fromFile()).map((metric) => metric.target);

test('what is written is in force at once, even with the same length in the same moment', async () => {
  for (const target of [1, 2, 3, 4]) {
    await write(good(target));
    expect(await targets()).toEqual([target]);
  }
});

test('a stamp that is not yet old says nothing: the same file may be written again under it', async () => {
  const soon = new Date(Date.now() + 60_000);
  for (const target of [1, 2]) {
    await write(good(target));
    await utimes(join(folder, 'metrics_catalog.yaml'), soon, soon);
    expect(await targets()).toEqual([target]);
  }
});

test('a file that has not changed is not read again', async () => {
  await write(good(1));
  const past = new Date(Date.now() - 60_000);
  const path = join(folder, 'metrics_catalog.yaml');
  await utimes(path, past, past);
  expect(await targets()).toEqual([1]);
  await writeFile(path, good(2));
  await utimes(path, past, past);
  expect(await targets(), 'same size, same time, same file').toEqual([1]);
  await write(good(2));
  expect(await targets()).toEqual([2]);
});

test('every default is filled in, and what is said stays', async () => {
  await write([
    'metrics:', '  plain: {target: 1, comparator: "<"}',
    '  full:', '    target: 5', '    comparator: ">="', '    source: {kind: prometheus, url: "http://prometheus.example:9090"}', '    query: "up"',
    '    aggregation: p95', '    interval_seconds: 10', '    for_seconds: 120', '    severity: critical', '    playbooks: [high_latency]', '',
  ].join('\n'));
  expect(await catalog.find('plain')).toEqual({
    metric_id: 'plain', source: { kind: 'push' }, target: 1, comparator: '<', unit: '', description: null, subsystem_id: null, aggregation: 'last',
    rolling_window_minutes: null, interval_seconds: 30, stale_after_seconds: 90, for_seconds: 0, severity: 'medium', playbooks: [], defined_by: 'file',
  });
  expect(await catalog.find('full')).toMatchObject({
    source: { kind: 'prometheus', url: 'http://prometheus.example:9090', query: 'up' }, aggregation: 'p95', rolling_window_minutes: 5,
    interval_seconds: 10, stale_after_seconds: 30, for_seconds: 120, severity: 'critical', playbooks: ['high_latency'],
  });
});

test('what the file takes over from the API is the file\'s, once', async () => {
  await db.database.transaction((query) => saveMetric(query, 'a.b', { source: { kind: 'push' }, comparator: '<', target: 9, unit: '' }, 'anna'));
  await write(good(1));
  expect((await catalog.all()).filter((metric) => metric.metric_id === 'a.b')).toMatchObject([{ target: 1, defined_by: 'file' }]);
});

describe('a bad file is refused with its line, and the last good one stays in force', () => {
  test.each<[string, string, RegExp]>([
    ['no YAML', 'metrics:\n  a: {target: 1\n  b: 2\n', /^metrics_catalog\.yaml cannot be read: line [34]: /],
    ['the same metric twice', 'metrics:\n  a: {target: 1, comparator: "<"}\n  a: {target: 2, comparator: "<"}\n', /line 3: .*unique/],
    ['a comparator that is none', 'metrics:\n  a:\n    target: 1\n    comparator: "~"\n', /line 4: metrics\.a\.comparator: /],
    ['a target in words', 'metrics:\n  x: {target: 1, comparator: "<"}\n  a:\n    comparator: "<"\n    target: soon\n', /line 5: metrics\.a\.target: /],
    ['a field missing', 'metrics:\n\n  a:\n    target: 1\n', /line 3: metrics\.a\.comparator: /],
    ['a field nobody knows', 'metrics:\n  a:\n    target: 1\n    comparator: "<"\n    colour: red\n', /line 5: metrics\.a: .*colour/],
    ['a query for nobody', 'metrics:\n  a:\n    target: 1\n    comparator: "<"\n    query: up\n', /line 5: metrics\.a\.query: .*asked no query/],
    ['a query missing', 'metrics:\n  a:\n    target: 1\n    comparator: "<"\n    source:\n      kind: postgres\n      url_env: X\n', /line 5: metrics\.a\.source: .*needs a query/],
    ['a URL with a password where a name belongs', 'metrics:\n  a:\n    target: 1\n    comparator: "<"\n    query: SELECT 1\n    source:\n      kind: postgres\n      url_env: "postgres://me:hunter2@db"\n', /line 8: metrics\.a\.source\.url_env: /],
    ['an id that is none', 'metrics:\n  "a b": {target: 1, comparator: "<"}\n', /line 2: metrics\.a b: /],
    ['nothing', '', /line 1: /],
    ['an alias bomb', `a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\nmetrics: [*c,*c,*c,*c,*c,*c,*c,*c,*c]\n`, /cannot be read: .*alias/i],
  ])('%s', async (_, text, reason) => {
    await write(good(7));
    expect(await targets()).toEqual([7]);
    expect(await catalog.problem()).toBeNull();
    await write(text);
    expect(await targets()).toEqual([7]);
    expect(await catalog.problem()).toMatch(reason);
    expect(await catalog.problem()).not.toContain(folder);
    expect(await catalog.problem()).not.toContain('hunter2');
    await write(good(8));
    expect(await targets()).toEqual([8]);
    expect(await catalog.problem()).toBeNull();
  });

  test('said in the log once for each change, not for each reading', async () => {
    await write(good(1));
    await catalog.all();
    await write('metrics: 1\n');
    for (let i = 0; i < 5; i += 1) await catalog.all();
    expect(logged.filter((line) => line.includes('config.refused'))).toHaveLength(1);
    await write('metrics: "another"\nx: 1\n');
    for (let i = 0; i < 5; i += 1) await catalog.all();
    expect(logged.filter((line) => line.includes('config.refused'))).toHaveLength(2);
  });

  test('a file that is gone', async () => {
    await write(good(1));
    await catalog.all();
    await rm(join(folder, 'metrics_catalog.yaml'));
    expect(await targets()).toEqual([1]);
    expect(await catalog.problem()).toMatch(/ENOENT/);
  });

  test('a process that has never seen a good one has none', async () => {
    await write('metrics: 1\n');
    await expect(catalog.fromFile()).rejects.toThrow(/metrics_catalog\.yaml is not usable: line 1: metrics: /);
    await write(good(1));
    expect(await targets()).toEqual([1]);
  });
});
