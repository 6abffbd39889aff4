import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { ClientOptions } from 'ws';
import { systemActor } from '../../src/domain/actor.ts';
import { newKeyText, revokeKey } from '../../src/store/keys.ts';
import { call, expectProblem, keyFor, keyIdOf } from '../support/http.ts';
import { messageOf, openClient, range, Refusal, seqs, snapshotOf, startStreaming, type Client, type StreamSystem } from '../support/stream.ts';

let system: StreamSystem;
beforeAll(async () => {
  system = await startStreaming({
    MISSION_CONTROL_STREAM_CONNECTIONS: '8', MISSION_CONTROL_STREAM_CONNECTIONS_PER_PRINCIPAL: '3', MISSION_CONTROL_CORS_ORIGINS: 'https://board.example',
  });
  await system.ledger.whenSealed(1);
});
afterAll(() => system.close());

const open: Client[] = [];
async function connected(client: Promise<Client>): Promise<Client> {
  open.push(await client);
  return client;
}
afterEach(async () => { for (const client of open.splice(0)) { client.socket.resume(); await client.close(); } });

let people = 0;
const person = (): Promise<string> => keyFor(system, `person-${people += 1}`, 'viewer');
const bearer = (key: string): ClientOptions => ({ headers: { authorization: `Bearer ${key}` } });
async function cookieOf(key: string): Promise<string> {
  const answer = await call(system.url, '/mission-control/sign-in', { json: { api_key: key } });
  return /^[^;]+/.exec(answer.headers.get('set-cookie') ?? '')![0];
}
async function live(client: Client): Promise<Client> {
  client.say({ type: 'subscribe' });
  await snapshotOf(client);
  return client;
}

describe('who may not is answered in HTTP, before any upgrade', () => {
  const refusals: [string, number, string, () => Promise<ClientOptions>][] = [
    ['no key', 401, 'AUTH_REQUIRED', async () => ({})],
    ['a garbled key', 401, 'KEY_INVALID', async () => bearer(`${system.key.slice(0, 40)}zz`)],
    ['an unknown key', 401, 'KEY_INVALID', async () => bearer(newKeyText())],
    ['a revoked key', 401, 'KEY_INVALID', async () => {
      const key = await person();
      await revokeKey(system.db.database, keyIdOf(key), systemActor('test'));
      return bearer(key);
    }],
    ['a cookie that was never given', 401, 'SESSION_ENDED', async () => ({ headers: { cookie: `mission_control_session=${'x'.repeat(43)}` } })],
    ['a page of another host, with a key', 403, 'ORIGIN_REFUSED', async () => ({ ...bearer(system.key), origin: 'https://evil.example' })],
    ['a page of another host, with a cookie', 403, 'ORIGIN_REFUSED', async () => ({ headers: { cookie: await cookieOf(system.key) }, origin: 'https://evil.example' })],
    ['a page of another port, with a cookie', 403, 'ORIGIN_REFUSED', async () => ({ headers: { cookie: await cookieOf(system.key) }, origin: 'http://127.0.0.1:1' })],
    ['a cookie and no page', 403, 'ORIGIN_REFUSED', async () => ({ headers: { cookie: await cookieOf(system.key) } })],
  ];
  test.each(refusals)('%s: %d %s', async (_, status, code, options) => {
    const refused = await openClient(system.url, await options()).catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(Refusal);
    expect(refused).toMatchObject({ status, code });
  });

  test('a key in the address is no key', async () => {
    const refused = await openClient(`${system.url}?key=${system.key}`.replace(/\?.*/, '')).catch((error: unknown) => error);
    expect(refused).toMatchObject({ status: 401 });
  });

  test('a page of our own with a cookie may, one of an allowed origin, and a program with a key', async () => {
    for (const options of [
      { headers: { cookie: await cookieOf(await person()) }, origin: system.url }, { ...bearer(await person()), origin: 'https://board.example' }, bearer(await person()),
    ]) await live(await connected(openClient(system.url, options)));
  });

  test('asked without an upgrade it says what it is', async () => {
    expectProblem(await call(system.url, '/mission-control/ws', { key: system.key }), 426, 'UPGRADE_REQUIRED');
  });
});

