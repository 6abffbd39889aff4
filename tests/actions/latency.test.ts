import { afterAll, beforeAll, expect, test } from 'vitest';
import { insertMeasured } from '../../src/store/metrics.ts';
import { allowEgress } from '../support/egress-policy.ts';
import { openPlaybookBench, type PlaybookBench } from '../support/playbook-bench.ts';
import { openWebShop, type WebShop } from '../support/web-shop.ts';

let bench: PlaybookBench;
let web: WebShop;
let asked = 0;
beforeAll(async () => {
  bench = await openPlaybookBench({ db: { kind: 'postgres', url_env: 'NOT_ASKED' } });
  web = await openWebShop(async (path) => {
    asked += 1;
    if (path === '/never') return new Promise(() => undefined);
    if (path === '/fails') return 500;
    return path === '/half' && asked % 2 === 0 ? 500 : 200;
  });
  await allowEgress(bench.deps.config.configFolder, [web.address]);
});
afterAll(async () => {
  await web.close();
  await bench.close();
});

const look = (path: string, more = {}) => bench.probe('db', 'http.latency', { url: new URL(path, web.url).href, requests: 10, ...more });

test('as many requests as asked for, and their ranks', async () => {
  asked = 0;
  expect(await look('/')).toEqual({ requests: 10, failed: 0, error_rate: 0, p50_ms: expect.any(Number) as number, p95_ms: expect.any(Number) as number });
  expect(asked).toBe(10);
});

test('failures that are quick make nothing look fast: at their rank nothing is known', async () => {
  expect(await look('/fails')).toEqual({ requests: 10, failed: 10, error_rate: 1, p50_ms: null, p95_ms: null });
  asked = 0;
  expect(await look('/half')).toMatchObject({ failed: 5, error_rate: 0.5, p50_ms: expect.any(Number) as number, p95_ms: null });
});

test('a request that runs into its time limit is slow, not unknown', async () => {
  const { failed, p95_ms } = await look('/never', { requests: 5, concurrency: 5 }) as { failed: number; p95_ms: number };
  expect(failed).toBe(5);
  expect(p95_ms).toBeGreaterThan(1_000);
});

test('a private address that the policy does not list is not measured: that is an error, not a figure', async () => {
  const forbidden = Object.assign(new URL(web.url), { hostname: 'localhost' }).href;
  await expect(bench.probe('db', 'http.latency', { url: forbidden })).rejects.toThrow('URL_FORBIDDEN');
});

test('the newest stored value comes with its age; without one there is none', async () => {
  const { query } = bench.db.database;
  expect(await bench.probe('db', 'metric.latest', { metric_id: 'shop.p95' })).toEqual({ metric_id: 'shop.p95', value: null, at: null, age_seconds: null });
  const at = (secondsAgo: number) => new Date(Date.now() - secondsAgo * 1_000).toISOString();
  await insertMeasured(query, { metric_id: 'shop.p95', source: 'command', value: 9, at: at(60), raw_digest: null });
  await insertMeasured(query, { metric_id: 'shop.p95', source: 'command', value: 7, at: at(600), raw_digest: null });
  const latest = await bench.probe('db', 'metric.latest', { metric_id: 'shop.p95' }) as { value: number; age_seconds: number };
  expect(latest.value).toBe(9);
  expect(latest.age_seconds).toBeGreaterThanOrEqual(60);
  expect(latest.age_seconds).toBeLessThan(600);
});
