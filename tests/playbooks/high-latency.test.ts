import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { insertMeasured } from '../../src/store/metrics.ts';
import { highLatency } from '../../src/workflows/playbooks/high-latency.ts';
import { allowEgress } from '../support/egress-policy.ts';
import { openPlaybookBench, type PlaybookBench, type Planned } from '../support/playbook-bench.ts';
import { openWatchedDatabase, type WatchedDatabase } from '../support/watched-database.ts';
import { openWebShop, type WebShop } from '../support/web-shop.ts';

/** Far from what a healthy answer takes, even on a busy machine; a request that waits for a lock takes twice as long. */
const targetMs = 1_500;
const atOnce = 5;

let bench: PlaybookBench;
let shop: WatchedDatabase;
let web: WebShop;
/** What stands between a request and its answer, beside the order's row. */
let slow: () => Promise<number>;
beforeAll(async () => { bench = await openPlaybookBench({}); });
afterAll(() => bench.close());
beforeEach(async () => {
  shop = await openWatchedDatabase();
  await shop.makeOrders(3_000);
  slow = async () => 200;
  const clerks = await Promise.all(Array.from({ length: atOnce }, () => shop.session('shop-web')));
  for (const { client } of clerks) await client.query(`SET lock_timeout = ${2 * targetMs}`);
  web = await openWebShop(async (path) => {
    if (path === '/status') return 200;
    // It needs the first order's row, and answers all the same when it cannot have it.
    const clerk = clerks.pop()!;
    await clerk.client.query('UPDATE orders SET amount = amount WHERE id = 1').catch(() => undefined);
    clerks.push(clerk);
    return slow();
  }, () => { slow = async () => 200; });
  await allowEgress(bench.deps.config.configFolder, [web.address]);
  await bench.configure({
    db: shop.resource({ allow_terminate: ['shop-report'], analyze_tables: ['orders'] }),
    web: { kind: 'service', manager: { kind: 'http', restart_url: `${web.url}restart`, status_url: `${web.url}status` }, cache_url: `${web.url}cache` },
  });
});
afterEach(async () => {
  await web.close();
  await shop.close();
});

const params = (more = {}) => ({ url: web.url, requests: atOnce, concurrency: atOnce, target_ms: targetMs, blocked_seconds: 0.4, ...more });
const context = (resource: 'db' | 'web', more = {}) => bench.context(highLatency, resource, 'high_latency', params(more));
const allOk = { symptom: { ok: true }, independent: { ok: true }, must_not_regress: { ok: true } };
const freshStatistics = () => shop.run('ANALYZE orders');
/** Each request takes twice the target. */
const beSlow = () => { slow = () => new Promise((resolve) => { setTimeout(() => resolve(200), 2 * targetMs); }); };

test('a listed session that holds a row up is ended, and the shop is fast again', async () => {
  await freshStatistics();
  const holder = await shop.holdOrder('shop-report');
  // Somebody else waits, too, and goes on waiting between two measurements.
  const { written } = await shop.waitForOrder();
  const running = await context('db');
  const planned = await bench.plan(highLatency, running) as Planned;
  expect(planned.facts).toMatchObject({ before: { met: false, errors: 0 }, stuck: { blockers: [{ pid: holder.pid }] } });
  expect(planned.steps.map(({ id }) => id)).toEqual([`terminate_${holder.pid}`]);
  expect(await bench.execute(highLatency, running, planned)).toEqual([`terminate_${holder.pid}`]);
  await written;
  expect(await bench.verify(highLatency, running, planned.facts)).toMatchObject(allOk);
});

test('a blocker that is not listed is left alone, whatever else could be tried', async () => {
  const holder = await shop.holdOrder('payments');
  await shop.waitForOrder();
  expect(await bench.plan(highLatency, await context('db'))).toMatchObject({ decline: 'refused', code: 'HOLDER_NOT_ALLOWED' });
  expect(await shop.isAlive(holder)).toBe(true);
});

test('fast: nothing is planned', async () => {
  expect(await bench.plan(highLatency, await context('db'))).toMatchObject({ decline: 'healthy', code: 'LATENCY_MET' });
});

