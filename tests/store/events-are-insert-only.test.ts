import fc from 'fast-check';
import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { saltedDigest } from '../../src/ledger/canonical.ts';
import { insertEvents, timelineOf, uuidv7 } from '../../src/store/events.ts';
import { copyDatabase, type TestDatabase } from '../support/database.ts';
import { actor, event } from './fixtures.ts';

let db: TestDatabase;
beforeAll(async () => { db = await copyDatabase(); });
afterAll(() => db.drop());

const write = (...events: ReturnType<typeof event>[]) => db.database.transaction((query) => insertEvents(query, events));
interface Row { event_id: string; payload_digest: string; salt: string; payload: unknown; unsealed: boolean }
const stored = (key: string): Promise<Row[]> => db.database.query<Row>(
  `SELECT event_id, payload_digest, salt, payload, EXISTS (SELECT FROM unsealed u WHERE u.event_id = e.event_id) AS unsealed
     FROM events e JOIN event_payloads USING (event_id) WHERE idempotency_key = $1`, [key]);

test.each([
  ['UPDATE', "UPDATE events SET type = 'mission.resumed'"], ['UPDATE of no row', "UPDATE events SET type = 'x' WHERE false"],
  ['DELETE', 'DELETE FROM events'], ['TRUNCATE', 'TRUNCATE events CASCADE'],
])('%s of events is refused and changes nothing', async (_, sql) => {
  const one = event();
  await write(one);
  const before = await db.database.query('SELECT * FROM events ORDER BY event_id');
  await expect(db.database.query(sql)).rejects.toMatchObject({ code: '42501', message: 'events is insert-only' });
  expect(await db.database.query('SELECT * FROM events ORDER BY event_id')).toEqual(before);
  expect(await stored(one.idempotency_key)).toHaveLength(1);
});

test('an event of a transaction that is rolled back was never there', async () => {
  const one = event();
  await expect(db.database.transaction(async (query) => {
    await insertEvents(query, [one]);
    throw new Error('changed my mind');
  })).rejects.toThrow('changed my mind');
  expect(await stored(one.idempotency_key)).toEqual([]);
});

test('an event written again is a no-op: the first payload stays, and only new keys are reported', async () => {
  const one = event({ payload: { first: true } });
  expect(await write(one)).toEqual(new Set([one.idempotency_key]));
  const [first] = await stored(one.idempotency_key);
  const other = event();
  expect(await write({ ...one, payload: { first: false } }, other)).toEqual(new Set([other.idempotency_key]));
  expect(await stored(one.idempotency_key)).toEqual([first]);
});

test('one key twice in one write is one event', async () => {
  const one = event();
  await write(one, { ...one, payload: { again: true } });
  expect(await stored(one.idempotency_key)).toHaveLength(1);
});

test('the same event from ten transactions at once is one event with one payload', async () => {
  const one = event();
  const fresh = await Promise.all(Array.from({ length: 10 }, () => write(one)));
  expect(fresh.filter((keys) => keys.size === 1)).toHaveLength(1);
  expect(await stored(one.idempotency_key)).toHaveLength(1);
});

test('any payload is bound by its salted digest, and what is read back has that digest', async () => {
  // Every character there is, in values and in keys: NUL and halves of surrogate pairs come from real test output.
  const payload = fc.dictionary(fc.string({ unit: 'binary' }), fc.jsonValue({ stringUnit: 'binary' }), { maxKeys: 5 });
  const hostile = { 'a\0b': 'nul \0', half: '\ud83d', whole: '😀', escaped: '\\u0000', deep: [{ '\udc00': ['\0'] }] };
  await fc.assert(fc.asyncProperty(payload, async (given) => {
    const one = event({ payload: given });
    await write(one);
    const rows = await stored(one.idempotency_key);
    expect(rows.map((row) => saltedDigest(row.salt, row.payload))).toEqual([rows[0]?.payload_digest]);
  }), { examples: [[hostile]], numRuns: 100 });
});

test('what PostgreSQL cannot hold is replaced, everything else comes back as it was', async () => {
  const payload = { message: 'a\0b \ud83d 😀', literal: '\\u0000', numbers: [0.1, 1e21, -5e-324, 0], none: null };
  const one = event({ payload });
  await write(one);
  const [row] = await stored(one.idempotency_key);
  expect(row?.payload).toEqual({ ...payload, message: 'a\uFFFDb \uFFFD 😀' });
});

test('equal payloads have different digests: a small redacted payload cannot be guessed', async () => {
  const [one, two] = [event({ payload: { decision: 'approve' } }), event({ payload: { decision: 'approve' } })];
  await write(one, two);
  const rows = [...await stored(one.idempotency_key), ...await stored(two.idempotency_key)];
  expect(new Set(rows.map((row) => row.payload_digest)).size).toBe(2);
  expect(rows.map((row) => row.salt)).toEqual([expect.stringMatching(/^[0-9a-f]{32}$/), expect.stringMatching(/^[0-9a-f]{32}$/)]);
});

test('every new event waits to be sealed', async () => {
  const events = [event(), event(), event()];
  await write(...events);
  for (const { idempotency_key: key } of events) expect(await stored(key)).toMatchObject([{ unsealed: true }]);
});

test('a listener is told once a statement, and not before the commit', async () => {
  const listener = new pg.Client({ connectionString: db.url });
  await listener.connect();
  try {
    await listener.query('LISTEN mission_control_events');
    let told = 0;
    const notified = new Promise<void>((resolve) => {
      listener.on('notification', ({ channel }) => {
        if (channel === 'mission_control_events') told += 1;
        resolve();
      });
    });
    await db.database.transaction(async (query) => {
      await insertEvents(query, [event(), event(), event()]);
      await listener.query('SELECT 1');
      expect(told).toBe(0);
    });
    await notified;
    await listener.query('SELECT 1');
    expect(told).toBe(1);
  } finally {
    await listener.end();
  }
});

test('a timeline gives the events of its mission in the order they were written, as they were written', async () => {
  const subject = { mission_id: 'mission_20250110_001', workflow_id: 'w', run_id: 'r', stage: 'run_tests', attempt: 2 };
  const [first, second] = [event({ subject, type: 'stage.started', payload: { a: [1] } }), event({ subject, type: 'stage.ended' })];
  await write(first);
  await write(second);
  await write(event({ subject: { ...subject, mission_id: 'mission_20250110_002' } }));
  const timeline = await timelineOf(db.database.query, subject.mission_id, 10);
  expect(timeline).toMatchObject([{ ...first, actor }, { ...second, actor }]);
  expect(timeline.map(({ ts }) => new Date(ts).toISOString())).toEqual(timeline.map(({ ts }) => ts));
  expect(await timelineOf(db.database.query, subject.mission_id, 1)).toMatchObject([{ idempotency_key: first.idempotency_key }]);
});

test('event ids are version 7 UUIDs and grow with time', () => {
  const ids = [0, 1, 1_736_510_400_000, 2 ** 48 - 1].map((at) => uuidv7(at));
  for (const id of ids) expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  expect([...ids].sort()).toEqual(ids);
});

test('events of one record are told in the order in which they were noted', async () => {
  const many = Array.from({ length: 200 }, (_, i) => ({ ...event(), payload: { i }, subject: { ...event().subject, mission_id: 'ordered' } }));
  await write(...many);
  const told = await timelineOf(db.database.query, 'ordered', 1_000);
  expect(told.map((one) => one.payload['i'])).toEqual(many.map((_, i) => i));
});
