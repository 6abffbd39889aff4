/** Notifications on their way: what was collected, what is sealed, how it ended. */
import { systemActor } from '../domain/actor.ts';
import { noSubject } from '../domain/event.ts';
import type { DueDelivery, Grouping, OpenDelivery, Sending } from '../domain/notification-groups.ts';
import type { DeliveryKind, MissionFacts, Notification, NotifyingEvent } from '../domain/notification.ts';
import type { Query } from './database.ts';
import { evaluate } from './findings.ts';
import { activeSilences } from './silences.ts';
import { channelRule } from '../domain/watch-rules.ts';
import { insertEvents } from './events.ts';
import { storable, toJson } from './json.ts';

export type DeliveryState = 'pending' | 'delivered' | 'failed';

export interface Delivery {
  delivery_id: string;
  channel: string;
  kind: DeliveryKind;
  subsystem_id: string | null;
  state: DeliveryState;
  attempts: number;
  last_error: string | null;
  /** When its first notification came. */
  at: string;
  sealed_at: string | null;
  ended_at: string | null;
}

const columns = 'd.delivery_id, d.channel, d.kind, d.subsystem_id, d.state, d.attempts, d.last_error, d.opened_at AS at, d.sealed_at, d.ended_at';

export interface ListedDelivery extends Delivery { notifications: number; title: string }

/** Newest first, each with how many notifications it holds and the title of its first. */
export async function listDeliveries(query: Query, filter: { channel?: string | undefined; state?: DeliveryState | undefined }, limit: number): Promise<ListedDelivery[]> {
  return query<ListedDelivery>(
    `SELECT ${columns}, i.notifications, i.title
       FROM notification_deliveries d
       JOIN LATERAL (SELECT count(*)::int AS notifications, min(notification->>'title') AS title
                       FROM notification_items WHERE delivery_id = d.delivery_id) i ON true
      WHERE ($1::text IS NULL OR d.channel = $1) AND ($2::text IS NULL OR d.state = $2)
      ORDER BY d.opened_at DESC, d.delivery_id DESC LIMIT $3`, [filter.channel ?? null, filter.state ?? null, limit]);
}

export interface Unnotified { event: NotifyingEvent & { idempotency_key: string }; mission: MissionFacts | null }

/** One dispatcher at a time: taken by every transaction that groups and seals. */
export const lockDispatch = (query: Query): Promise<unknown> =>
  query("SELECT pg_advisory_xact_lock(hashtextextended('notifications', 0))");

/** Takes events out of the outbox; a transaction that fails puts them back. */
export async function takeUnnotified(query: Query, limit: number): Promise<Unnotified[]> {
  const rows = await query<Omit<Unnotified['event'], 'subject'> & { mission_id: string | null; mission: MissionFacts | null }>(
    `WITH taken AS (
       DELETE FROM unnotified WHERE event_id IN (SELECT event_id FROM unnotified ORDER BY event_id LIMIT $1) RETURNING event_id
     )
     SELECT e.event_id, e.ts, e.type, e.idempotency_key, e.mission_id, p.payload,
            CASE WHEN m.mission_id IS NULL THEN NULL ELSE
              jsonb_build_object('title', m.package->>'title', 'subsystem_id', m.subsystem_id, 'severity', m.severity) END AS mission
       FROM taken JOIN events e USING (event_id) JOIN event_payloads p USING (event_id) LEFT JOIN missions m ON m.mission_id = e.mission_id
      ORDER BY e.ts, e.event_id`, [limit]);
  return rows.map(({ mission, mission_id, ...event }) => ({ event: { ...event, subject: { mission_id } }, mission }));
}

export async function openDeliveries(query: Query): Promise<OpenDelivery[]> {
  const rows = await query<Omit<OpenDelivery, 'closes_at'> & { closes_at: string }>(
    'SELECT delivery_id, channel, kind, subsystem_id, closes_at FROM notification_deliveries WHERE sealed_at IS NULL');
  return rows.map((row) => ({ ...row, closes_at: Date.parse(row.closes_at) }));
}

export async function saveGrouping(query: Query, { opened, items }: Grouping): Promise<void> {
  await query(
    `INSERT INTO notification_deliveries (delivery_id, channel, kind, subsystem_id, opened_at, closes_at)
     SELECT delivery_id, channel, kind, subsystem_id, opened_at, closes_at FROM jsonb_to_recordset($1::jsonb)
         AS r(delivery_id text, channel text, kind text, subsystem_id text, opened_at timestamptz, closes_at timestamptz)`,
    [toJson(opened.map((delivery) => ({ ...delivery, opened_at: time(delivery.opened_at), closes_at: time(delivery.closes_at) })))]);
  await query(
    `INSERT INTO notification_items (channel, event_id, delivery_id, notification)
     SELECT channel, event_id, delivery_id, notification FROM jsonb_to_recordset($1::jsonb)
         AS r(channel text, event_id uuid, delivery_id text, notification jsonb)`,
    [toJson(items.map((item) => ({ ...item, event_id: item.notification.event_id })))]);
}

export interface DueChannel { channel: string; due: DueDelivery[]; sent: number }