test('places are bounded, for each principal and in all, and are free again when a client has gone', async () => {
  const key = await person();
  const mine = [];
  for (let i = 0; i < 3; i += 1) mine.push(await connected(system.connect({}, key)));
  await expect(system.connect({}, key)).rejects.toMatchObject({ status: 429, code: 'TOO_MANY_CONNECTIONS' });
  const other = await person();
  for (let i = 0; i < 3; i += 1) await connected(system.connect({}, other));
  const third = await person();
  for (let i = 0; i < 2; i += 1) await connected(system.connect({}, third));
  await expect(system.connect({}, await person())).rejects.toMatchObject({ status: 503, code: 'TOO_MANY_CONNECTIONS' });
  await mine[0]!.close();
  await connected(system.connect({}, key));
});

describe('whoever signed out is cut off', () => {
  test('a revoked key, at once, with every connection of it and no other', async () => {
    const [key, other] = [await person(), await person()];
    const [one, two, stays] = await Promise.all([key, key, other].map(async (as) => live(await connected(system.connect({}, as)))));
    await revokeKey(system.db.database, keyIdOf(key), systemActor('test'));
    expect((await one!.closed).code).toBe(4001);
    expect((await two!.closed).code).toBe(4001);
    expect((await stays!.until(({ events }) => events.find((event) => event.type === 'key.revoked'))).payload).toEqual({ key_id: keyIdOf(key) });
    await system.ledger.write(1);
    await stays!.until(({ events }) => events.some((event) => event.type === 'mission.waiting'));
  });

  test('a session that signs out, and its key stays', async () => {
    const key = await person();
    const cookie = await cookieOf(key);
    const page = await live(await connected(openClient(system.url, { headers: { cookie }, origin: system.url })));
    const program = await live(await connected(system.connect({}, key)));
    await call(system.url, '/mission-control/session', { method: 'DELETE', headers: { cookie, origin: system.url } });
    expect((await page.closed).code).toBe(4001);
    program.say({ type: 'request_update' });
    await program.until(messageOf('initial_data', program.messages.length));
  });

  test('a key that expires, though no event tells of it', async () => {
    const key = await keyFor(system, 'short', 'viewer', new Date(Date.now() + 60_000).toISOString());
    const client = await live(await connected(system.connect({}, key)));
    await system.db.database.query('UPDATE api_keys SET expires_at = clock_timestamp() WHERE key_id = $1', [keyIdOf(key)]);
    expect((await client.closed).code).toBe(4001);
  });
});

test('a frame of 1 MB ends the connection that sent it', async () => {
  const [client, other] = [await live(await connected(system.connect())), await live(await connected(system.connect()))];
  client.socket.send('x'.repeat(1024 * 1024));
  expect((await client.closed).code).toBe(1009);
  await system.ledger.write(1);
  await other.until(({ events }) => events.length > 0);
});

test('a client that does not read is cut with 4008 while the others go on', async () => {
  const [slow, other] = [await live(await connected(system.connect())), await live(await connected(system.connect({}, await person())))];
  const [slowFrom, otherFrom] = [(await snapshotOf(slow)).seq, (await snapshotOf(other)).seq];
  slow.socket.pause();
  // More than the network between two processes holds by itself.
  const big = { payload: { text: 'x'.repeat(200_000) } };
  for (let i = 0; i < 60; i += 1) await system.ledger.write(1, big);
  const last = await system.settled();
  await other.until(() => other.cursor() >= last);
  expect(seqs(other)).toEqual(range(otherFrom + 1, last));
  slow.socket.resume();
  expect((await slow.closed).code).toBe(4008);
  // It goes on where it was, when it reads again.
  const again = await connected(system.connect());
  again.say({ type: 'subscribe', after: slow.cursor() });
  await again.until(() => again.cursor() >= last);
  expect([...seqs(slow), ...seqs(again)]).toEqual(range(slowFrom + 1, last));
});

test('the api goes away: clients are told to come back, and it does not wait for those that do not listen', async () => {
  const [client, deaf] = [await live(await connected(system.connect())), await live(await connected(system.connect()))];
  const waiting = call(system.url, `/mission-control/events?after=${await system.settled()}&wait=25`, { key: system.key }).catch(() => undefined);
  deaf.socket.pause();
  const started = performance.now();
  await system.closeApi();
  expect((await client.closed).code).toBe(1012);
  await waiting;
  // A bound on hanging, far above what it takes.
  expect(performance.now() - started).toBeLessThan(15_000);
});
