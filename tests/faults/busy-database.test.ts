/** F14: no connection left, and transactions that are in conflict however often they are tried: 503 with Retry-After, and no client is lost. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { toProblem } from '../../src/api/problem.ts';
import { createDatabase } from '../../src/store/database.ts';
import { copyDatabase, silent, type TestDatabase } from '../support/database.ts';

let db: TestDatabase;
beforeAll(async () => { db = await copyDatabase(); });
afterAll(() => db.drop());

const caught = (work: Promise<unknown>): Promise<never> => work.then(() => { throw new Error('nothing was refused'); }, (error: unknown) => error as never);
const busy = { status: 503, code: 'DATABASE_BUSY', headers: { 'retry-after': '1' } };

test('no connection left, by either way to the database: busy, and well again once there is one', async () => {
  const role = `few_${db.name}`;
  const { query } = db.database;
  await query(`CREATE ROLE ${role} LOGIN PASSWORD 'few' CONNECTION LIMIT 0`);
  await query(`GRANT SELECT ON ALL TABLES IN SCHEMA public TO ${role}`);
  const few = createDatabase(Object.assign(new URL(db.url), { username: role, password: 'few' }).href, silent);
  try {
    expect(toProblem(await caught(few.query('SELECT 1')))).toMatchObject(busy);
    expect(toProblem(await caught(few.transaction((inside) => inside('SELECT 1'))))).toMatchObject(busy);
    expect(toProblem(await caught(few.registry.repositories.count()))).toMatchObject(busy);
    await query(`ALTER ROLE ${role} CONNECTION LIMIT 5`);
    expect(await few.query('SELECT 1 AS one')).toEqual([{ one: 1 }]);
    expect(await few.registry.repositories.count()).toBe(0);
  } finally {
    await few.close();
    await query(`DROP OWNED BY ${role}`);
    await query(`DROP ROLE ${role}`);
  }
});

test.each(['40001', '40P01'])('a transaction that ends in %s every time: tried five times, then busy, every client given back', async (state) => {
  let tries = 0;
  const error = await caught(db.database.transaction(async (query) => {
    tries += 1;
    await query(`DO $$ BEGIN RAISE EXCEPTION 'in conflict' USING ERRCODE = '${state}'; END $$`);
  }));
  expect(tries).toBe(5);
  expect(toProblem(error)).toMatchObject(busy);
  expect(db.database.pool.idleCount).toBe(db.database.pool.totalCount);
  expect(db.database.pool.waitingCount).toBe(0);
});
