import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { restartBudget } from '../../src/domain/restart-budget.ts';
import { recentRestarts, resumeStopped, spendRestart } from '../../src/store/restarts.ts';
import { copyDatabase, type TestDatabase } from '../support/database.ts';

let db: TestDatabase;
let target: string;
beforeAll(async () => { db = await copyDatabase(); });
afterAll(() => db.drop());
beforeEach(() => { target = `shop/web/${randomUUID()}`; });

const spend = (key: string, more: Partial<Parameters<typeof spendRestart>[1]> = {}) =>
  spendRestart(db.database, { key: `${target}:${key}`, target, mission_id: 'm1', kind: 'restart', ...more });
const resume = (key: string, mission_id = 'm1') => resumeStopped(db.database, { key: `${target}:${key}`, target, mission_id });
const used = () => recentRestarts(db.database.query, target);

test('of 20 at once as many are granted as the budget has', async () => {
  const rulings = await Promise.all(Array.from({ length: 20 }, (_, n) => spend(`k${n}`)));
  expect(rulings.filter((one) => one.kind === 'granted')).toHaveLength(restartBudget.max);
  expect(await used()).toBe(restartBudget.max);
});

test('the same effect is counted once, also when its retries come at once and after the budget is used up', async () => {
  await Promise.all(Array.from({ length: 10 }, () => spend('same')));
  expect(await used()).toBe(1);
  for (const n of [1, 2, 3, 4]) await spend(`k${n}`);
  expect(await spend('k5')).toEqual({ kind: 'refused', used: 5 });
  expect(await spend('same')).toEqual({ kind: 'granted' });
});

test('the window slides: only the last ten minutes count', async () => {
  for (const n of [1, 2, 3, 4, 5]) await spend(`k${n}`);
  await db.database.query(`UPDATE restarts SET at = at - interval '599 seconds' WHERE target = $1`, [target]);
  expect(await spend('k6')).toMatchObject({ kind: 'refused' });
  await db.database.query(`UPDATE restarts SET at = at - interval '2 seconds' WHERE key = $1`, [`${target}:k1`]);
  expect(await spend('k7')).toEqual({ kind: 'granted' });
  expect(await spend('k8')).toMatchObject({ kind: 'refused' });
});

test('a start after a stop of the same mission is free, once, and for its retries', async () => {
  await spend('stop', { kind: 'stop' });
  expect([await resume('start'), await resume('start'), await resume('another start')]).toEqual([true, true, false]);
  expect(await used()).toBe(1);
});

test('a start after the stop of another mission is not free, and neither is one after a restart', async () => {
  await spend('stop', { kind: 'stop', mission_id: 'm2' });
  await spend('restart', { kind: 'restart' });
  expect(await resume('start')).toBe(false);
});