/** What has collected long enough, by channel, and how much the channel was given within the last hour. */
export async function dueByChannel(query: Query, now: number): Promise<DueChannel[]> {
  const rows = await query<Omit<DueChannel, 'due'> & { due: (Omit<DueDelivery, 'opened_at'> & { opened_at: string })[] }>(
    `SELECT d.channel, jsonb_agg(jsonb_build_object('delivery_id', d.delivery_id, 'opened_at', d.opened_at, 'rank', i.rank)) AS due,
            (SELECT count(*)::int FROM notification_deliveries s WHERE s.channel = d.channel AND s.sealed_at > $1::timestamptz - interval '1 hour') AS sent
       FROM notification_deliveries d
       JOIN LATERAL (SELECT min(array_position(ARRAY['critical', 'high', 'medium', 'low'], notification->>'severity')) AS rank
                       FROM notification_items WHERE delivery_id = d.delivery_id) i ON true
      WHERE d.sealed_at IS NULL AND d.closes_at <= $1
      GROUP BY d.channel`, [time(now)]);
  return rows.map((row) => ({ ...row, due: row.due.map((delivery) => ({ ...delivery, opened_at: Date.parse(delivery.opened_at) })) }));
}

/** Closes messages for sending. Those of a digest become one, under its own id. */
export async function seal(query: Query, channel: string, { send, digest }: Sending, digestId: string, now: number): Promise<void> {
  await query('UPDATE notification_deliveries SET sealed_at = $2 WHERE delivery_id = ANY($1)', [send, time(now)]);
  if (digest.length === 0) return;
  await query(
    `INSERT INTO notification_deliveries (delivery_id, channel, kind, opened_at, closes_at, sealed_at)
     SELECT $1, $2, 'digest', min(opened_at), $4, $4 FROM notification_deliveries WHERE delivery_id = ANY($3)`,
    [digestId, channel, digest, time(now)]);
  await query('UPDATE notification_items SET delivery_id = $1 WHERE delivery_id = ANY($2)', [digestId, digest]);
  await query('DELETE FROM notification_deliveries WHERE delivery_id = ANY($1)', [digest]);
}

/** Sealed ones whose workflow is not known to run: what was sealed just now, and what a crash in between left. */
export async function unstartedDeliveries(query: Query, limit: number): Promise<string[]> {
  const rows = await query<{ delivery_id: string }>(
    `SELECT delivery_id FROM notification_deliveries WHERE sealed_at IS NOT NULL AND started_at IS NULL
      ORDER BY sealed_at, delivery_id LIMIT $1`, [limit]);
  return rows.map((row) => row.delivery_id);
}

export const markStarted = (query: Query, deliveryId: string): Promise<unknown> =>
  query('UPDATE notification_deliveries SET started_at = clock_timestamp() WHERE delivery_id = $1 AND started_at IS NULL', [deliveryId]);

export async function findDelivery(query: Query, deliveryId: string): Promise<(Delivery & { items: Notification[] }) | undefined> {
  const [delivery] = await query<Delivery>(`SELECT ${columns} FROM notification_deliveries d WHERE d.delivery_id = $1`, [deliveryId]);
  if (delivery === undefined) return undefined;
  const items = await query<{ notification: Notification }>(
    "SELECT notification FROM notification_items WHERE delivery_id = $1 ORDER BY notification->>'at', event_id", [deliveryId]);
  return { ...delivery, items: items.map((item) => item.notification) };
}

/** An attempt that did not come through. */
export const noteAttempt = (query: Query, deliveryId: string, attempt: number, error: string): Promise<unknown> =>
  query("UPDATE notification_deliveries SET attempts = greatest(attempts, $2), last_error = $3 WHERE delivery_id = $1 AND state = 'pending'",
    [deliveryId, attempt, storable(error)]);

export interface DeliveryEnd { delivery_id: string; attempts: number; /** null: it was delivered. */ reason: string | null }

/** Ends a delivery and tells of it, once: whoever comes second changes nothing. Call it in a transaction. */
export async function endDelivery(query: Query, { delivery_id, attempts, reason }: DeliveryEnd): Promise<void> {
  const state = reason === null ? 'delivered' : 'failed';
  const [ended] = await query<Delivery>(
    `UPDATE notification_deliveries d SET state = $2, attempts = greatest(attempts, $3), last_error = coalesce($4, last_error), ended_at = clock_timestamp()
      WHERE delivery_id = $1 AND state = 'pending' RETURNING ${columns}`,
    [delivery_id, state, attempts, reason === null ? null : storable(reason)]);
  if (ended === undefined) return;
  const told = await query<{ event_id: string; mission_id: string | null }>(
    "SELECT event_id, notification->>'mission_id' AS mission_id FROM notification_items WHERE delivery_id = $1 ORDER BY event_id", [delivery_id]);
  const missions = new Set(told.map((item) => item.mission_id));
  await insertEvents(query, [{
    type: `notification.${state}`, actor: systemActor('worker'),
    // In a mission's own timeline only what is about this mission alone.
    subject: { ...noSubject, mission_id: missions.size === 1 ? [...missions][0]! : null },
    payload: {
      delivery_id, channel: ended.channel, kind: ended.kind, subsystem_id: ended.subsystem_id, attempts: ended.attempts,
      notifications: told.length, event_ids: told.slice(0, 100).map((item) => item.event_id), ...(reason === null ? {} : { reason }),
    },
    idempotency_key: `notification:${delivery_id}:${state}`,
  }]);
  // One finding for a channel, however many messages it loses; the next one that arrives resolves it.
  await evaluate(query, channelRule(ended.channel), {
    outcome: reason === null ? 'good' : 'bad', value: null, at: Date.now(), reason: reason ?? 'a message was delivered',
  }, { inhibited_by: null, silences: await activeSilences(query) }, 'arrived');
}

const time = (ms: number): string => new Date(ms).toISOString();
