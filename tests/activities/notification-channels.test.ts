/** Every channel over its real protocol. */
import { createHmac } from 'node:crypto';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, describe, expect, test } from 'vitest';
import { sendTo } from '../../src/activities/notification-channels.ts';
import type { Message } from '../../src/domain/notification-message.ts';
import type { Notification } from '../../src/domain/notification.ts';
import type { Channel } from '../../src/domain/notification-routing.ts';
import { freePort } from '../../src/cli/launcher/ports.ts';
import { projectRoot } from '../../src/project.ts';
import { temporaryFolder } from '../support/repository.ts';
import { mailReceiver, webReceiver, type MailRules, type Received } from '../support/receivers.ts';

const secret = 'a-secret-nobody-may-see';
const environment = { SECRET: secret, USER_NAME: 'mission', PASSWORD: secret };
const open: { close(): Promise<void> }[] = [];
afterEach(async () => { await Promise.all(open.splice(0).map((one) => one.close())); });

const told: Notification = {
  event_id: 'e1', at: '2026-01-10T12:00:00.000Z', kind: 'escalated', severity: 'high', subsystem_id: 'calculator', mission_id: 'm1',
  title: 'Escalated: Adding is wrong', body: 'no candidate passed', link: '/mission-control/missions/m1',
};
const message = (more: Partial<Notification> = {}): Message =>
  ({ delivery_id: 'ntf_1', channel: 'c', kind: 'escalated', at: '2026-01-10T12:00:30.000Z', notifications: [{ ...told, ...more }] });

async function web(answer?: (request: Received, n: number) => number) {
  const receiver = await webReceiver(answer);
  open.push(receiver);
  const outside = { egress: { allow: [`127.0.0.1:${receiver.port}`] }, linkBase: 'https://mc.example.com', environment };
  const channel: Channel = { kind: 'webhook', url: receiver.url, secret_env: 'SECRET', per_hour: 60 };
  return { receiver, outside, channel };
}

async function mail(rules: MailRules = {}) {
  const receiver = await mailReceiver(rules);
  open.push(receiver);
  const outside = { egress: { allow: [`127.0.0.1:${receiver.port}`, `localhost:${receiver.port}`] }, linkBase: undefined, environment };
  const channel = { kind: 'email', host: '127.0.0.1', port: receiver.port, security: 'none', from: 'mc@example.com', to: ['ops@example.com'], per_hour: 60 } as const;
  const withUser: Channel = { ...channel, to: [...channel.to], user_env: 'USER_NAME', password_env: 'PASSWORD' };
  return { receiver, outside, channel: { ...channel, to: [...channel.to] } satisfies Channel, withUser };
}

