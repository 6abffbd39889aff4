import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { eventTypes, type NewEvent } from '../../src/domain/event.ts';
import { group, planSending } from '../../src/domain/notification-groups.ts';
import { notificationFor, notifyingEventTypes } from '../../src/domain/notification.ts';
import type { Query } from '../../src/store/database.ts';
import { insertEvents } from '../../src/store/events.ts';
import { deliveryIdOf } from '../../src/store/notification-id.ts';
import * as store from '../../src/store/notifications.ts';
import { copyDatabase, type TestDatabase } from '../support/database.ts';
import { event, aMission, aRepository } from './fixtures.ts';

let db: TestDatabase;
beforeAll(async () => { db = await copyDatabase(); });
afterAll(() => db.drop());

const { stringify } = JSON;
const finding = (more: Partial<NewEvent> = {}): NewEvent => event({ type: 'finding.opened', payload: { title: 'slow', subsystem_id: 'mesh' }, ...more });
const write = (...events: NewEvent[]): Promise<unknown> => db.database.transaction((query) => insertEvents(query, events));
const take = async (query: Query = db.database.query): Promise<string[]> => (await store.takeUnnotified(query, 1_000)).map((one) => one.event.idempotency_key);

/** What the dispatcher does with one channel and no grouping. @returns the deliveries it sealed */
const dispatch = (channel: string, perHour: number, now = Date.now()): Promise<string[]> =>
  db.database.transaction((query) => dispatchIn(query, channel, perHour, now));

async function dispatchIn(query: Query, channel: string, perHour: number, now = Date.now()): Promise<string[]> {
  await store.lockDispatch(query);
  const routed = (await store.takeUnnotified(query, 1_000)).map(({ event, mission }) => ({ channel, group_seconds: 0, notification: notificationFor(event, mission)! }));
  await store.saveGrouping(query, group(await store.openDeliveries(query), routed, now, deliveryIdOf));
  for (const one of await store.dueByChannel(query, now)) {
    const sending = planSending(one.due, one.sent, perHour);
    await store.seal(query, one.channel, sending, deliveryIdOf(one.channel, sending.digest.join(' ')), now);
  }
  return (await query<{ delivery_id: string }>('SELECT delivery_id FROM notification_deliveries WHERE channel = $1 AND sealed_at IS NOT NULL', [channel])).map((row) => row.delivery_id);
}

test('the trigger collects exactly the kinds of events that may be told', async () => {
  const collected: string[] = [];
  for (const type of eventTypes) {
    const one = event({ type });
    await write(one);
    if ((await take()).includes(one.idempotency_key)) collected.push(type);
  }
  expect(collected.sort()).toEqual([...notifyingEventTypes].sort());
});

test('an event whose transaction ends late is not missed', async () => {
  const [early, late] = [finding(), finding()];
  await db.database.transaction(async (query) => {
    // Written first, so with the lower id and time, and committed last.
    await insertEvents(query, [early]);
    await write(late);
    expect(await take()).toEqual([late.idempotency_key]);
  });
  expect(await take()).toEqual([early.idempotency_key]);
  expect(await take()).toEqual([]);
});

test('an event written twice is collected once, and one whose transaction fails not at all', async () => {
  const one = finding();
  await write(one);
  await write(one);
  await expect(db.database.transaction(async (query) => {
    await insertEvents(query, [finding()]);
    throw new Error('undone');
  })).rejects.toThrow('undone');
  expect(await take()).toEqual([one.idempotency_key]);
});

test('what a dispatcher took and could not store stays to be taken', async () => {
  const one = finding();
  await write(one);
  await expect(db.database.transaction(async (query) => {
    expect(await take(query)).toEqual([one.idempotency_key]);
    throw new Error('killed');
  })).rejects.toThrow('killed');
  expect(await take()).toEqual([one.idempotency_key]);
});

test('the mission of an event is told with it', async () => {
  const mission = await aMission(db.database, await aRepository(db.database), { title: 'Adds', severity: 'critical' });
  await write(finding({ subject: { mission_id: mission, workflow_id: null, run_id: null, stage: null, attempt: null } }));
  const [taken] = await store.takeUnnotified(db.database.query, 10);
  expect(taken).toMatchObject({ mission: { title: 'Adds', severity: 'critical', subsystem_id: 'calculator' }, event: { subject: { mission_id: mission } } });
});

