import fc from 'fast-check';
import picomatch from 'picomatch';
import { describe, expect, test } from 'vitest';
import { severities } from '../../src/domain/mission.ts';
import { group, planSending, type Item, type OpenDelivery } from '../../src/domain/notification-groups.ts';
import { notificationKinds, type Notification } from '../../src/domain/notification.ts';
import { routesOf, type NotificationConfig, type Route, type Routed } from '../../src/domain/notification-routing.ts';
import { notificationsSchema } from '../../src/domain/schema/notifications.ts';

const notification = (more: Partial<Notification> = {}): Notification => ({
  event_id: 'e1', at: '2026-01-10T12:00:00.000Z', kind: 'escalated', severity: 'high', subsystem_id: 'shop.cart', mission_id: null,
  title: 't', body: 'b', link: null, ...more,
});
const matches = (globs: readonly string[], text: string): boolean => picomatch.isMatch(text, [...globs], { dot: true });
const channelsOf = (routes: Partial<Route>[], told: Partial<Notification> = {}, tried: string | null = null): [string, number][] => {
  const config: NotificationConfig = { channels: {}, routes: routes.map((route) => ({ channels: ['a'], group_seconds: 30, ...route })) };
  return routesOf(config, notification(told), tried, matches).map(({ channel, group_seconds }) => [channel, group_seconds]);
};

test.each<[string, Partial<Route>[], Partial<Notification>, [string, number][]]>([
  ['a route without conditions takes everything', [{}], {}, [['a', 30]]],
  ['no route, nobody', [], {}, []],
  ['another kind', [{ kinds: ['parked'] }], {}, []],
  ['the kind', [{ kinds: ['parked', 'escalated'] }], {}, [['a', 30]]],
  ['another severity', [{ severities: ['critical'] }], {}, []],
  ['the severity', [{ severities: ['high'] }], {}, [['a', 30]]],
  ['a glob over subsystems', [{ subsystems: ['shop.*'] }], {}, [['a', 30]]],
  ['another subsystem', [{ subsystems: ['mesh', 'shop'] }], {}, []],
  ['what concerns the whole system concerns every subsystem', [{ subsystems: ['mesh'] }], { subsystem_id: null }, [['a', 30]]],
  ['once a channel, as the most urgent route says', [{ channels: ['a', 'b'] }, { channels: ['a'], group_seconds: 0 }], {}, [['a', 0], ['b', 30]]],
  ['all conditions of a route hold together', [{ kinds: ['escalated'], severities: ['low'] }], {}, []],
])('%s', (_, routes, told, expected) => expect(channelsOf(routes, told)).toEqual(expected));

test('a test message goes to the channel that is tried, and by no route', () => {
  expect(channelsOf([{ channels: ['a', 'b'] }], { kind: 'test' }, 'c')).toEqual([['c', 0]]);
  expect(channelsOf([{}], { kind: 'test' }, null)).toEqual([]);
});

const idOf = (channel: string, eventId: string): string => `${channel}:${eventId}`;
const arrivals = fc.array(fc.record({
  channel: fc.constantFrom('a', 'b'), kind: fc.constantFrom(...notificationKinds.slice(0, 3)), subsystem_id: fc.constantFrom('x', 'y', null),
  severity: fc.constantFrom(...severities), seconds: fc.constantFrom(0, 30), later: fc.integer({ min: 0, max: 20_000 }),
}), { maxLength: 40 });

/** Events that come one after the other, as runs of the dispatcher see them. */
function run(input: { channel: string; kind: Notification['kind']; subsystem_id: string | null; severity: Notification['severity']; seconds: number; later: number }[]) {
  let now = 0;
  const open: OpenDelivery[] = [];
  const items: (Item & { at: number })[] = [];
  const openedAt = new Map<string, number>();
  for (const [i, { channel, kind, subsystem_id, severity, seconds, later }] of input.entries()) {
    now += later;
    const routed: Routed = { channel, group_seconds: seconds, notification: notification({ event_id: `e${i}`, kind, subsystem_id, severity }) };
    const result = group(open, [routed], now, idOf);
    open.push(...result.opened);
    for (const delivery of result.opened) openedAt.set(delivery.delivery_id, delivery.opened_at);
    items.push(...result.items.map((item) => ({ ...item, at: now })));
  }
  return { open, items, openedAt };
}

describe('grouping', () => {
  test('every notification is in exactly one message', () => {
    fc.assert(fc.property(arrivals, (input) => {
      const { items, openedAt } = run(input);
      expect(items.map((item) => item.notification.event_id)).toEqual(input.map((_, i) => `e${i}`));
      for (const item of items) expect(openedAt.has(item.delivery_id)).toBe(true);
    }));
  });

  test('a message holds one channel, one kind, one subsystem, and nothing from after it closed', () => {
    fc.assert(fc.property(arrivals, (input) => {
      const { items, open } = run(input);
      for (const { delivery_id, channel, notification: told, at } of items) {
        const delivery = open.find((one) => one.delivery_id === delivery_id)!;
        expect([delivery.channel, delivery.kind, delivery.subsystem_id]).toEqual([channel, told.kind, told.subsystem_id]);
        expect(at).toBeLessThanOrEqual(delivery.closes_at);
      }
    }));
  });

  test('what comes within the time of an open message of its own kind opens no other', () => {
    fc.assert(fc.property(arrivals, (input) => {
      const { open, openedAt } = run(input.map((one) => ({ ...one, seconds: 30 })));
      const nameOf = (one: OpenDelivery): string => `${one.channel} ${one.kind} ${one.subsystem_id}`;
      for (const [i, next] of open.entries()) {
        const before = open.slice(0, i).findLast((one) => nameOf(one) === nameOf(next));
        if (before !== undefined) expect(openedAt.get(next.delivery_id)).toBeGreaterThanOrEqual(before.closes_at);
      }
    }));
  });

  test('with no time to wait, each is told by itself', () => {
    const { opened } = group([], [1, 2].map((n) => ({ channel: 'a', group_seconds: 0, notification: notification({ event_id: `e${n}` }) })), 0, idOf);
    expect(opened.map((one) => one.delivery_id)).toEqual(['a:e1', 'a:e2']);
  });
});

