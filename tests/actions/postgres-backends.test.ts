import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import type { Blocker, Blockers } from '../../src/activities/actions/postgres/blockers.ts';
import { openPlaybookBench, type PlaybookBench } from '../support/playbook-bench.ts';
import { openWatchedDatabase, type WatchedDatabase } from '../support/watched-database.ts';

let shop: WatchedDatabase;
let bench: PlaybookBench;
beforeAll(async () => { bench = await openPlaybookBench({}); });
afterAll(() => bench.close());
beforeEach(async () => {
  shop = await openWatchedDatabase();
  await bench.configure({ db: shop.resource({ allow_terminate: ['shop-report', 'mission-control-healing'] }) });
  await shop.makeOrders();
});
afterEach(() => shop.close());

const blockers = async (): Promise<Blockers> => await bench.probe('db', 'postgres.blockers') as Blockers;
const named = ({ pid, backend_start, xact_start }: Blocker) => ({ pid, backend_start: backend_start!, xact_start, wait_seconds: 20 });

test('a root blocker is named with its start, its state and how many wait; its statement stays in the database', async () => {
  const holder = await shop.holdOrder('shop-report');
  await holder.client.query("SELECT 'secret-of-a-customer'");
  await shop.waitForOrder();
  await shop.waitForOrder();
  const found = await blockers();
  expect(found).toMatchObject({ waiting: 2, roots: [{
    pid: holder.pid, application_name: 'shop-report', state: 'idle in transaction', backend_type: 'client backend', blocks: 2,
    statement: { keyword: 'SELECT', digest: expect.stringMatching(/^[0-9a-f]{16}$/) as string },
  }] });
  expect(found.longest_wait_seconds).toBeGreaterThanOrEqual(0);
  expect(JSON.stringify(found)).not.toContain('secret');
});

test('nobody waits: no blockers, however many locks are held', async () => {
  await shop.holdOrder('shop-report');
  expect(await blockers()).toEqual({ waiting: 0, longest_wait_seconds: 0, roots: [] });
});

test('an allow-listed blocker is terminated and the waiting one goes on; a second try finds it done', async () => {
  const holder = await shop.holdOrder('shop-report');
  const { written } = await shop.waitForOrder();
  const [root] = (await blockers()).roots;
  expect(await bench.act('db', 'postgres.terminate_backend', named(root!), 'once')).toEqual({ pid: holder.pid, released: true, signalled: true });
  await written;
  expect(await holder.ended).toMatch(/terminat|ECONNRESET|closed/i);
  // The worker died before it could note the result.
  await bench.db.database.query("DELETE FROM effects WHERE key = 'once:result'");
  expect(await bench.act('db', 'postgres.terminate_backend', named(root!), 'once')).toEqual({ pid: holder.pid, released: true, signalled: null });
});

test('killed between the note and the effect: the second try terminates', async () => {
  const holder = await shop.holdOrder('shop-report');
  const { written } = await shop.waitForOrder();
  const [root] = (await blockers()).roots;
  await bench.db.database.query(`INSERT INTO effects (key, result) VALUES ('died:before', '{"before": {"state": null}}')`);
  expect(await bench.act('db', 'postgres.terminate_backend', named(root!), 'died')).toMatchObject({ released: true, signalled: true });
  await written;
  expect(await shop.isAlive(holder)).toBe(false);
});

test('a running statement is cancelled: the session lives, the lock is free', async () => {
  const holder = await shop.holdOrder('shop-report');
  const { written } = await shop.waitForOrder();
  const running = holder.client.query('SELECT pg_sleep(600)');
  const cancelled = expect(running).rejects.toMatchObject({ code: '57014' });
  await shop.until("SELECT state = 'active' AS ok FROM pg_stat_activity WHERE pid = $1", [holder.pid]);
  const [root] = (await blockers()).roots;
  expect(await bench.act('db', 'postgres.cancel_backend', named(root!))).toMatchObject({ released: true, signalled: true });
  await cancelled;
  await written;
  expect(await shop.isAlive(holder)).toBe(true);
});

test('cancelling reaches no session that is idle in its transaction: it says so', async () => {
  await shop.holdOrder('shop-report');
  await shop.waitForOrder();
  const [root] = (await blockers()).roots;
  await expect(bench.act('db', 'postgres.cancel_backend', { ...named(root!), wait_seconds: 0.2 })).rejects.toMatchObject({ type: 'STILL_BLOCKING' });
});

test.each(['postgres.cancel_backend', 'postgres.terminate_backend'])('%s: a backend that the declaration does not list is left alone', async (action) => {
  const holder = await shop.holdOrder('payments');
  await shop.waitForOrder();
  const [root] = (await blockers()).roots;
  await expect(bench.act('db', action, named(root!))).rejects.toMatchObject({ type: 'HOLDER_NOT_ALLOWED' });
  expect(await shop.isAlive(holder)).toBe(true);
});

test('a session of our own is never ended, not even when it is listed', async () => {
  const holder = await shop.holdOrder('mission-control-healing');
  await shop.waitForOrder();
  const [root] = (await blockers()).roots;
  await expect(bench.act('db', 'postgres.terminate_backend', named(root!))).rejects.toMatchObject({ type: 'HOLDER_NOT_ALLOWED' });
  expect(await shop.isAlive(holder)).toBe(true);
});

test('another backend behind the pid, or another transaction of the same backend, is not the one that was planned', async () => {
  const holder = await shop.holdOrder('shop-report');
  await shop.waitForOrder();
  const [root] = (await blockers()).roots;
  const nothing = { pid: holder.pid, released: true, signalled: false };
  expect(await bench.act('db', 'postgres.terminate_backend', { ...named(root!), backend_start: '2020-01-01T00:00:00.000000Z' })).toEqual(nothing);
  expect(await bench.act('db', 'postgres.terminate_backend', { ...named(root!), xact_start: '2020-01-01T00:00:00.000000Z' })).toEqual(nothing);
  expect(await shop.isAlive(holder)).toBe(true);
});

test('a backend that blocks nobody any more is left alone', async () => {
  const holder = await shop.holdOrder('shop-report');
  const { session } = await shop.waitForOrder();
  const [root] = (await blockers()).roots;
  await shop.run('SELECT pg_terminate_backend($1)', [session.pid]);
  await shop.until('SELECT count(*) = 0 AS ok FROM pg_locks WHERE NOT granted AND pid = $1', [session.pid]);
  expect(await bench.act('db', 'postgres.terminate_backend', named(root!))).toMatchObject({ signalled: false });
  expect(await shop.isAlive(holder)).toBe(true);
});

test('a role that may not see whose backend it is gives no name to act on', async () => {
  const role = `watcher_${shop.urlVariable.slice(-12)}`;
  await shop.run(`CREATE ROLE ${role} LOGIN PASSWORD 'watcher'`);
  const url = process.env[shop.urlVariable]!;
  process.env[shop.urlVariable] = Object.assign(new URL(url), { username: role, password: 'watcher' }).href;
  try {
    const holder = await shop.holdOrder('shop-report');
    await shop.waitForOrder();
    expect((await blockers()).roots).toMatchObject([{ pid: holder.pid, backend_start: null, state: null, statement: null }]);
    await expect(bench.act('db', 'postgres.terminate_backend', { pid: holder.pid, backend_start: '2020-01-01T00:00:00.000000Z', xact_start: null }))
      .rejects.toMatchObject({ type: 'LOCK_HOLDER_UNKNOWN' });
    expect(await shop.isAlive(holder)).toBe(true);
  } finally {
    process.env[shop.urlVariable] = url;
    await shop.run(`DROP ROLE ${role}`);
  }
});
