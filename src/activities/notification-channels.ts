/** One attempt to bring a message to its channel. Safe to repeat: the delivery's id lets receivers know it again. */
import { createHmac } from 'node:crypto';
import { isIP } from 'node:net';
import { createTransport } from 'nodemailer';
import type { EgressPolicy } from '../domain/egress.ts';
import { mailBody, slackBody, titleOf, webhookBody, type Message } from '../domain/notification-message.ts';
import type { Channel, EmailChannel } from '../domain/notification-routing.ts';
import { oneLine } from '../domain/plain-text.ts';
import { failure } from '../engine/failure.ts';
import { BadStatus, guardedLookup, postJson, UrlForbidden } from './egress.ts';

export interface Outside {
  egress: EgressPolicy;
  linkBase: string | undefined;
  /** Variables that channels name their secrets by. */
  environment: Readonly<Record<string, string | undefined>>;
}

/** @throws NOTIFICATION_REFUSED when the channel says no for good; any other Error is worth another attempt */
export async function sendTo(channel: Channel, message: Message, outside: Outside): Promise<void> {
  const secrets: string[] = [];
  const secret: Secret = (variable) => {
    const value = outside.environment[variable];
    if (value === undefined || value === '') throw new Error(`the worker's environment has no ${variable}`);
    secrets.push(value);
    return value;
  };
  try {
    await send(channel, message, outside, secret);
  } catch (error) {
    const reason = oneLine(withoutSecrets((error as Error).message, secrets), 300);
    throw isRefusal(error) ? failure('NOTIFICATION_REFUSED', reason) : new Error(reason);
  }
}

/** The value of a variable. @throws Error when it is not set */
type Secret = (variable: string) => string;

async function send(channel: Channel, message: Message, outside: Outside, secret: Secret): Promise<void> {
  const { egress, linkBase } = outside;
  switch (channel.kind) {
    case 'webhook': {
      const body = webhookBody(message, linkBase);
      const url = channel.url ?? secret(channel.url_env!);
      return postJson(url, egress, body, { ...signed(body, secret(channel.secret_env)), 'mission-control-delivery': message.delivery_id });
    }
    case 'slack': return postJson(channel.url ?? secret(channel.url_env!), egress, slackBody(message, linkBase), {});
    case 'email': return sendMail(channel, message, outside, secret);
  }
}

/** `t.body` under HMAC-SHA256: the time is signed too, so that a receiver can refuse what was recorded long ago. */
function signed(body: string, key: string): Record<string, string> {
  const t = Math.floor(Date.now() / 1_000);
  return { 'mission-control-signature': `t=${t},v1=${createHmac('sha256', key).update(`${t}.${body}`).digest('hex')}` };
}

const mailTimeoutMs = 10_000;

async function sendMail(channel: EmailChannel, message: Message, { egress, linkBase }: Outside, secret: Secret): Promise<void> {
  const { host, port, security, user_env, password_env } = channel;
  const transport = createTransport({
    host: await checkedAddress(host, port, egress), port, secure: security === 'tls', requireTLS: security === 'starttls', ignoreTLS: security === 'none',
    // The certificate is for the name, not for the address it was looked up to.
    ...(isIP(host) === 0 ? { tls: { servername: host } } : {}),
    ...(user_env === undefined ? {} : { auth: { user: secret(user_env), pass: secret(password_env!) } }),
    connectionTimeout: mailTimeoutMs, greetingTimeout: mailTimeoutMs, socketTimeout: mailTimeoutMs,
    disableFileAccess: true, disableUrlAccess: true,
  });
  try {
    const { rejected } = await transport.sendMail({
      from: channel.from, to: channel.to, subject: titleOf(message), text: mailBody(message, linkBase),
      messageId: `<${message.delivery_id}@${channel.from.split('@').at(-1)}>`, date: new Date(message.at),
      headers: { 'mission-control-delivery': message.delivery_id, 'auto-submitted': 'auto-generated' },
    });
    // The others have it: another attempt would tell them twice.
    if (rejected.length > 0) throw failure('NOTIFICATION_REFUSED', `refused for ${rejected.map(String).join(', ')}, taken for the others`);
  } finally {
    transport.close();
  }
}

/** The address to connect to, checked as every other one of ours. @throws UrlForbidden */
async function checkedAddress(host: string, port: number, egress: EgressPolicy): Promise<string> {
  const { check, lookup } = guardedLookup(host, String(port), egress);
  check(host);
  if (isIP(host) !== 0) return host;
  return new Promise((resolve, reject) => {
    lookup(host, {}, (error, address) => (error ? reject(error) : resolve(address as string)));
  });
}

/** A no that the next attempt would hear again. 408, 425 and 429 ask to come back later. */
function isRefusal(error: unknown): boolean {
  if (error instanceof UrlForbidden) return true;
  if (error instanceof BadStatus) return error.status >= 300 && error.status < 500 && ![408, 425, 429].includes(error.status);
  const { responseCode, type } = error as { responseCode?: number; type?: string };
  return type === 'NOTIFICATION_REFUSED' || (responseCode !== undefined && responseCode >= 500);
}

/** What a server answers may hold what we sent it. */
const withoutSecrets = (text: string, secrets: readonly string[]): string =>
  secrets.reduce((rest, secret) => rest.replaceAll(secret, '[redacted]'), text);
