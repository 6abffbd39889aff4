/** F11: a database that is gone without a word (half-open connections): who waits is told, and no connection is lost to it for good. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { toProblem } from '../../src/api/problem.ts';
import { createDatabase, type Database } from '../../src/store/database.ts';
import { copyDatabase, silent, type TestDatabase } from '../support/database.ts';
import { tcpProxy, type TcpProxy } from '../support/tcp-proxy.ts';

let db: TestDatabase;
let proxy: TcpProxy;
let database: Database;
beforeAll(async () => {
  db = await copyDatabase();
  const url = new URL(db.url);
  proxy = await tcpProxy({ host: '127.0.0.1', port: Number(url.port) });
  database = createDatabase(Object.assign(url, { port: String(proxy.port) }).href, silent, 2, 1_000);
});
afterAll(async () => {
  await database.close();
  await proxy.close();
  await db.drop();
});

const caught = (work: Promise<unknown>): Promise<never> => work.then(() => { throw new Error('it was answered'); }, (error: unknown) => error as never);

test('every way to it ends in DATABASE_UNAVAILABLE, and with the cable back in everything works again', async () => {
  const { query, registry } = database;
  await query('SELECT 1');
  await registry.repositories.count();
  proxy.stall();
  const [plain, inside, prisma] = await Promise.all([
    caught(query('SELECT 1')), caught(database.transaction((within) => within('SELECT 1'))), caught(registry.repositories.count()),
  ]);
  for (const error of [plain, inside, prisma]) expect(toProblem(error)).toMatchObject({ status: 503, code: 'DATABASE_UNAVAILABLE' });
  proxy.reset();
  proxy.heal();
  expect(await query('SELECT 1 AS one')).toEqual([{ one: 1 }]);
  expect(await database.transaction((within) => within('SELECT 1 AS one'))).toEqual([{ one: 1 }]);
  expect(await registry.repositories.count()).toBe(0);
  expect(database.pool.waitingCount).toBe(0);
  expect(database.pool.idleCount).toBe(database.pool.totalCount);
});
