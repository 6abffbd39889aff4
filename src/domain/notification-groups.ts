/** Many notifications, few messages: what is told together, and what a channel's limit lets through now. */
import { severityRank } from './mission.ts';
import type { DeliveryKind, Notification } from './notification.ts';
import type { Routed } from './notification-routing.ts';

/** A message that still collects. Times are milliseconds since the epoch. */
export interface OpenDelivery { delivery_id: string; channel: string; kind: DeliveryKind; subsystem_id: string | null; closes_at: number }

export interface NewDelivery extends OpenDelivery { opened_at: number }

export interface Item { delivery_id: string; channel: string; notification: Notification }

export interface Grouping { opened: NewDelivery[]; items: Item[] }

/**
 * Puts each notification into the open message of its channel, kind and subsystem, or opens one for it.
 * @param idOf names a message by its channel and its first event: the same whenever it is asked
 */
export function group(
  open: readonly OpenDelivery[], arrived: readonly Routed[], now: number, idOf: (channel: string, eventId: string) => string,
): Grouping {
  const known: OpenDelivery[] = open.filter((delivery) => now < delivery.closes_at);
  const opened: NewDelivery[] = [];
  const items = arrived.map(({ channel, group_seconds, notification }) => {
    const { kind, subsystem_id, event_id } = notification;
    let home = known.find((delivery) => delivery.channel === channel && delivery.kind === kind && delivery.subsystem_id === subsystem_id);
    if (home === undefined) {
      const first = { delivery_id: idOf(channel, event_id), channel, kind, subsystem_id, opened_at: now, closes_at: now + group_seconds * 1_000 };
      opened.push(first);
      if (group_seconds > 0) known.push(first);
      home = first;
    }
    return { delivery_id: home.delivery_id, channel, notification };
  });
  return { opened, items };
}

/** A message that has collected long enough; its rank is that of its gravest item. */
export interface DueDelivery { delivery_id: string; rank: number; opened_at: number }

export interface Sending { send: string[]; /** Told together in one message; none, or at least two. */ digest: string[] }

/**
 * What may be sent now: everything, if the channel's hour has room; else the gravest ones one by one and all the others
 * in one digest, which takes the last place. With no room at all everything waits, and nothing is ever left out.
 * @param sent how many messages the channel was given within the last hour
 */
export function planSending(due: readonly DueDelivery[], sent: number, perHour: number): Sending {
  const room = Math.max(0, perHour - sent);
  const ids = [...due].sort((a, b) => a.rank - b.rank || a.opened_at - b.opened_at || (a.delivery_id < b.delivery_id ? -1 : 1)).map((delivery) => delivery.delivery_id);
  if (room === 0) return { send: [], digest: [] };
  if (ids.length <= room) return { send: ids, digest: [] };
  return { send: ids.slice(0, room - 1), digest: ids.slice(room - 1) };
}

export const gravest = (notifications: readonly Notification[]): number =>
  notifications.reduce((rank, { severity }) => Math.min(rank, severityRank(severity)), severityRank('low'));
