import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { briefly, endedByItself, expectHealed, expectRefused, quick, watch, type World } from '../support/self-healing.ts';
import { startSystem, type System } from '../support/system.ts';
import { openWatchedDatabase, type Session, type WatchedDatabase } from '../support/watched-database.ts';

let system: System;
/** One database for each test: its probe writes to the first order, as the shop does. */
let listed: WatchedDatabase;
let unlisted: WatchedDatabase;

const driver = fileURLToPath(import.meta.resolve('pg'));

async function world(id: string, shop: WatchedDatabase): Promise<World> {
  await shop.makeOrders();
  const script = join(system.home, `${id}.mjs`);
  await writeFile(script, `import pg from ${JSON.stringify(driver)};
    const client = new pg.Client({ connectionString: ${JSON.stringify(shop.url)}, application_name: 'probe' });
    await client.connect();
    try { await client.query("SET lock_timeout = '1s'"); await client.query('UPDATE orders SET amount = amount WHERE id = 1'); }
    finally { await client.end(); }`);
  return {
    id,
    subsystem: {
      name: id, resources: { db: shop.resource({ allow_terminate: ['shop-report'] }) },
      probes: [{ id: 'order', kind: 'command', argv: [process.execPath, script], interval_seconds: 1, timeout_seconds: 10, symptom: 'database_locked', resource: 'db' }],
    },
    binding: { playbook: 'database_locked', subsystem: id, resource: 'db', limits: quick, observe: briefly, params: { postgres_wait_seconds: 1 } },
  };
}

beforeAll(async () => {
  system = await startSystem();
  [listed, unlisted] = [await openWatchedDatabase(), await openWatchedDatabase()];
  await watch(system, [await world('listed', listed), await world('unlisted', unlisted)]);
  await system.startWorker();
}, 90_000);
afterAll(async () => {
  await system.stop();
  await Promise.all([listed.close(), unlisted.close()]);
});

/** Writes an order over a connection of the test's own, which waits for nobody. */
async function order(shop: WatchedDatabase): Promise<void> {
  const client = new pg.Client({ connectionString: shop.url, application_name: 'customer' });
  await client.connect();
  try {
    await client.query("SET lock_timeout = '500ms'");
    await client.query('UPDATE orders SET amount = amount + 1 WHERE id = 1');
  } finally {
    await client.end();
  }
}

const waitingFor = (shop: WatchedDatabase): Promise<{ session: Session; written: Promise<unknown> }[]> =>
  Promise.all(Array.from({ length: 4 }, () => shop.waitForOrder()));

test('a session that idles in its transaction is found and ended; who waited goes on, and nobody else is touched', async () => {
  const bystander = await listed.holdOrder('shop-report', 2);
  const holder = await listed.holdOrder('shop-report');
  const waiting = await waitingFor(listed);
  await expect(order(listed)).rejects.toThrow('lock timeout');
  expectHealed(await endedByItself(system, 'listed'));
  await Promise.all(waiting.map(({ written }) => written));
  await order(listed);
  expect(await Promise.all([holder, bystander, ...waiting.map(({ session }) => session)].map(listed.isAlive))).toEqual([false, true, true, true, true, true]);
}, 90_000);

test('a session that nobody listed is left alone, and a person is told', async () => {
  const holder = await unlisted.holdOrder('payments');
  await waitingFor(unlisted);
  expectRefused(await endedByItself(system, 'unlisted'), 'HOLDER_NOT_ALLOWED');
  expect(await unlisted.isAlive(holder)).toBe(true);
  await expect(order(unlisted)).rejects.toThrow('lock timeout');
}, 90_000);
