import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { eventTypes, type EventType } from '../../src/domain/event.ts';
import { escapeSlack, mailBody, slackBody, titleOf, webhookBody, type Message } from '../../src/domain/notification-message.ts';
import { notificationFor, notifyingEventTypes, type Notification, type NotifyingEvent } from '../../src/domain/notification.ts';
import { oneLine } from '../../src/domain/plain-text.ts';

const mission = { title: 'Adding is wrong', subsystem_id: 'calculator', severity: 'medium' } as const;
const event = (type: EventType, payload: Record<string, unknown> = {}, mission_id: string | null = null): NotifyingEvent =>
  ({ event_id: 'e1', ts: '2026-01-10T12:00:00.000Z', type, payload, subject: { mission_id } });

const onMission = 'mission_20260110_001';
test.each<[EventType, Record<string, unknown>, Partial<Notification>]>([
  ['mission.waiting', { kind: 'approval', reason: 'severity is critical' }, { kind: 'approval_waiting', severity: 'medium', title: 'Approval waiting: Adding is wrong', body: 'severity is critical' }],
  ['mission.waiting', { kind: 'operator', reason: 'run_tests: DISK_FULL' }, { kind: 'parked', title: 'Waiting for an operator: Adding is wrong' }],
  ['mission.waiting', { kind: 'observation', reason: 'INCONCLUSIVE: no data' }, { kind: 'parked' }],
  ['mission.waiting', { kind: 'budget', reason: 'the budget is used up' }, { kind: 'budget' }],
  ['mission.stalled', { reason: 'no report for 15 minutes' }, { kind: 'stalled', severity: 'medium', title: 'No report: Adding is wrong', body: 'no report for 15 minutes' }],
  ['mission.status_changed', { status: 'escalated', outcome: 'failed', reason: 'no candidate passed' }, { kind: 'escalated', body: 'no candidate passed' }],
  ['mission.status_changed', { status: 'escalated', outcome: 'rolled_back' }, { kind: 'rolled_back', body: 'no reason was given' }],
  ['merge.violation', { reason: 'another tree' }, { kind: 'queue_frozen', severity: 'critical' }],
])('of a mission: %s %j', (type, payload, expected) => {
  expect(notificationFor(event(type, payload, onMission), mission)).toMatchObject({
    subsystem_id: 'calculator', mission_id: onMission, link: `/mission-control/missions/${onMission}`, event_id: 'e1', ...expected,
  });
});

test.each<[EventType, Record<string, unknown>, Partial<Notification>]>([
  ['queue.frozen', { target_branch: 'main', reason: 'a violation' }, { kind: 'queue_frozen', severity: 'critical', title: 'Merge queue frozen: main' }],
  ['finding.opened', { title: 'p95 is high', severity: 'low', subsystem_id: 'mesh' }, { kind: 'finding_opened', severity: 'low', subsystem_id: 'mesh', title: 'Finding: p95 is high' }],
  ['finding.opened', { severity: 'grave' }, { kind: 'finding_opened', severity: 'high', subsystem_id: null, title: 'Finding' }],
  ['capa.overdue', { capa_id: 'CAPA-2026-0001' }, { kind: 'capa_overdue', link: '/mission-control/capa/CAPA-2026-0001' }],
  ['budget.warning', { scope: 'team-a' }, { kind: 'budget', title: 'Budget: team-a' }],
  ['budget.exhausted', {}, { kind: 'budget', severity: 'high', title: 'Budget' }],
  ['control.stopped', { reason: 'fire', severity: 'low' }, { kind: 'stopped', severity: 'critical', subsystem_id: null, body: 'fire' }],
  ['notification.test_requested', { title: 'team' }, { kind: 'test', severity: 'low', title: 'Test: team' }],
])('of the system: %s %j', (type, payload, expected) => {
  expect(notificationFor(event(type, payload), null)).toMatchObject({ mission_id: null, ...expected });
});

test.each<[EventType, Record<string, unknown>]>([
  ...['agent', 'dependency', 'pause', 'landing', undefined, 7].map((kind): [EventType, Record<string, unknown>] => ['mission.waiting', { kind }]),
  ...['resolved', 'aborted', 'open', undefined].map((status): [EventType, Record<string, unknown>] => ['mission.status_changed', { status }]),
  // A message about messages would never end.
  ['notification.failed', { channel: 'team' }], ['notification.delivered', {}],
])('nobody is told of %s %j', (type, payload) => expect(notificationFor(event(type, payload, onMission), mission)).toBeNull());