describe('a signed webhook', () => {
  test('carries a signature that its receiver can check, a time and a stable id', async () => {
    const { receiver, outside, channel } = await web();
    await sendTo(channel, message(), outside);
    const { headers, body } = await receiver.nth(1);
    const [, t, v1] = /^t=(\d+),v1=([0-9a-f]{64})$/.exec(String(headers['mission-control-signature']))!;
    expect(v1).toBe(createHmac('sha256', secret).update(`${t}.${body}`).digest('hex'));
    expect(Math.abs(Date.now() / 1_000 - Number(t))).toBeLessThan(60);
    expect(headers).toMatchObject({ 'mission-control-delivery': 'ntf_1', 'content-type': 'application/json' });
    expect(JSON.parse(body)).toMatchObject({ delivery_id: 'ntf_1', kind: 'escalated', severity: 'high', count: 1, notifications: [{ title: told.title, link: 'https://mc.example.com/mission-control/missions/m1' }] });
    expect(body).not.toContain(secret);
  });

  test('sent again, has the same id and the same body', async () => {
    const { receiver, outside, channel } = await web();
    for (let n = 0; n < 2; n += 1) await sendTo(channel, message(), outside);
    expect(receiver.received[1]!.body).toBe(receiver.received[0]!.body);
    expect(receiver.received[1]!.headers['mission-control-delivery']).toBe('ntf_1');
  });

  test.each([400, 401, 404, 410, 302])('answered %i: refused for good, and a redirect is not followed', async (status) => {
    const { receiver, outside, channel } = await web(() => status);
    await expect(sendTo(channel, message(), outside)).rejects.toMatchObject({ type: 'NOTIFICATION_REFUSED', nonRetryable: true });
    expect(receiver.received).toHaveLength(1);
  });

  test.each([408, 425, 429, 500, 503])('answered %i: worth another attempt', async (status) => {
    const { outside, channel } = await web(() => status);
    const error = await sendTo(channel, message(), outside).catch((e: unknown) => e);
    expect(error).toMatchObject({ message: `answered ${status}` });
    expect(error).not.toHaveProperty('nonRetryable');
  });

  test('a private address that the policy does not list is not connected to', async () => {
    const { receiver, outside, channel } = await web();
    const egress = { allow: [] };
    await expect(sendTo(channel, message(), { ...outside, egress })).rejects.toMatchObject({ type: 'NOTIFICATION_REFUSED', message: expect.stringContaining('URL_FORBIDDEN') as string });
    const named: Channel = { kind: 'webhook', url: `http://localhost:${receiver.port}/`, secret_env: 'SECRET', per_hour: 60 };
    await expect(sendTo(named, message(), { ...outside, egress })).rejects.toThrow('URL_FORBIDDEN');
    expect(receiver.received).toEqual([]);
  });

  test('nobody there: worth another attempt', async () => {
    const { receiver, outside, channel } = await web();
    await receiver.close();
    open.splice(0);
    const error = await sendTo(channel, message(), outside).catch((e: unknown) => e);
    expect(error).toMatchObject({ message: expect.stringContaining('ECONNREFUSED') as string });
    expect(error).not.toHaveProperty('nonRetryable');
  });

  test('a secret that the environment does not have is named, and nothing is sent', async () => {
    const { receiver, outside, channel } = await web();
    await expect(sendTo(channel, message(), { ...outside, environment: {} })).rejects.toThrow('the worker\'s environment has no SECRET');
    expect(receiver.received).toEqual([]);
  });
});

test('Slack: its form, to an address that is itself a secret', async () => {
  const { receiver, outside } = await web();
  const channel: Channel = { kind: 'slack', url_env: 'SLACK_URL', per_hour: 60 };
  await sendTo(channel, message({ title: 'Escalated: <!channel>' }), { ...outside, environment: { SLACK_URL: `${receiver.url}/T0/B0/xyz` } });
  const { path, body, headers } = await receiver.nth(1);
  expect(path).toBe('/hook/T0/B0/xyz');
  expect(JSON.parse(body)).toMatchObject({ text: 'Escalated: &lt;!channel&gt;', blocks: [{ type: 'section' }, { type: 'section' }] });
  expect(headers).not.toHaveProperty('mission-control-signature');
});