test('over the limit the gravest is told by itself and the rest in one digest; the next hour goes on; every event is told once', async () => {
  const channel = `c-${randomUUID()}`;
  const keys = ['low', 'critical', 'medium', 'high'].map((severity) => finding({ payload: { title: severity, severity } }));
  await write(...keys);
  const now = Date.now();
  const sealed = await Promise.all((await dispatch(channel, 2, now)).map((id) => store.findDelivery(db.database.query, id)));
  expect(sealed.map((one) => [one!.kind, one!.items.map((item) => item.severity).sort()])).toEqual(expect.arrayContaining([
    ['finding_opened', ['critical']], ['digest', ['high', 'low', 'medium']]]));
  expect(sealed).toHaveLength(2);
  // The hour is full: what comes now waits, visibly, and is sent when the hour is over.
  await write(finding());
  expect(await dispatch(channel, 2, now + 1_000)).toHaveLength(2);
  const waiting = await store.listDeliveries(db.database.query, { channel, state: 'pending' }, 10);
  expect(waiting.filter((one) => one.sealed_at === null)).toHaveLength(1);
  expect(await dispatch(channel, 2, now + 3_601_000)).toHaveLength(3);
  const [{ told }] = await db.database.query<{ told: number }>('SELECT count(*)::int AS told FROM notification_items WHERE channel = $1', [channel]) as [{ told: number }];
  expect(told).toBe(5);
});

test('two dispatchers at once: each event is told once', async () => {
  const channel = `c-${randomUUID()}`;
  await write(...Array.from({ length: 20 }, () => finding()));
  await Promise.all([1, 2, 3].map(() => dispatch(channel, 1_000)));
  const sealed = await store.listDeliveries(db.database.query, { channel }, 100);
  expect(sealed.reduce((sum, one) => sum + one.notifications, 0)).toBe(20);
});

test('a second dispatcher waits for the first, so that a limit holds for both together', async () => {
  const channel = `c-${randomUUID()}`;
  await write(finding());
  let second: Promise<unknown> | undefined;
  await db.database.transaction(async (query) => {
    expect(await dispatchIn(query, channel, 1)).toHaveLength(1);
    await write(finding());
    second = dispatch(channel, 1);
    let waiting: string | undefined;
    while (waiting === undefined) {
      const [lock] = await query<{ locktype: string }>(
        'SELECT locktype FROM pg_locks JOIN pg_stat_activity USING (pid) WHERE NOT granted AND datname = current_database()');
      waiting = lock?.locktype;
    }
    expect(waiting).toBe('advisory');
  });
  await second;
  const listed = await store.listDeliveries(db.database.query, { channel }, 10);
  expect([listed.length, listed.filter((one) => one.sealed_at !== null).length]).toEqual([2, 1]);
});

test('a delivery ends once, whoever says so how often, and an event tells of it', async () => {
  const channel = `c-${randomUUID()}`;
  await write(finding());
  const [id] = await dispatch(channel, 10) as [string];
  await store.noteAttempt(db.database.query, id, 1, 'answered 503');
  expect(await store.findDelivery(db.database.query, id)).toMatchObject({ state: 'pending', attempts: 1, last_error: 'answered 503' });
  const end = (reason: string | null): Promise<void> => db.database.transaction((query) => store.endDelivery(query, { delivery_id: id, attempts: 2, reason }));
  await Promise.all([end(null), end(null), end('given up')]);
  await store.noteAttempt(db.database.query, id, 9, 'late');
  const [{ state, attempts }] = await store.listDeliveries(db.database.query, { channel }, 10) as [store.ListedDelivery];
  expect(attempts).toBe(2);
  const told = await db.database.query<{ type: string; payload: unknown }>(
    "SELECT type, payload FROM events JOIN event_payloads USING (event_id) WHERE payload->>'delivery_id' = $1", [id]);
  expect(told).toMatchObject([{ type: `notification.${state}`, payload: { channel, kind: 'finding_opened', attempts: 2, notifications: 1 } }]);
});

test('what cannot be stored as it is does not stop the others', async () => {
  const channel = `c-${randomUUID()}`;
  // A delivery that was given up, above, is itself told of.
  await take();
  await write(finding({ payload: { title: 'a\0b\uD800', reason: stringify({ a: '\0' }), subsystem_id: 'x\0' } }), finding());
  expect(await dispatch(channel, 10)).toHaveLength(2);
});
