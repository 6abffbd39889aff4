import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { findCapa, listCapas, openCapa, type OpenCapa } from '../../src/store/capas.ts';
import { copyDatabase, type TestDatabase } from '../support/database.ts';
import { actor } from './fixtures.ts';

let db: TestDatabase;
beforeAll(async () => { db = await copyDatabase(); });
afterAll(() => db.drop());

const problem = (more: Partial<OpenCapa> = {}): OpenCapa => ({
  source: 'escalation', fingerprint: randomUUID(), mission_id: null, subsystem_id: 'mesh', problem_statement: 'adds fails', evidence: ['aa'], actor, ...more,
});
const open = (one: OpenCapa): Promise<string> => db.database.transaction((query) => openCapa(query, one));
const eventsOf = async (id: string): Promise<string[]> => (await db.database.query<{ type: string }>(
  "SELECT type FROM events JOIN event_payloads USING (event_id) WHERE payload->>'capa_id' = $1 ORDER BY ts, event_id", [id])).map(({ type }) => type);

test('a new problem opens a record with its evidence, and an event tells of it', async () => {
  const id = await open(problem());
  expect(id).toMatch(/^CAPA-20\d\d-\d{4}$/);
  expect(await findCapa(db.database.query, id)).toMatchObject({
    state: 'OPENED', source: 'escalation', occurrences: 1, subsystem_id: 'mesh', problem_statement: 'adds fails', evidence: ['aa'], opened_by: 'test',
  });
  expect(await eventsOf(id)).toEqual(['capa.opened']);
});

test('the same problem again is an occurrence of the open record, with the new evidence beside the old', async () => {
  const one = problem();
  const id = await open(one);
  expect(await open({ ...one, evidence: ['bb'] })).toBe(id);
  expect(await open({ ...one, evidence: [] })).toBe(id);
  expect(await findCapa(db.database.query, id)).toMatchObject({ occurrences: 3, evidence: ['aa', 'bb'] });
  expect(await eventsOf(id)).toEqual(['capa.opened', 'capa.recurred', 'capa.recurred']);
});

test.each(['REJECTED', 'CLOSED_EFFECTIVE', 'VOIDED'])('a problem whose record is %s opens a new one', async (state) => {
  const one = problem();
  const closed = await open(one);
  await db.database.query('UPDATE capas SET state = $2 WHERE capa_id = $1', [closed, state]);
  const id = await open(one);
  expect(id).not.toBe(closed);
  expect(await findCapa(db.database.query, closed)).toMatchObject({ state, occurrences: 1 });
});

test('a reopened record is open: the problem counts there', async () => {
  const one = problem();
  const id = await open(one);
  await db.database.query("UPDATE capas SET state = 'REOPENED' WHERE capa_id = $1", [id]);
  expect(await open(one)).toBe(id);
});

test('two reports of one new problem at once are one record with two occurrences', async () => {
  const one = problem();
  let second: Promise<string> | undefined;
  const first = await db.database.transaction(async (query) => {
    const id = await openCapa(query, one);
    second = open(one);
    // The second has looked and waits before the first is committed.
    for (let waiting = 0; waiting === 0;) {
      const [locks] = await query<{ waiting: number }>('SELECT count(*) AS waiting FROM pg_locks WHERE NOT granted');
      waiting = locks?.waiting ?? 0;
    }
    return id;
  });
  expect(await second).toBe(first);
  expect(await findCapa(db.database.query, first)).toMatchObject({ occurrences: 2 });
});

test('ten new problems at once have ten numbers in a row', async () => {
  const ids = await Promise.all(Array.from({ length: 10 }, () => open(problem())));
  const numbers = ids.map((id) => Number(id.slice(-4))).sort((a, b) => a - b);
  expect(numbers).toEqual(numbers.map((_, i) => Math.min(...numbers) + i));
});

test('the newest record is listed first', async () => {
  const id = await open(problem());
  expect((await listCapas(db.database.query, 1)).map((capa) => capa.capa_id)).toEqual([id]);
  expect(await findCapa(db.database.query, 'CAPA-1999-0001')).toBeUndefined();
});
