import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { databaseLocked as playbook } from '../../src/workflows/playbooks/database-locked.ts';
import type { PostgresLockedFacts } from '../../src/workflows/playbooks/database-locked/postgres.ts';
import { openPlaybookBench, type PlaybookBench, type Planned } from '../support/playbook-bench.ts';
import { openWatchedDatabase, type WatchedDatabase } from '../support/watched-database.ts';

const quick = { postgres_wait_seconds: 0.4 };

let shop: WatchedDatabase;
let bench: PlaybookBench;
beforeAll(async () => { bench = await openPlaybookBench({}); });
afterAll(() => bench.close());
beforeEach(async () => {
  shop = await openWatchedDatabase();
  await bench.configure({ db: shop.resource({ allow_terminate: ['shop-report'] }) });
  await shop.makeOrders();
});
afterEach(() => shop.close());
const context = () => bench.context(playbook, 'db', 'database_locked', quick);

test('a session that idles in its transaction is named, ended, and everybody goes on', async () => {
  const holder = await shop.holdOrder('shop-report');
  const waiting = [await shop.waitForOrder(), await shop.waitForOrder()];
  const running = await context();
  const planned = await bench.plan(playbook, running) as Planned;
  expect(planned.steps).toMatchObject([{
    action: 'postgres.terminate_backend', with: { pid: holder.pid, backend_start: expect.any(String) as string }, run: 'while_symptom', data_loss: 0,
    effect: expect.stringContaining('"shop-report"') as string,
  }]);
  expect(await bench.execute(playbook, running, planned)).toEqual([`terminate_${holder.pid}`]);
  await Promise.all(waiting.map(({ written }) => written));
  expect(await bench.verify(playbook, running, planned.facts)).toMatchObject({ symptom: { ok: true }, independent: { ok: true }, must_not_regress: { ok: true } });
  expect(await bench.plan(playbook, running)).toMatchObject({ decline: 'healthy', code: 'NOBODY_WAITS' });
});

test('a running statement is cancelled, and then nobody needs to be ended', async () => {
  const holder = await shop.holdOrder('shop-report');
  const { written } = await shop.waitForOrder();
  holder.client.query('SELECT pg_sleep(600)').catch(() => undefined);
  await shop.until("SELECT state = 'active' AS ok FROM pg_stat_activity WHERE pid = $1", [holder.pid]);
  const running = await context();
  const planned = await bench.plan(playbook, running) as Planned;
  expect(planned.steps.map(({ id }) => id)).toEqual([`cancel_${holder.pid}`, `terminate_${holder.pid}`]);
  expect(await bench.execute(playbook, running, planned)).toEqual([`cancel_${holder.pid}`]);
  await written;
  expect(await shop.isAlive(holder)).toBe(true);
});

test('a blocker that is not listed: nothing is planned, and it says who it is', async () => {
  const holder = await shop.holdOrder('payments');
  await shop.waitForOrder();
  expect(await bench.plan(playbook, await context())).toMatchObject({ decline: 'refused', code: 'HOLDER_NOT_ALLOWED', reason: expect.stringContaining(`backend ${holder.pid} calls itself "payments"`) as string });
  expect(await shop.isAlive(holder)).toBe(true);
});

test('one listed and one unlisted blocker: neither is touched', async () => {
  const listed = await shop.holdOrder('shop-report', 1);
  const other = await shop.holdOrder('payments', 2);
  await shop.waitForOrder(1);
  await shop.waitForOrder(2);
  expect(await bench.plan(playbook, await context())).toMatchObject({ decline: 'refused', code: 'HOLDER_NOT_ALLOWED' });
  expect(await Promise.all([listed, other].map(shop.isAlive))).toEqual([true, true]);
});

test('a lock that is let go of during the wait is nobody\'s fault', async () => {
  const holder = await shop.holdOrder('shop-report');
  const { written } = await shop.waitForOrder();
  const running = await context();
  const patient = { ...running, sleep: async () => { await holder.client.query('COMMIT'); await written; } };
  expect(await bench.plan(playbook, patient)).toMatchObject({ decline: 'healthy' });
});

test('while a transaction still blocks, the symptom is there', async () => {
  await shop.holdOrder('shop-report');
  await shop.waitForOrder();
  const running = await context();
  const planned = await bench.plan(playbook, running) as Planned;
  expect((await bench.verify(playbook, running, planned.facts)).symptom).toMatchObject({ ok: false, found: expect.stringContaining('"shop-report"') as string });
  expect((await bench.verify(playbook, running, { ...planned.facts as PostgresLockedFacts, longest_wait_seconds: 0 })).must_not_regress.ok).toBe(false);
});
