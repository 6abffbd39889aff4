import { afterAll, beforeAll, expect, test } from 'vitest';
import { newMissionId } from '../../src/store/missions.ts';
import type { Repository } from '../../src/store/repositories.ts';
import { copyDatabase, type TestDatabase } from '../support/database.ts';
import { aMission, aRepository } from './fixtures.ts';

let db: TestDatabase;
let repository: Repository;
beforeAll(async () => {
  db = await copyDatabase();
  repository = await aRepository(db.database);
});
afterAll(() => db.drop());

const numbersFrom = (day: string, first: number, count: number): string[] =>
  Array.from({ length: count }, (_, i) => `mission_${day}_${String(first + i).padStart(3, '0')}`);

test('20 missions at once have the ids 001 to 020, though some of the others failed', async () => {
  const created_at = '2025-01-10T12:00:00.000Z';
  const failing = db.database.transaction(async (query) => {
    await newMissionId(query, new Date(created_at));
    throw new Error('the request was bad after all');
  });
  const [failed, ...ids] = await Promise.all([failing.catch(() => 'failed'), ...Array.from({ length: 20 }, () => aMission(db.database, repository, { created_at }))]);
  expect(failed).toBe('failed');
  expect(ids.sort()).toEqual(numbersFrom('20250110', 1, 20));
});

test('the 1000th mission of a day is simply the 1000th', async () => {
  const created_at = '2025-01-11T12:00:00.000Z';
  await db.database.query("INSERT INTO counters (name, last) VALUES ('mission:20250111', 998)");
  const ids = [];
  for (let i = 0; i < 3; i += 1) ids.push(await aMission(db.database, repository, { created_at }));
  expect(ids).toEqual(['mission_20250111_999', 'mission_20250111_1000', 'mission_20250111_1001']);
});

test('each UTC day counts from 001', async () => {
  expect(await aMission(db.database, repository, { created_at: '2025-02-01T23:59:59.999Z' })).toBe('mission_20250201_001');
  expect(await aMission(db.database, repository, { created_at: '2025-02-02T00:00:00.000Z' })).toBe('mission_20250202_001');
});
