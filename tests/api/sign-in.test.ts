import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { systemActor, type Role } from '../../src/domain/actor.ts';
import { revokeKey } from '../../src/store/keys.ts';
import { tool } from '../cli/tool.ts';
import { call, expectProblem, keyFor, keyIdOf, type Answer } from '../support/http.ts';
import { startApi, type OwnApi } from '../support/servers.ts';
import { startSystem, type System } from '../support/system.ts';

let system: System;
let api: OwnApi;
const log: string[] = [];
const secrets: string[] = [];

beforeAll(async () => {
  system = await startSystem();
  const logger = pino({ level: 'trace' }, { write: (line: string) => { log.push(line); } });
  api = await startApi({ home: system.home, databaseUrl: system.db.url, temporal: system.config.temporal.address ?? '', logger });
});
afterAll(async () => {
  await api.close();
  await system.stop();
});

let people = 0;
async function person(role: Role = 'operator', expires_at: string | null = null): Promise<string> {
  people += 1;
  const key = await keyFor(system, `person-${people}`, role, expires_at);
  secrets.push(key);
  return key;
}
async function codeOf(key: string): Promise<string> {
  const answer = await call(api.url, '/mission-control/sign-in-codes', { key, method: 'POST' });
  expect(answer.status, answer.text).toBe(201);
  expect(answer.headers.get('cache-control')).toBe('no-store');
  const code = String(answer.body['code']);
  expect(answer.body['url']).toBe(`${api.url}/sign-in#${code}`);
  secrets.push(code);
  return code;
}
const signIn = (json: unknown, headers: Record<string, string> = {}): Promise<Answer> => call(api.url, '/mission-control/sign-in', { json, headers });
function cookieOf(answer: Answer): string {
  const cookie = /^mission_control_session=([\w-]+)/.exec(answer.headers.get('set-cookie') ?? '')?.[0] ?? '';
  expect(cookie).not.toBe('');
  secrets.push(cookie.split('=')[1]!);
  return cookie;
}
async function signedIn(key?: string): Promise<string> {
  const answer = await signIn({ api_key: key ?? await person() });
  expect(answer.status, answer.text).toBe(200);
  return cookieOf(answer);
}
const session = (cookie: string): Promise<Answer> => call(api.url, '/mission-control/session', { headers: { cookie } });

test('a code signs in as the holder of the key that it was made with', async () => {
  const key = await person('viewer');
  const answer = await signIn({ code: await codeOf(key) });
  expect(answer.status, answer.text).toBe(200);
  expect(answer.body).toMatchObject({ principal: { kind: 'person', role: 'viewer', key_id: keyIdOf(key), name: 'test' } });
  expect(answer.body['permissions']).toContain('mission:read');
  expect(answer.body['permissions']).not.toContain('mission:steer');
  const cookie = cookieOf(answer);
  const mine = await session(cookie);
  expect(mine.body).toEqual(answer.body);
  expect((await call(api.url, '/mission-control/missions', { headers: { cookie } })).status).toBe(200);
  expect((await call(api.url, '/mission-control/session', { key })).body).toEqual({ ...answer.body, expires_at: null });
});

test('the cookie is out of reach of scripts and other sites, and Secure where the page is', async () => {
  const code = await codeOf(await person());
  const plain = (await signIn({ code })).headers.get('set-cookie') ?? '';
  for (const flag of ['HttpOnly', 'SameSite=Strict', 'Path=/', 'Expires=']) expect(plain).toContain(flag);
  expect(plain).not.toMatch(/Secure|Domain/);
  const tls = await signIn({ api_key: await person() }, { origin: api.url.replace('http:', 'https:') });
  expect(tls.headers.get('set-cookie')).toContain('; Secure');
});