test('down is not slow', async () => {
  slow = async () => 500;
  expect(await bench.plan(highLatency, await context('db'))).toMatchObject({ decline: 'not_applicable', code: 'NOT_SLOW_BUT_DOWN' });
});

test('stale statistics are gathered first, on a stored figure; no improvement is seen as none', async () => {
  await shop.run('SELECT pg_stat_force_next_flush()');
  await shop.until("SELECT n_mod_since_analyze >= 3000 AS ok FROM pg_stat_user_tables WHERE relname = 'orders'");
  const { query } = bench.db.database;
  const store = (value: number) => insertMeasured(query, { metric_id: 'shop.p95', source: 'command', value: value, at: new Date().toISOString(), raw_digest: null });
  const running = await context('db', { url: null, latency_metric: 'shop.p95' });
  await store(5_000);
  const planned = await bench.plan(highLatency, running) as Planned;
  expect(planned.steps).toMatchObject([{ action: 'postgres.analyze', with: { resource: 'db', table: 'orders' } }]);
  expect(await bench.execute(highLatency, running, planned)).toEqual(['analyze_1']);
  expect(await bench.probe('db', 'postgres.table_stats')).toMatchObject({ tables: [{ changed_since_analyze: 0 }] });
  expect((await bench.verify(highLatency, running, planned.facts)).symptom.ok).toBe(false);
  expect(await bench.plan(highLatency, running)).toMatchObject({ decline: 'not_applicable', code: 'NOTHING_APPLIES' });
  await store(5);
  expect(await bench.verify(highLatency, running, planned.facts)).toMatchObject(allOk);
});

test('a figure that is too old, or none at all: it is not known, and nothing is done', async () => {
  const { query } = bench.db.database;
  await insertMeasured(query, { metric_id: 'shop.old', source: 'command', value: 5_000, at: new Date(Date.now() - 600_000).toISOString(), raw_digest: null });
  for (const latency_metric of ['shop.old', 'shop.never']) {
    expect(await bench.plan(highLatency, await context('db', { url: null, latency_metric }))).toMatchObject({ decline: 'refused', code: 'LATENCY_UNKNOWN' });
  }
  expect(await bench.plan(highLatency, await context('web', { url: null }))).toMatchObject({ decline: 'refused', code: 'LATENCY_UNKNOWN' });
});

test('nothing would show that it fails afterwards: nothing is done', async () => {
  await insertMeasured(bench.db.database.query, { metric_id: 'shop.slow', source: 'command', value: 5_000, at: new Date().toISOString(), raw_digest: null });
  expect(await bench.plan(highLatency, await context('web', { url: null, latency_metric: 'shop.slow', cache_keys: ['a'] })))
    .toMatchObject({ decline: 'refused', code: 'ERRORS_NOT_MEASURED' });
});

test('named cache entries of a service are forgotten, and only those', async () => {
  beSlow();
  const running = await context('web', { cache_keys: ['product:1'] });
  const planned = await bench.plan(highLatency, running) as Planned;
  expect(planned.steps.map(({ id }) => id)).toEqual(['clear_cache']);
  expect(await bench.execute(highLatency, running, planned)).toEqual(['clear_cache']);
  expect(web.posted).toEqual([{ keys: ['product:1'] }]);
  expect(await bench.verify(highLatency, running, planned.facts)).toMatchObject(allOk);
});

test('fast failures after healing are a regression, not a success', async () => {
  beSlow();
  const running = await context('web', { cache_keys: ['product:1'] });
  const planned = await bench.plan(highLatency, running) as Planned;
  slow = async () => 500;
  expect(await bench.verify(highLatency, running, planned.facts)).toMatchObject({ symptom: { ok: false }, must_not_regress: { ok: false } });
});

test('a service that is slow because its database is held up: the database is healed', async () => {
  await freshStatistics();
  const holder = await shop.holdOrder('shop-report');
  const { written } = await shop.waitForOrder();
  const running = await context('web', { database: 'db' });
  const planned = await bench.plan(highLatency, running) as Planned;
  expect(await bench.execute(highLatency, running, planned)).toEqual([`terminate_${holder.pid}`]);
  await written;
  expect(await bench.verify(highLatency, running, planned.facts)).toMatchObject(allOk);
});