test('every other kind of event is not told', () => {
  for (const type of eventTypes.filter((one) => !(notifyingEventTypes as readonly string[]).includes(one))) {
    expect(notificationFor(event(type, { kind: 'approval', status: 'escalated' }), mission), type).toBeNull();
  }
});

const hostileText = fc.oneof(fc.string({ unit: 'binary', maxLength: 3_000 }), fc.constantFrom('a\r\nBcc: x@example.com', '\u202Eevil\u2066', '<!channel> & <https://evil|ok>', '\u{1F600}'.repeat(500), 'x'.repeat(100_000)));

test('whatever a payload holds, title and body are one bounded line each', () => {
  fc.assert(fc.property(fc.dictionary(fc.constantFrom('kind', 'title', 'reason', 'subsystem_id', 'severity', 'mission_id'), fc.oneof(hostileText, fc.jsonValue())), hostileText, (payload, title) => {
    const told = notificationFor(event('finding.opened', payload), { ...mission, title });
    expect(told!.title.length).toBeLessThanOrEqual(150);
    expect(told!.body.length).toBeLessThanOrEqual(1_000);
    expect(`${told!.title}${told!.body}`).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/u);
  }));
});

test('a text that fits stays, one that is too long is cut visibly and never in the middle of a character', () => {
  expect(oneLine('p95 is 150 ms', 50)).toBe('p95 is 150 ms');
  expect(oneLine('a\r\n\tb', 50)).toBe('a b');
  expect(oneLine('abcdef', 4)).toBe('abc…');
  expect(oneLine('ab\u{1F600}cd', 4)).toBe('ab…');
});

describe('in the words of a channel', () => {
  const one = notificationFor(event('mission.status_changed', { status: 'escalated', reason: '<!channel> a & b' }, onMission), { ...mission, title: '<https://evil|click>' })!;
  const message = (count: number, kind: Message['kind'] = 'escalated'): Message => ({
    delivery_id: 'ntf_1', channel: 'team', kind, at: '2026-01-10T12:00:30.000Z',
    notifications: Array.from({ length: count }, (_, i) => ({ ...one, event_id: `e${i}` })),
  });

  test('Slack gets no character that means something to it', () => {
    const sent = JSON.parse(slackBody(message(1), 'https://mc.example.com')) as { text: string; blocks: { text: { text: string } }[] };
    expect(sent.text).toBe('Escalated: &lt;https://evil|click&gt;');
    expect(sent.blocks.at(-1)!.text.text).toContain('&lt;!channel&gt; a &amp; b');
    expect(sent.blocks.at(-1)!.text.text).toContain(`https://mc.example.com/mission-control/missions/${onMission}`);
    fc.assert(fc.property(hostileText, (text) => {
      expect(escapeSlack(text)).not.toMatch(/[<>]|&(?!(amp|lt|gt);)/);
    }));
  });

  test('Slack\'s limits hold for any number of notifications', () => {
    fc.assert(fc.property(fc.integer({ min: 1, max: 300 }), (count) => {
      const { blocks } = JSON.parse(slackBody(message(count), undefined)) as { blocks: { text: { text: string } }[] };
      expect(blocks.length).toBeLessThanOrEqual(50);
      expect(Math.max(...blocks.map((block) => block.text.text.length))).toBeLessThanOrEqual(3_000);
    }), { numRuns: 20 });
  });

  test('what is not listed is counted', () => {
    expect(mailBody(message(53), undefined)).toContain('and 3 more: 3 escalated');
    const body = JSON.parse(webhookBody(message(53), undefined)) as { count: number; notifications: unknown[]; more: string };
    expect(body).toMatchObject({ count: 53, more: 'and 3 more: 3 escalated' });
    expect(body.notifications).toHaveLength(50);
    expect(slackBody(message(53), undefined)).toContain('and 33 more');
  });

  test('the title counts, and names a digest as one', () => {
    expect(titleOf(message(1))).toBe('Escalated: <https://evil|click>');
    expect(titleOf(message(3))).toBe('3 × escalated in calculator');
    expect(titleOf(message(3, 'digest'))).toBe('3 notifications that came faster than this channel takes them');
  });

  test('the same message has the same bytes on every attempt', () => {
    for (const body of [webhookBody, slackBody, mailBody]) expect(body(message(2), undefined)).toBe(body(message(2), undefined));
  });
});