describe('a code', () => {
  test('works once, also when two come at the same moment', async () => {
    const code = await codeOf(await person());
    const answers = await Promise.all(Array.from({ length: 8 }, () => signIn({ code })));
    expect(answers.filter((answer) => answer.status === 200)).toHaveLength(1);
    expect(answers.filter((answer) => answer.status === 401)).toHaveLength(7);
    const late = await signIn({ code });
    expectProblem(late, 401, 'CODE_INVALID');
    expect(late.headers.get('set-cookie')).toBeNull();
  });

  test('works for ten minutes', async () => {
    const code = await codeOf(await person());
    const [row] = await system.db.database.query<{ minutes: number }>(
      'SELECT extract(epoch FROM expires_at - created_at)::int / 60 AS minutes FROM sign_in_codes ORDER BY created_at DESC LIMIT 1');
    expect(row?.minutes).toBe(10);
    await system.db.database.query("UPDATE sign_in_codes SET expires_at = clock_timestamp() - interval '1 second'");
    expectProblem(await signIn({ code }), 401, 'CODE_INVALID');
  });

  test('of a key that was revoked since opens nothing', async () => {
    const key = await person();
    const code = await codeOf(key);
    await revokeKey(system.db.database, keyIdOf(key), systemActor('test'));
    expectProblem(await signIn({ code }), 401, 'CODE_INVALID');
  });

  test('is made by a key, not by a session', async () => {
    const cookie = await signedIn();
    expectProblem(await call(api.url, '/mission-control/sign-in-codes', { method: 'POST', headers: { cookie, origin: api.url } }), 403, 'KEY_REQUIRED');
  });
});

describe('a session', () => {
  test('is dead with its key, revoked or expired, at once', async () => {
    const [revoked, expired] = [await person(), await person('operator', new Date(Date.now() + 3_600_000).toISOString())];
    const cookies = [await signedIn(revoked), await signedIn(expired)];
    for (const cookie of cookies) expect((await session(cookie)).status).toBe(200);
    await revokeKey(system.db.database, keyIdOf(revoked), systemActor('test'));
    await system.db.database.query('UPDATE api_keys SET expires_at = clock_timestamp() WHERE key_id = $1', [keyIdOf(expired)]);
    for (const cookie of cookies) expectProblem(await session(cookie), 401, 'SESSION_ENDED');
  });

  test('ends when it signs out, and only that one', async () => {
    const key = await person();
    const [mine, other] = [await signedIn(key), await signedIn(key)];
    const out = await call(api.url, '/mission-control/session', { method: 'DELETE', headers: { cookie: mine, origin: api.url } });
    expect(out.body).toEqual({ signed_out: true });
    expect(out.headers.get('set-cookie')).toMatch(/^mission_control_session=;.*Expires=Thu, 01 Jan 1970/);
    expectProblem(await session(mine), 401, 'SESSION_ENDED');
    expect((await session(other)).status).toBe(200);
    expectProblem(await call(api.url, '/mission-control/session', { method: 'DELETE', key }), 409, 'NO_SESSION');
    const told = await system.db.database.query<{ type: string }>(
      "SELECT type FROM events WHERE type LIKE 'session.%' AND actor->>'key_id' = $1 ORDER BY ts, event_id", [keyIdOf(key)]);
    expect(told.map(({ type }) => type)).toEqual(['session.started', 'session.started', 'session.ended']);
  });

  test('ends twelve hours after its last use, and its use moves that on, but never past seven days', async () => {
    const { query } = system.db.database;
    const key = await person();
    const cookie = await signedIn(key);
    const hoursLeft = async (): Promise<number> => (Date.parse(String((await session(cookie)).body['expires_at'])) - Date.now()) / 3_600_000;
    const set = (sql: string): Promise<unknown> => query(`UPDATE sessions SET ${sql} WHERE key_id = $1`, [keyIdOf(key)]);
    await set("expires_at = clock_timestamp() + interval '1 hour'");
    expect(await hoursLeft()).toBeCloseTo(12, 1);
    await set("expires_at = clock_timestamp() + interval '1 hour', ends_at = clock_timestamp() + interval '2 hours'");
    expect(await hoursLeft()).toBeCloseTo(2, 1);
    await set("expires_at = clock_timestamp() - interval '1 second'");
    expectProblem(await session(cookie), 401, 'SESSION_ENDED');
  });
});

