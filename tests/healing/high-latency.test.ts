import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { briefly, endedByItself, expectHealed, expectRefused, quick, watch, type World } from '../support/self-healing.ts';
import { startSystem, type System } from '../support/system.ts';
import { openWatchedDatabase, type WatchedDatabase } from '../support/watched-database.ts';
import { openWebShop, type WebShop } from '../support/web-shop.ts';

/** Far from what a healthy answer takes, even on a busy machine; a request that waits for a lock takes twice as long. */
const targetMs = 1_500;

let system: System;
let measured: Shop;
let unmeasured: Shop;

interface Shop { database: WatchedDatabase; web: WebShop; pool: pg.Pool; world: World }

/** A web service each of whose answers needs the first order's row. */
async function openShop(id: string, figures: (url: string) => Record<string, unknown>): Promise<Shop> {
  const database = await openWatchedDatabase();
  await database.makeOrders(3_000);
  await database.run('ANALYZE orders');
  const pool = new pg.Pool({ connectionString: database.url, max: 12, application_name: 'shop-web', options: `-c lock_timeout=${2 * targetMs}` });
  const web = await openWebShop(async (path) => {
    // It answers all the same when it cannot have the row.
    if (path !== '/status') await pool.query('UPDATE orders SET amount = amount WHERE id = 1').catch(() => undefined);
    return 200;
  });
  return {
    database, web, pool,
    world: {
      id, addresses: [web.address],
      subsystem: {
        name: id,
        resources: {
          db: database.resource({ allow_terminate: ['shop-report'] }),
          web: { kind: 'service', manager: { kind: 'http', restart_url: `${web.url}restart`, status_url: `${web.url}status` } },
        },
        probes: [{ id: 'front', kind: 'http', url: web.url, interval_seconds: 1, timeout_seconds: targetMs / 1_000, symptom: 'high_latency', resource: 'web' }],
      },
      binding: {
        playbook: 'high_latency', subsystem: id, resource: 'web', limits: quick, observe: briefly,
        params: { database: 'db', target_ms: targetMs, requests: 5, concurrency: 5, blocked_seconds: 0.4, ...figures(web.url) },
      },
    },
  };
}

async function closeShop({ web, pool, database }: Shop): Promise<void> {
  await web.close();
  await pool.end();
  await database.close();
}

beforeAll(async () => {
  system = await startSystem();
  measured = await openShop('measured', (url) => ({ url }));
  unmeasured = await openShop('unmeasured', () => ({ latency_metric: 'unmeasured.p95' }));
  await watch(system, [measured.world, unmeasured.world]);
  await system.startWorker();
}, 90_000);
afterAll(async () => {
  await system.stop();
  await Promise.all([measured, unmeasured].map(closeShop));
});

/** Asks as a customer does, who goes away after the target. */
const ask = async ({ web }: Shop): Promise<number> => (await fetch(web.url, { signal: AbortSignal.timeout(targetMs) })).status;

test('a service that is slow because a session holds a row up is found and fast again; nothing was restarted', async () => {
  expect(await ask(measured)).toBe(200);
  const holder = await measured.database.holdOrder('shop-report');
  const { session, written } = await measured.database.waitForOrder();
  await expect(ask(measured)).rejects.toThrow('timeout');
  expectHealed(await endedByItself(system, 'measured'));
  await written;
  expect(await ask(measured)).toBe(200);
  expect(await measured.database.isAlive(holder)).toBe(false);
  expect(await measured.database.isAlive(session)).toBe(true);
  expect(measured.web.posted).toEqual([]);
}, 90_000);

test('how slow it is nobody measured: nothing is done, and a person is told', async () => {
  const holder = await unmeasured.database.holdOrder('shop-report');
  await unmeasured.database.waitForOrder();
  expectRefused(await endedByItself(system, 'unmeasured'), 'LATENCY_UNKNOWN');
  expect(await unmeasured.database.isAlive(holder)).toBe(true);
  expect(unmeasured.web.posted).toEqual([]);
}, 90_000);
