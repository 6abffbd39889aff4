/** From an event to its receiver, with everything real in between. */
import { createHmac, randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { noSubject, type StoredEvent } from '../../src/domain/event.ts';
import { systemActor } from '../../src/domain/actor.ts';
import { projectRoot } from '../../src/project.ts';
import { insertEvents } from '../../src/store/events.ts';
import type { ListedDelivery } from '../../src/store/notifications.ts';
import { tool } from '../cli/tool.ts';
import { call, keyFor } from '../support/http.ts';
import { webReceiver, type WebReceiver } from '../support/receivers.ts';
import { calculator, fixedAdd } from '../support/repository.ts';
import { startSystem, type System } from '../support/system.ts';

const secret = `secret-${randomUUID()}`;
let system: System;
let hook: WebReceiver;
let ports: number[];

/** Channels of this file's tests; `down` is a port where nobody listens until somebody does. */
const config = (): string => `
channels:
  hook: { kind: webhook, url: "${hook.url}", secret_env: TEST_NOTIFY_SECRET, per_hour: 1000 }
  few: { kind: slack, url: "${hook.url}/few", per_hour: 2 }
  down: { kind: slack, url: "http://127.0.0.1:${ports[1]}/" }
  refusing: { kind: slack, url: "${hook.url}/refusing" }
routes:
  - { channels: [hook], kinds: [approval_waiting], group_seconds: 0 }
  - { channels: [hook], subsystems: [grouped], group_seconds: 2 }
  - { channels: [few], subsystems: ["few-*"], group_seconds: 0 }
  - { channels: [refusing], subsystems: [refusing], group_seconds: 0 }
`;

beforeAll(async () => {
  process.env['TEST_NOTIFY_SECRET'] = secret;
  hook = await webReceiver(({ path }) => (path.endsWith('/refusing') ? 410 : 204));
  const free = await webReceiver();
  ports = [hook.port, free.port];
  await free.close();
  system = await startSystem();
  const policy = await readFile(join(projectRoot, 'config', 'policy.yaml'), 'utf8');
  await system.configure('policy.yaml', policy.replace('allow: []', `allow: [${ports.map((port) => `"127.0.0.1:${port}"`).join(', ')}]`));
  await system.configure('notifications.yaml', config());
  await system.startWorker();
});
afterAll(async () => {
  await system.stop();
  await hook.close();
  delete process.env['TEST_NOTIFY_SECRET'];
});

const list = async (query = ''): Promise<{ items: ListedDelivery[]; config_problem: string | null }> => system.reader.get(`/mission-control/notifications?limit=200${query}`);
const whenListed = (channel: string, done: (one: ListedDelivery) => boolean): Promise<ListedDelivery> =>
  system.until(async () => (await list(`&channel=${channel}`)).items.find(done));
const findings = (...subsystems: string[]): Promise<unknown> => system.db.database.transaction((query) => insertEvents(query, subsystems.map((subsystem_id) => ({
  type: 'finding.opened', actor: systemActor('test'), subject: noSubject, payload: { title: `slow ${subsystem_id}`, subsystem_id, severity: 'high' }, idempotency_key: randomUUID(),
}))));
const ends = async (deliveryId: string): Promise<string[]> => (await system.db.database.query<{ type: string }>(
  "SELECT type FROM events JOIN event_payloads USING (event_id) WHERE type LIKE 'notification.%' AND payload->>'delivery_id' = $1", [deliveryId])).map((row) => row.type);

test('who must approve is told, signed, and the mission\'s timeline says so', async () => {
  const repository = system.repository(calculator);
  const { mission_id } = await system.send(repository, [repository.diff(fixedAdd)], { trust_requirements: { requires_governance_approval: true } });
  const { headers, body } = await hook.nth(1);
  const [, t, v1] = /^t=(\d+),v1=(.*)$/.exec(String(headers['mission-control-signature']))!;
  expect(v1).toBe(createHmac('sha256', secret).update(`${t}.${body}`).digest('hex'));
  expect(JSON.parse(body)).toMatchObject({ kind: 'approval_waiting', notifications: [{ mission_id, title: 'Approval waiting: Adding is wrong', body: 'the mission asks for approval' }] });
  const delivered = await whenListed('hook', (one) => one.state === 'delivered');
  expect(delivered).toMatchObject({ kind: 'approval_waiting', attempts: 1, last_error: null, notifications: 1, delivery_id: headers['mission-control-delivery'] });
  const { items } = await system.reader.get<{ items: StoredEvent[] }>(`/mission-control/missions/${mission_id}/timeline`);
  expect(items.filter((event) => event.type === 'notification.delivered')).toHaveLength(1);
  await system.decide(await system.approval(mission_id));
  await system.whenEnded(mission_id);
});

test('a receiver that is down is tried until it is there, and the message arrives once', async () => {
  const operator = await system.as('olga', 'operator');
  const { delivery_id } = await operator.post<{ delivery_id: string }>('/mission-control/notifications/test', { channel: 'down' });
  const waiting = await system.until(async () => (await list('&channel=down')).items.find((one) => one.attempts >= 2));
  expect(waiting).toMatchObject({ delivery_id, state: 'pending', kind: 'test', title: 'Test: down', last_error: expect.stringContaining('ECONNREFUSED') as string });
  const back = await webReceiver(() => 200, ports[1]);
  try {
    await whenListed('down', (one) => one.state === 'delivered');
    expect(back.received).toHaveLength(1);
    expect(await ends(delivery_id)).toEqual(expect.arrayContaining(['notification.delivered']));
    expect((await ends(delivery_id)).filter((type) => type === 'notification.delivered')).toHaveLength(1);
  } finally {
    await back.close();
  }
});

test('a channel that refuses is given up at once, with an event that names it and why', async () => {
  await findings('refusing');
  const failed = await whenListed('refusing', (one) => one.state === 'failed');
  expect(failed).toMatchObject({ attempts: 1, last_error: 'answered 410' });
  expect(await ends(failed.delivery_id)).toEqual(['notification.failed']);
  const [event] = await system.db.database.query<{ payload: unknown }>(
    "SELECT payload FROM events JOIN event_payloads USING (event_id) WHERE type = 'notification.failed' AND payload->>'delivery_id' = $1", [failed.delivery_id]);
  expect(event!.payload).toMatchObject({ channel: 'refusing', kind: 'finding_opened', reason: 'answered 410', notifications: 1, attempts: 1 });
});

test('what happens together is told together; what is too much for a channel is summed up, and nothing is left out', async () => {
  const few = Array.from({ length: 5 }, (_, i) => `few-${i}`);
  await findings('grouped', 'grouped', 'grouped', ...few);
  const grouped = await whenListed('hook', (one) => one.kind === 'finding_opened' && one.state === 'delivered');
  expect(grouped).toMatchObject({ notifications: 3, subsystem_id: 'grouped' });
  await system.until(async () => (await list('&channel=few&state=delivered')).items.length === 2);
  const { items } = await list('&channel=few');
  expect(Object.fromEntries(items.map((one) => [one.kind, [one.notifications, one.state]]))).toEqual({ digest: [4, 'delivered'], finding_opened: [1, 'delivered'] });
  const told = hook.received.filter((one) => one.path === '/hook/few').map((one) => one.body).join('\n');
  for (const subsystem of few) expect(told).toContain(`slow ${subsystem}`);
});

test('a death between sealing and starting: started by the next run, and one that had been started is not sent again', async () => {
  const { query } = system.db.database;
  const sent = (await whenListed('hook', (one) => one.state === 'delivered')).delivery_id;
  const of = (id: string): number => hook.received.filter((one) => one.headers['mission-control-delivery'] === id).length;
  // As the two deaths would leave it: never started; started, and that not written down.
  await query('UPDATE notification_deliveries SET started_at = NULL WHERE delivery_id = $1', [sent]);
  await query(`WITH item AS (SELECT * FROM notification_items WHERE delivery_id = $1 LIMIT 1), sealed AS (
      INSERT INTO notification_deliveries (delivery_id, channel, kind, opened_at, closes_at, sealed_at)
      VALUES ('ntf_unstarted', 'hook', 'escalated', now(), now(), now()) RETURNING delivery_id)
    INSERT INTO notification_items (channel, event_id, delivery_id, notification)
    SELECT 'crash', item.event_id, sealed.delivery_id, item.notification FROM item, sealed`, [sent]);
  await whenListed('hook', (one) => one.delivery_id === 'ntf_unstarted' && one.state === 'delivered');
  await system.until(async () => (await query('SELECT 1 FROM notification_deliveries WHERE delivery_id = $1 AND started_at IS NOT NULL', [sent])).length === 1);
  expect([of(sent), of('ntf_unstarted')]).toEqual([1, 1]);
  expect([await ends(sent), await ends('ntf_unstarted')]).toEqual([['notification.delivered'], ['notification.delivered']]);
});

test('a bad file is refused with the reason; nothing is sent meanwhile and nothing is lost', async () => {
  const before = hook.received.length;
  await system.configure('notifications.yaml', config().replace('kinds: [approval_waiting]', 'kinds: [approvals]'));
  await findings('grouped');
  const operator = await keyFor(system, 'olga', 'operator');
  const { config_problem } = await list();
  expect(config_problem).toMatch(/notifications\.yaml is not usable: line \d+: routes\.0\.kinds\.0/);
  const refused = await call(system.url, '/mission-control/notifications/test', { key: operator, json: { channel: 'hook' } });
  expect(refused).toMatchObject({ status: 422, body: { code: 'NOTIFICATIONS_CONFIG_INVALID', detail: config_problem } });
  // A run of the dispatcher says it too, and takes nothing.
  expect(await system.temporal.workflow.execute('dispatchNotifications', { taskQueue: 'mission-control', workflowId: `dispatch-${randomUUID()}` })).toBe(config_problem);
  expect(hook.received).toHaveLength(before);
  await system.configure('notifications.yaml', config());
  await hook.nth(before + 1);
  expect((await list()).config_problem).toBeNull();
});

test('a test message: only for those who may, only to a channel that is there, and from the command line', async () => {
  const [viewer, agent, operator] = [await keyFor(system, 'vera', 'viewer'), await keyFor(system, 'agent', 'agent'), await keyFor(system, 'olga', 'operator')];
  const post = (key: string, json: unknown) => call(system.url, '/mission-control/notifications/test', { key, json });
  expect((await post(viewer, { channel: 'hook' })).status).toBe(403);
  expect((await call(system.url, '/mission-control/notifications', { key: agent })).status).toBe(403);
  for (const channel of ['nobody', '__proto__', 'constructor']) {
    expect(await post(operator, { channel }), channel).toMatchObject({ status: 422, body: { code: 'CHANNEL_NOT_FOUND', errors: [{ path: 'channel' }] } });
  }
  expect(await post(operator, { channel: 'hook', to: 'me' })).toMatchObject({ status: 400, body: { errors: [{ path: 'to' }] } });

  const asked = await tool(['notifications', 'test', 'hook', '--json'], { url: system.url, key: operator });
  expect(asked.code, asked.err).toBe(0);
  const { delivery_id } = JSON.parse(asked.out) as { delivery_id: string };
  await whenListed('hook', (one) => one.delivery_id === delivery_id && one.state === 'delivered');
  const shown = await tool(['notifications', 'list', '--channel', 'hook', '--state', 'delivered'], { url: system.url, key: viewer });
  expect(shown.out).toMatch(new RegExp(`${delivery_id}.*hook.*test.*delivered.*1 .*Test: hook`));
  expect((await tool(['notifications', 'test', 'nobody'], { url: system.url, key: operator })).code).toBe(2);
});

test('no table holds a secret of a channel', async () => {
  const { query } = system.db.database;
  const tables = await query<{ name: string }>("SELECT table_name AS name FROM information_schema.tables WHERE table_schema = 'public' AND table_type = 'BASE TABLE'");
  for (const { name } of tables) {
    const [row] = await query<{ n: number }>(`SELECT count(*)::int AS n FROM "${name}" t WHERE t::text LIKE '%' || $1 || '%'`, [secret]);
    expect(row!.n, name).toBe(0);
  }
});
