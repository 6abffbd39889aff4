import { afterAll, beforeAll, expect, test } from 'vitest';
import { isUniqueViolation } from '../../src/store/database.ts';
import { copyDatabase, type TestDatabase } from '../support/database.ts';

let db: TestDatabase;
beforeAll(async () => { db = await copyDatabase(); });
afterAll(() => db.drop());

const add = (name: string): [string, unknown[]] => ['INSERT INTO counters (name, last) VALUES ($1, 1)', [name]];
const stored = async (name: string): Promise<boolean> =>
  (await db.database.query('SELECT 1 FROM counters WHERE name = $1', [name])).length > 0;

test('a transaction that throws writes nothing and gives its connection back', async () => {
  for (let i = 0; i < 20; i += 1) {
    await expect(db.database.transaction(async (query) => {
      await query(...add('never'));
      throw new Error('no');
    })).rejects.toThrow('no');
  }
  expect(await stored('never')).toBe(false);
  expect(db.database.pool.idleCount).toBe(db.database.pool.totalCount);
});

test('a transaction in which a statement failed is never reported as written', async () => {
  const careless = db.database.transaction(async (query) => {
    await query(...add('first'));
    await query(...add('first')).catch((error: unknown) => { expect(isUniqueViolation(error)).toBe(true); });
    return 'done';
  });
  await expect(careless).rejects.toThrow('the transaction was rolled back');
  expect(await stored('first')).toBe(false);
});

test('two transactions that lock each other out both end up written', async () => {
  for (const name of ['left', 'right']) await db.database.query(...add(name));
  let bothHold: () => void;
  const holding = new Promise<void>((resolve) => { bothHold = resolve; });
  let runs = 0;
  const increment = (first: string, second: string) => db.database.transaction(async (query) => {
    runs += 1;
    await query('UPDATE counters SET last = last + 1 WHERE name = $1', [first]);
    if (runs >= 2) bothHold();
    await holding;
    await query('UPDATE counters SET last = last + 1 WHERE name = $1', [second]);
  });
  await Promise.all([increment('left', 'right'), increment('right', 'left')]);
  expect(runs).toBeGreaterThan(2);
  expect(await db.database.query("SELECT last FROM counters WHERE name IN ('left', 'right')")).toEqual([{ last: 3 }, { last: 3 }]);
});

test('times come out as RFC 3339 UTC, big integers as numbers', async () => {
  expect(await db.database.query("SELECT '2025-01-10 13:00:00.5+01'::timestamptz AS at, 9007199254740991::bigint AS big, NULL::bigint AS none"))
    .toEqual([{ at: '2025-01-10T12:00:00.500Z', big: 9_007_199_254_740_991, none: null }]);
});
