import { request } from 'node:http';
import { connect, type Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { call, expectProblem, forgedKey, keyFor, keyIdOf, rawExchange, type Answer } from '../support/http.ts';
import { startApi, type OwnApi } from '../support/servers.ts';
import { startSystem, type System } from '../support/system.ts';

const missions = '/mission-control/missions';
let system: System;
let api: OwnApi;
let key: string;
beforeAll(async () => {
  system = await startSystem();
  // Its own counters: what the others of this file did is not counted here.
  api = await startApi({ home: system.home, databaseUrl: system.db.url, temporal: system.config.temporal.address ?? '' });
  key = await keyFor(system, 'viewer', 'viewer');
});
afterAll(async () => {
  await api.close();
  await system.stop();
});

/** From an address of the loopback network: each has its own allowance. */
function from(localAddress: string, path: string, headers: Record<string, string> = {}, url = api.url): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const sent = request(`${url}${path}`, { localAddress, headers, agent: false }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk: string) => { text += chunk; }).on('end', () =>
        resolve({ status: response.statusCode ?? 0, headers: new Headers(response.headers as Record<string, string>), text, body: {} }));
    });
    sent.on('error', reject).end();
  });
}

async function spend(address: string, path: string, headers: (n: number) => Record<string, string> = () => ({}), status = 401): Promise<Answer> {
  for (let n = 0; n < 100; n += 1) {
    const { status: got, text } = await from(address, path, headers(n));
    expect(got, `request ${n}: ${text}`).toBe(status);
  }
  return from(address, path, headers(100));
}

describe('the 101st request of a stranger within a minute', () => {
  const refused = (answer: Answer): void => {
    expectProblem(answer, 429, 'RATE_LIMITED');
    const seconds = Number(answer.headers.get('retry-after'));
    expect(seconds).toBeGreaterThan(0);
    expect(seconds).toBeLessThanOrEqual(60);
  };

  test('without a key, and nobody else is affected', async () => {
    refused(await spend('127.0.1.1', missions));
    expect((await from('127.0.1.2', missions)).status).toBe(401);
    expect((await from('127.0.1.1', missions, { authorization: `Bearer ${key}` })).status, 'a known caller at the same address').toBe(200);
    expect((await from('127.0.1.1', '/health/live')).status).toBe(200);
  });

  test('with made-up keys of the right form, a new one each time', async () => {
    refused(await spend('127.0.1.3', missions, (n) => ({ authorization: `Bearer ${forgedKey(n.toString(16).padStart(16, '0'))}` })));
  });

  test("with somebody's key id and no secret: it costs the stranger, not the owner", async () => {
    const owner = await keyFor(system, 'owner', 'viewer');
    refused(await spend('127.0.1.4', missions, () => ({ authorization: `Bearer ${forgedKey(keyIdOf(owner))}` })));
    const mine = await from('127.0.1.5', missions, { authorization: `Bearer ${owner}` });
    expect(mine.status).toBe(200);
    expect(mine.headers.get('x-ratelimit-remaining')).toBe('5999');
  });

  test('by an address it only claims to have', async () => {
    refused(await spend('127.0.1.6', missions, (n) => ({ 'x-forwarded-for': `10.0.0.${n}`, forwarded: `for=10.0.0.${n}`, 'x-real-ip': `10.0.0.${n}` })));
  });

  test('for public pages, and for pages that are not there', async () => {
    refused(await spend('127.0.1.7', '/openapi.json', () => ({}), 200));
    refused(await spend('127.0.1.8', '/nope', () => ({}), 404));
  });
});

test('a key has an allowance of its own, and says what is left', async () => {
  const answer = await from('127.0.2.1', missions, { authorization: `Bearer ${await keyFor(system, 'fresh', 'viewer')}` });
  expect(answer.headers.get('x-ratelimit-limit')).toBe('6000');
  expect(answer.headers.get('x-ratelimit-remaining')).toBe('5999');
});

describe('bytes that are no request are refused and the connection closed', () => {
  const head = `POST ${missions} HTTP/1.1\r\nHost: x\r\n`;
  const split = (answer: string): Pick<Answer, 'status' | 'headers' | 'text'> => {
    const [lines = '', text = ''] = answer.split('\r\n\r\n');
    return { status: Number(lines.slice(9, 12)), headers: new Headers({ 'content-type': /content-type: (.*)/i.exec(lines)?.[1] ?? '' }), text };
  };
  test('64 KB of headers', async () => {
    expectProblem(split(await rawExchange(api.url, `${head}X-Big: ${'a'.repeat(65_536)}\r\n\r\n`)), 431, 'HEADERS_TOO_LARGE');
    expectProblem(split(await rawExchange(api.url, `GET /${'a'.repeat(65_536)} HTTP/1.1\r\nHost: x\r\n\r\n`)), 431, 'HEADERS_TOO_LARGE');
  });
  test.each([
    ['no HTTP at all', 'HELO there\r\n\r\n'], ['TLS', '\x16\x03\x01\x02\x00\x01\x00\x01'],
    ['a method nobody knows', 'BREW / HTTP/1.1\r\nHost: x\r\n\r\n'],
    ['two lengths', `${head}Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}`],
    ['a length and chunks', `${head}Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`],
    ['a length below 0', `${head}Content-Length: -1\r\n\r\n`],
    ['a bad chunk', `${head}Authorization: Bearer x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n`],
    ['a space before the colon', `${head}Content-Length : 2\r\n\r\n{}`],
    ['a folded header', `${head}X: a\r\n b: c\r\n\x00\r\n\r\n`],
    ['no host', `GET ${missions} HTTP/1.1\r\n\r\n`],
  ])('%s', async (_name, bytes) => {
    const answer = await rawExchange(api.url, bytes);
    expect(answer).toMatch(/^HTTP\/1\.1 4\d\d /);
    expect(answer).not.toMatch(/HTTP\/1\.1 [235]/);
  });

  test('a second request hidden in a body is not answered', async () => {
    const hidden = `GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n`;
    const answer = await rawExchange(api.url, `${head}Connection: close\r\nContent-Type: application/json\r\nContent-Length: ${hidden.length}\r\n\r\n${hidden}`);
    expect(answer.match(/HTTP\/1\.1 \d/g)).toHaveLength(1);
    expect(answer).not.toContain('"live"');
  });
});

test('slow heads and half bodies keep nobody else waiting', async () => {
  const port = Number(new URL(api.url).port);
  const starts = [
    `GET ${missions} HTTP/1.1\r\nHost: x\r\nX-Slow: `,
    `POST ${missions} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${await keyFor(system, 'slow', 'operator')}\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"severity":`,
    `GET /health/live HTTP/1.1\r\nHost: x\r\nConnection: keep-alive\r\n\r\n`,
  ];
  const sockets: Socket[] = [];
  try {
    for (let n = 0; n < 150; n += 1) {
      const socket = connect({ port, host: '127.0.0.1' });
      socket.on('error', () => undefined);
      sockets.push(socket);
      await new Promise<void>((resolve) => { socket.write(starts.at(n % starts.length) ?? '', () => resolve()); });
    }
    const started = Date.now();
    expect((await call(api.url, missions, { key })).status).toBe(200);
    // Ten times what it takes on a busy machine; a server that waited for one of them would take 30 s.
    expect(Date.now() - started).toBeLessThan(5_000);
    expect(sockets.filter((socket) => !socket.destroyed).length).toBeGreaterThan(100);
  } finally {
    for (const socket of sockets) socket.destroy();
  }
});