describe('e-mail', () => {
  test('arrives signed in, with a stable id', async () => {
    const { receiver, outside, withUser } = await mail({ user: 'mission', password: secret });
    for (let n = 0; n < 2; n += 1) await sendTo(withUser, message(), outside);
    const [first, second] = receiver.mails;
    expect(first).toMatchObject({ from: 'mc@example.com', to: ['ops@example.com'], user: 'mission' });
    expect(first!.text).toContain('Subject: Escalated: Adding is wrong');
    expect(first!.text).toContain('no candidate passed');
    for (const one of [first, second]) expect(one!.text).toContain('Message-ID: <ntf_1@example.com>');
    expect(first!.text).not.toContain(secret);
  });

  test('a title with line breaks adds no header and no recipient', async () => {
    const { receiver, outside, channel } = await mail();
    await sendTo(channel, message({ title: 'x\r\nBcc: thief@example.com\r\n\r\nbody', subsystem_id: 'a\r\nX-Evil: yes' }), outside);
    const [headers = ''] = receiver.mails[0]!.text.split('\r\n\r\n');
    expect(headers).not.toMatch(/^(bcc|x-evil):/im);
    expect(receiver.mails[0]!.to).toEqual(['ops@example.com']);
  });

  test('a server that says later is asked again and then takes it', async () => {
    const { receiver, outside, channel } = await mail({ answer: (n) => (n === 1 ? 451 : 250) });
    const error = await sendTo(channel, message(), outside).catch((e: unknown) => e);
    expect(error).not.toHaveProperty('nonRetryable');
    expect(receiver.mails).toEqual([]);
    await sendTo(channel, message(), outside);
    expect(receiver.mails).toHaveLength(1);
  });

  test.each<[string, MailRules]>([
    ['a message that is refused', { answer: () => 554 }],
    ['a recipient that is refused', { recipient: () => 550 }],
    ['a password that is wrong, repeated in the answer,', { user: 'mission', password: 'another' }],
  ])('%s is refused for good, and no secret is in the reason', async (_, rules) => {
    const { outside, channel, withUser } = await mail(rules);
    const error = await sendTo(rules.user === undefined ? channel : withUser, message(), outside).catch((e: unknown) => e as Error);
    expect(error).toMatchObject({ type: 'NOTIFICATION_REFUSED', nonRetryable: true });
    expect((error as Error).message).not.toContain(secret);
  });

  test('one recipient of two refused: the other has it, and it is said', async () => {
    const { receiver, outside, channel } = await mail({ recipient: (address) => (address.startsWith('gone') ? 550 : 250) });
    await expect(sendTo({ ...channel, to: ['ops@example.com', 'gone@example.com'] }, message(), outside)).rejects.toThrow('refused for gone@example.com');
    expect(receiver.mails[0]!.to).toEqual(['ops@example.com']);
  });

  test('no password goes to a server without TLS unless the file says so', async () => {
    const { receiver, outside, withUser } = await mail({ user: 'mission', password: secret });
    await expect(sendTo({ ...withUser, security: 'starttls' }, message(), outside)).rejects.toThrow();
    expect(receiver.mails).toEqual([]);
  });

  test('a certificate that nobody vouches for is not believed', async () => {
    const { receiver, outside, channel } = await mail({ starttls: 'yes' });
    await expect(sendTo({ ...channel, security: 'starttls' }, message(), outside)).rejects.toThrow(/certificate/);
    expect(receiver.mails).toEqual([]);
  });

  test.each(['127.0.0.1', 'localhost'])('a private address (%s) that the policy does not list is not connected to', async (host) => {
    const { receiver, outside, channel } = await mail();
    await expect(sendTo({ ...channel, host }, message(), { ...outside, egress: { allow: [] } })).rejects.toMatchObject({ type: 'NOTIFICATION_REFUSED' });
    await sendTo({ ...channel, host }, message(), outside);
    expect(receiver.mails).toHaveLength(1);
  });
});

test('the receiver of docs/notifications.md takes what is ours, once, and refuses what is not', async () => {
  const folder = temporaryFolder();
  const page = await readFile(join(projectRoot, 'docs', 'notifications.md'), 'utf8');
  await writeFile(join(folder, 'receiver.mjs'), /^```js\n(.*?)^```/ms.exec(page)![1]!);
  const port = await freePort(0);
  const child = spawn(process.execPath, [join(folder, 'receiver.mjs')], { env: { PORT: String(port), NOTIFY_ON_CALL_SECRET: secret }, stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = once(child, 'close');
  try {
    const lines: string[] = [];
    const output = createInterface({ input: child.stdout }).on('line', (line) => { lines.push(line); });
    await once(output, 'line');
    const channel: Channel = { kind: 'webhook', url: `http://127.0.0.1:${port}/`, secret_env: 'SECRET', per_hour: 60 };
    const outside = { egress: { allow: [`127.0.0.1:${port}`] }, linkBase: undefined, environment };
    await expect(sendTo(channel, message(), { ...outside, environment: { SECRET: 'forged' } })).rejects.toThrow('answered 401');
    for (let n = 0; n < 2; n += 1) await sendTo(channel, message(), outside);
    const body = '{}';
    const t = Math.floor(Date.now() / 1_000) - 400;
    const old = await fetch(channel.url!, { method: 'POST', body, headers: { 'mission-control-signature': `t=${t},v1=${createHmac('sha256', secret).update(`${t}.${body}`).digest('hex')}` } });
    expect(old.status).toBe(401);
    child.kill();
    await ended;
    expect(lines).toEqual(['listening', 'Escalated: Adding is wrong']);
  } finally {
    child.kill();
    await ended;
    await rm(folder, { recursive: true, force: true });
  }
});