const dueList = fc.array(fc.record({ rank: fc.integer({ min: 0, max: 3 }), opened_at: fc.nat(1_000) }), { maxLength: 30 })
  .map((list) => list.map((one, i) => ({ ...one, delivery_id: `d${i}` })));

describe('a channel\'s limit', () => {
  test('is never exceeded, and a digest is never of one', () => {
    fc.assert(fc.property(dueList, fc.nat(40), fc.integer({ min: 1, max: 40 }), (due, sent, perHour) => {
      const { send, digest } = planSending(due, sent, perHour);
      expect(sent + send.length + Math.min(1, digest.length)).toBeLessThanOrEqual(Math.max(sent, perHour));
      expect(digest).not.toHaveLength(1);
    }));
  });

  test('leaves nothing out: with any room at all everything is told, one by one or in the digest, once', () => {
    fc.assert(fc.property(dueList, fc.nat(40), fc.integer({ min: 1, max: 40 }), (due, sent, perHour) => {
      const { send, digest } = planSending(due, sent, perHour);
      const told = [...send, ...digest].sort();
      expect(told).toEqual(sent < perHour ? due.map((one) => one.delivery_id).sort() : []);
    }));
  });

  test('the gravest are told by themselves', () => {
    fc.assert(fc.property(dueList, fc.nat(10), fc.integer({ min: 1, max: 20 }), (due, sent, perHour) => {
      const { send, digest } = planSending(due, sent, perHour);
      const rank = (id: string): number => due.find((one) => one.delivery_id === id)!.rank;
      for (const one of send) for (const other of digest) expect(rank(one)).toBeLessThanOrEqual(rank(other));
    }));
  });

  test('while there is room nothing is summed up', () => {
    expect(planSending([{ delivery_id: 'a', rank: 1, opened_at: 2 }, { delivery_id: 'b', rank: 0, opened_at: 3 }], 1, 3)).toEqual({ send: ['b', 'a'], digest: [] });
  });
});

describe('config/notifications.yaml', () => {
  const webhook = { kind: 'webhook', url: 'https://example.com/x', secret_env: 'SECRET' };
  const mail = { kind: 'email', host: 'smtp.example.com', from: 'a@example.com', to: ['b@example.com'] };
  const file = (channel: Record<string, unknown>, routes: unknown[] = [{ channels: ['c'] }]) => notificationsSchema.safeParse({ channels: { c: channel }, routes });

  test('what is left out has a default', () => {
    expect(file(webhook).data).toMatchObject({ channels: { c: { per_hour: 60 } }, routes: [{ group_seconds: 30 }] });
    expect(file(mail).data?.channels['c']).toMatchObject({ port: 587, security: 'starttls' });
  });

  test.each<[string, Record<string, unknown>, unknown[] | undefined, string]>([
    ['a secret in the file', { ...webhook, secret: 'x' }, undefined, 'channels.c'],
    ['no secret to sign with', { kind: 'webhook', url: 'https://example.com' }, undefined, 'channels.c.secret_env'],
    ['two addresses', { ...webhook, url_env: 'URL' }, undefined, 'channels.c'],
    ['no address', { kind: 'slack' }, undefined, 'channels.c'],
    ['an address of another kind', { ...webhook, url: 'file:///etc/passwd' }, undefined, 'channels.c.url'],
    ['a variable that is none', { ...webhook, secret_env: '$SECRET' }, undefined, 'channels.c.secret_env'],
    ['a limit of nothing', { ...webhook, per_hour: 0 }, undefined, 'channels.c.per_hour'],
    ['an unknown kind', { ...webhook, kind: 'pigeon' }, undefined, 'channels.c.kind'],
    ['a line break in an address', { ...mail, to: ['b@example.com\r\nBcc: c@example.com'] }, undefined, 'channels.c.to.0'],
    ['a user without a password', { ...mail, user_env: 'USER' }, undefined, 'channels.c'],
    ['nobody to write to', { ...mail, to: [] }, undefined, 'channels.c.to'],
    ['a route to no channel', webhook, [{ channels: ['d'] }], 'routes.0.channels.0'],
    ['a kind that does not exist', webhook, [{ channels: ['c'], kinds: ['escalation'] }], 'routes.0.kinds.0'],
    ['a misspelt condition', webhook, [{ channels: ['c'], severity: ['high'] }], 'routes.0'],
  ])('%s is refused, and the place is named', (_, channel, routes, path) => {
    expect(file(channel, routes).error?.issues.map((issue) => issue.path.join('.'))).toContain(path);
  });
});
