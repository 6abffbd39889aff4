import { createServer, type Server } from 'node:http';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { CatalogMetric } from '../../src/domain/metric.ts';
import { measure, type SourceDeps } from '../../src/activities/metric-sources/measure.ts';
import { readMetric } from '../../src/activities/metric-sources/read-metric.ts';
import { fromDefinition } from '../../src/store/metrics.ts';
import { copyDatabase, type TestDatabase } from '../support/database.ts';
import { findPrometheus, startPrometheus, type RunningPrometheus } from '../support/prometheus.ts';

const found = await findPrometheus();
if ('missing' in found) console.log(`SKIPPED, no Prometheus: ${found.missing}`);

const listen = (server: Server): Promise<number> => new Promise((resolve) => {
  server.listen(0, '127.0.0.1', () => resolve((server.address() as { port: number }).port));
});
const metric = (url: string, query: string): CatalogMetric =>
  fromDefinition('service.latency', { source: { kind: 'prometheus', url, query }, comparator: '<', target: 100, unit: 'ms' }, 'file');

let db: TestDatabase;
let deps: SourceDeps;
beforeAll(async () => {
  db = await copyDatabase();
  deps = { database: db.database, processes: undefined as never, config: undefined as never };
});
afterAll(() => db.drop());

describe.skipIf('missing' in found)('a real Prometheus', () => {
  let service: Server;
  let prometheus: RunningPrometheus;
  beforeAll(async () => {
    const page = ['latency_ms{route="/a"} 42.5', 'latency_ms{route="/b"} 7', 'broken NaN', 'endless +Inf', 'below -Inf', `old_ms 3 ${Date.now() - 200_000}`, ''].join('\n');
    service = createServer((_request, response) => response.end(page));
    prometheus = await startPrometheus((found as { binary: string }).binary, `127.0.0.1:${await listen(service)}`);
    // The first scrape is there when the series is.
    for (const deadline = Date.now() + 30_000; ;) {
      if ((await ask('latency_ms{route="/a"}').catch(() => undefined)) !== undefined) return;
      if (Date.now() > deadline) throw new Error('Prometheus never scraped');
      await new Promise((resolve) => { setTimeout(resolve, 100); });
    }
  });
  afterAll(async () => {
    await prometheus.stop();
    service.close();
  });
  const allowed = () => ({ allow: [prometheus.address] });
  const ask = (query: string) => measure(deps, metric(prometheus.url, query), allowed(), 'test');
  const read = (query: string) => readMetric(deps, metric(prometheus.url, query), allowed(), 'test');

  test('one series gives its value and the time it was scraped', async () => {
    const before = Date.now();
    const measured = await ask('latency_ms{route="/a"}');
    expect(measured).toMatchObject({ value: 42.5, raw_digest: expect.stringMatching(/^[0-9a-f]{64}$/) });
    expect(measured!.at).toBeLessThanOrEqual(Date.now());
    expect(measured!.at).toBeGreaterThan(before - 60_000);
  });

  test.each<[string, string, unknown]>([
    ['an aggregation', 'sum(latency_ms)', 49.5], ['a scalar', '3 + 4', 7], ['a function', 'scalar(latency_ms{route="/b"})', 7],
    ['a query that ends in a comment', 'max(latency_ms) # the slowest', 42.5],
  ])('%s', async (_, query, value) => expect(await ask(query)).toMatchObject({ value }));

  test.each<[string, string, RegExp]>([
    ['two series', 'latency_ms', /answered with 2 series; the query must give one/],
    ['NaN', 'broken', /measured NaN, which is not a finite number/], ['infinity', 'endless', /measured \+Inf/], ['minus infinity', 'below', /measured -Inf/],
    ['a division by nothing', '0 / 0', /measured NaN/], ['a range', 'latency_ms[1m]', /answered with a matrix/], ['a text', '"up"', /answered with a string/],
    ['a query that is none', 'sum(', /Prometheus: .*parse error/], ['a sample of minutes ago', 'old_ms', /newest sample of the source is \d+ s old, 90 s allowed/],
  ])('%s is an error that can be read', async (_, query, reason) => {
    const reading = await read(query);
    expect(reading).toMatchObject({ kind: 'error', reason: expect.stringMatching(reason) as string });
  });

  test('no series is no data: neither 0 nor an error', async () => {
    expect(await ask('nobody_exports_this')).toBeUndefined();
    expect(await read('nobody_exports_this')).toEqual({ kind: 'nothing' });
  });

  test('what was measured is stored with its source and digest', async () => {
    expect(await read('latency_ms{route="/a"}')).toMatchObject({ kind: 'value', value: 42.5, observed_revision: null });
    const rows = await db.database.query("SELECT value, source, pushed_by, length(raw_digest) AS digest FROM metric_samples WHERE value = 42.5 LIMIT 1");
    expect(rows).toEqual([{ value: 42.5, source: 'prometheus', pushed_by: 'mission-control', digest: 64 }]);
  });

  test('a private address that the policy does not list is not asked', async () => {
    expect(await readMetric(deps, metric(prometheus.url, 'up'), { allow: [] }, 'test')).toMatchObject({ kind: 'error', reason: expect.stringMatching(/^URL_FORBIDDEN/) as string });
  });
});

describe('what is no Prometheus, or one that lies', () => {
  let answer: string;
  let server: Server;
  let url: string;
  beforeAll(async () => {
    server = createServer((_request, response) => response.end(answer));
    url = `http://127.0.0.1:${await listen(server)}/behind/a/path`;
  });
  afterAll(() => server.close());
  const read = () => readMetric(deps, metric(url, 'up'), { allow: [new URL(url).host] }, 'test');
  const vector = (...values: unknown[]): string =>
    JSON.stringify({ status: 'success', data: { resultType: 'vector', result: values.map((value) => ({ metric: {}, value })) } });

  test.each<[string, string, RegExp]>([
    ['a page', '<html>', /no answer of the Prometheus HTTP API/], ['another API', '{"ok":true}', /no answer of the Prometheus/],
    ['a number where a text belongs', vector([1, 2]), /answered with a vector|no answer/], ['an empty text', vector([1, '']), /measured , which is not a finite number/],
    ['a word', vector([1, 'many']), /measured many/], ['a number too great', vector([1, '1e999']), /measured 1e999/], ['null', vector([1, null]), /answered with a vector|no answer/],
    ['a sample of long ago', vector([1, '5']), /dates its sample \d+ s back/], ['one of the future', vector([4e9, '4000000000']), /dates its sample \d+ s ahead/],
    ['one of no time', vector([1e300, '1e300']), /dates its sample .* ahead/],
  ])('%s', async (_, text, reason) => {
    answer = text;
    expect(await read()).toMatchObject({ kind: 'error', reason: expect.stringMatching(reason) as string });
  });

  test('nobody there', async () => {
    const gone = createServer();
    const port = await listen(gone);
    await new Promise((resolve) => { gone.close(resolve); });
    const reading = await readMetric(deps, metric(`http://127.0.0.1:${port}`, 'up'), { allow: [`127.0.0.1:${port}`] }, 'test');
    expect(reading).toMatchObject({ kind: 'error', reason: expect.stringContaining('ECONNREFUSED') as string });
  });
});
