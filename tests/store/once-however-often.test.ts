import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { once } from '../../src/store/effects.ts';
import { claimKey, findKey } from '../../src/store/idempotency.ts';
import { copyDatabase, type TestDatabase } from '../support/database.ts';

let db: TestDatabase;
beforeAll(async () => { db = await copyDatabase(); });
afterAll(() => db.drop());

const claim = (key: string, missionId: string, principal = 'agent', digest = 'body') =>
  db.database.transaction((query) => claimKey(query, principal, key, digest, missionId));

test('of 20 requests with one key at once one claims it, and the others learn its mission', async () => {
  const key = randomUUID();
  const claims = await Promise.all(Array.from({ length: 20 }, (_, i) => claim(key, `mission_20250110_${i}`)));
  const winner = claims.indexOf(undefined);
  expect(claims.filter((one) => one === undefined)).toHaveLength(1);
  expect(claims.filter((one) => one !== undefined)).toEqual(
    Array.from({ length: 19 }, () => ({ mission_id: `mission_20250110_${winner}`, body_digest: 'body' })));
});

test('a claim whose request failed is free for the one that waited for it', async () => {
  const key = randomUUID();
  let waiting: Promise<unknown> | undefined;
  await expect(db.database.transaction(async (query) => {
    await claimKey(query, 'agent', key, 'first', 'mission_20250110_001');
    waiting = claim(key, 'mission_20250110_002', 'agent', 'second');
    throw new Error('the request was bad after all');
  })).rejects.toThrow('bad after all');
  expect(await waiting).toBeUndefined();
  expect(await findKey(db.database.query, 'agent', key)).toEqual({ mission_id: 'mission_20250110_002', body_digest: 'second' });
});

test('a key belongs to who used it: somebody else may use the same', async () => {
  const key = randomUUID();
  expect(await claim(key, 'mission_20250110_001', 'agent')).toBeUndefined();
  expect(await claim(key, 'mission_20250110_002', 'other agent')).toBeUndefined();
});

test('a claim tells the digest of the first body, so that another body can be told apart', async () => {
  const key = randomUUID();
  await claim(key, 'mission_20250110_001', 'agent', 'first');
  expect(await claim(key, 'mission_20250110_002', 'agent', 'second')).toEqual({ mission_id: 'mission_20250110_001', body_digest: 'first' });
  expect(await findKey(db.database.query, 'agent', 'never used')).toBeUndefined();
});

test.each([['an object', { commit: 'c0ffee', list: [1, null] }], ['a text', 'c0ffee'], ['a number', 0], ['false', false], ['null', null], ['an empty text', '']])(
  'an effect whose result is %s acts once and gives the same every time', async (_, result) => {
    const key = randomUUID();
    let acted = 0;
    const act = async (): Promise<unknown> => { acted += 1; return result; };
    expect(await once(db.database.query, key, act)).toEqual(result);
    expect(await once(db.database.query, key, act)).toEqual(result);
    expect(acted).toBe(1);
  });

test('two runs of an effect at once both give the first stored result', async () => {
  const key = randomUUID();
  let arrived = 0;
  let open: () => void;
  const bothThere = new Promise<void>((resolve) => { open = resolve; });
  const act = async (): Promise<number> => {
    arrived += 1;
    const mine = arrived;
    if (arrived === 2) open();
    await bothThere;
    return mine;
  };
  const [one, two] = await Promise.all([once(db.database.query, key, act), once(db.database.query, key, act)]);
  expect(arrived).toBe(2);
  expect(one).toBe(two);
  expect(await once(db.database.query, key, () => Promise.reject(new Error('acted again')))).toBe(one);
});

test('an effect that failed is tried again', async () => {
  const key = randomUUID();
  await expect(once(db.database.query, key, () => Promise.reject(new Error('no disk')))).rejects.toThrow('no disk');
  expect(await once(db.database.query, key, () => Promise.resolve('done'))).toBe('done');
});

test('a result that PostgreSQL cannot hold is kept with replacements, and every run gives the same', async () => {
  const key = randomUUID();
  const act = async (): Promise<Record<string, unknown>> => ({ 'p95\0': 1, line: 'half \ud83d' });
  const readable = { 'p95\uFFFD': 1, line: 'half \uFFFD' };
  expect(await once(db.database.query, key, act)).toEqual(readable);
  expect(await once(db.database.query, key, act)).toEqual(readable);
});