describe('a page of another origin', () => {
  const silence = (cookie: string, headers: Record<string, string>): Promise<Answer> => call(api.url, '/mission-control/silences', {
    json: { matchers: { subsystem_id: 'x' }, reason: 'y', until: new Date(Date.now() + 60_000).toISOString() }, headers: { cookie, ...headers },
  });
  test.each([
    ['another host', () => ({ origin: 'https://evil.example' })], ['another port of this host', () => ({ origin: 'http://127.0.0.1:1' })],
    ['none said', () => ({})], ['a sandbox', () => ({ origin: 'null' })], ['the same site only', () => ({ origin: 'http://127.0.0.1:1', 'sec-fetch-site': 'same-site' })],
    ['our name in theirs', () => ({ origin: `${api.url}.evil.example` })],
  ])('changes nothing with the cookie: %s', async (_, headers) => {
    expectProblem(await silence(await signedIn(), headers()), 403, 'ORIGIN_REFUSED');
  });

  test('a page of our own does, by its Origin or by what the browser vouches for', async () => {
    const cookie = await signedIn();
    for (const headers of [{ origin: api.url }, { 'sec-fetch-site': 'same-origin' }] as Record<string, string>[]) {
      const answer = await silence(cookie, headers);
      expect(answer.status, answer.text).toBe(201);
    }
  });

  test('a key needs no Origin, and a key beside a cookie is what counts', async () => {
    const [cookie, key] = [await signedIn(await person('viewer')), await person()];
    expect((await silence(cookie, { authorization: `Bearer ${key}`, origin: 'https://evil.example' })).status).toBe(201);
  });

  test('signs nobody in', async () => {
    const answer = await signIn({ api_key: await person() }, { origin: 'https://evil.example' });
    expectProblem(answer, 403, 'ORIGIN_REFUSED');
    expect(answer.headers.get('set-cookie')).toBeNull();
  });
});

test('what does not sign in gives no cookie', async () => {
  const garbled: [unknown, number, string][] = [
    [{}, 400, 'INVALID_REQUEST'], [{ code: 'x', api_key: 'y' }, 400, 'INVALID_REQUEST'], [{ code: 'x', more: 1 }, 400, 'UNKNOWN_FIELD'], [{ code: 7 }, 400, 'INVALID_REQUEST'],
    [{ code: 'x'.repeat(24) }, 401, 'CODE_INVALID'], [{ code: '\' OR true --' }, 401, 'CODE_INVALID'],
    [{ api_key: 'mck_nothing' }, 401, 'KEY_INVALID'], [{ api_key: await person('viewer', new Date(Date.now() - 1_000).toISOString()) }, 401, 'KEY_INVALID'],
  ];
  for (const [json, status, code] of garbled) {
    const answer = await signIn(json);
    expectProblem(answer, status, code);
    expect(answer.headers.get('set-cookie')).toBeNull();
  }
});

test('missionctl open prints a link that signs in', async () => {
  const { code, out, err } = await tool(['open'], { url: api.url, key: await person() });
  expect(code, err).toBe(0);
  const link = new URL(out.trim());
  expect(link.origin + link.pathname).toBe(`${api.url}/sign-in`);
  secrets.push(link.hash.slice(1));
  expect((await signIn({ code: link.hash.slice(1) })).status).toBe(200);
});

test('guessing is limited', async () => {
  const guess = (): Promise<number> => system.app.inject({
    method: 'POST', url: '/mission-control/sign-in', payload: { code: 'x'.repeat(24) }, remoteAddress: '10.9.9.9',
  }).then((answer) => answer.statusCode);
  const statuses: number[] = [];
  for (let i = 0; i < 101; i += 1) statuses.push(await guess());
  expect(statuses.slice(0, 100)).toEqual(Array<number>(100).fill(401));
  expect(statuses[100]).toBe(429);
});

test('no code, cookie or key is in a log line or a table', async () => {
  const tables = await system.db.database.query<{ name: string }>("SELECT tablename AS name FROM pg_tables WHERE schemaname = 'public'");
  const dump = (await Promise.all(tables.map(({ name }) => system.db.database.query<{ row: string }>(`SELECT t::text AS row FROM "${name}" t`)))).flat().map(({ row }) => row);
  expect(dump.length).toBeGreaterThan(20);
  expect(secrets.length).toBeGreaterThan(20);
  // An error of ours is logged with all that is known of it.
  await system.db.database.query('ALTER TABLE sessions RENAME TO away');
  const cookie = secrets.findLast((secret) => secret.length === 43)!;
  const failed = await session(`mission_control_session=${cookie}`);
  await system.db.database.query('ALTER TABLE away RENAME TO sessions');
  expect(failed.status).toBe(500);
  expect(log.some((line) => line.includes('request.failed'))).toBe(true);
  for (const secret of secrets) {
    expect(log.filter((line) => line.includes(secret))).toEqual([]);
    expect(dump.filter((row) => row.includes(secret))).toEqual([]);
  }
});
