import rateLimit from '@fastify/rate-limit';
import Fastify from 'fastify';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { registerAuth } from '../../src/api/auth.ts';
import { holds, permissions, roles, systemActor, type Permission, type Role } from '../../src/domain/actor.ts';
import { newKeyText, revokeKey } from '../../src/store/keys.ts';
import { changingNothing, expectProblem, forgedKey, keyFor, keyIdOf } from '../support/http.ts';
import { filled, routesDuring, type Route } from '../support/routes.ts';
import { startSystem, type System } from '../support/system.ts';

let system: System;
let routes: Route[];
const good = new Map<Role, string>();
const expired = new Map<Role, string>();
const revoked = new Map<Role, string>();

beforeAll(async () => {
  ({ built: system, routes } = await routesDuring(startSystem));
  for (const role of roles) {
    good.set(role, await keyFor(system, `good-${role}`, role));
    expired.set(role, await keyFor(system, `late-${role}`, role, new Date(Date.now() - 1_000).toISOString()));
    const key = await keyFor(system, `gone-${role}`, role);
    await revokeKey(system.db.database, keyIdOf(key), systemActor('test'));
    revoked.set(role, key);
  }
});
afterAll(() => system.stop());

const documentation = (route: Route): boolean => route.url.startsWith('/docs');
const isPublic = (route: Route): boolean => documentation(route) || route.permission === 'public';
const named = (route: Route): string => `${route.method} ${route.url}`;

let addresses = 0;
/** Each refused request comes from an address of its own, or the limit for strangers would answer instead. */
async function knock(route: Route, headers: Record<string, string>, query = '') {
  addresses += 1;
  const remoteAddress = `10.${addresses >> 16}.${(addresses >> 8) & 255}.${addresses & 255}`;
  const answer = await system.app.inject({ method: route.method as 'GET', url: filled(route.url) + query, headers, remoteAddress });
  return { status: answer.statusCode, headers: new Headers(answer.headers as Record<string, string>), text: answer.body };
}
const bearer = (key: string) => ({ authorization: `Bearer ${key}` });

function wrongChecksum(key: string): string {
  return key.slice(0, -1) + (key.endsWith('0') ? '1' : '0');
}

test('the public routes are these and no others', () => {
  expect(routes.filter(isPublic).filter((route) => route.method === 'GET').map((route) => route.url)).toEqual(
    [
      '/docs/', '/docs/static/index.html', '/docs/static/swagger-initializer.js', '/docs/json', '/docs/yaml', '/docs/static/*',
      '/', '/assets/*', '/openapi.json', '/health/live', '/health/ready', '/api/health',
    ]);
  expect(routes.length).toBeGreaterThan(50);
});

test('public routes answer without a key, and only reading and signing in are public', async () => {
  const changing = routes.filter(isPublic).filter((route) => !['GET', 'HEAD'].includes(route.method));
  expect(changing.map(named)).toEqual(['POST /mission-control/sign-in']);
  for (const route of routes.filter(isPublic).filter((route) => !changing.includes(route))) {
    expect(['GET', 'HEAD'], named(route)).toContain(route.method);
    // Not ready is an answer too: no worker runs here. So is "no such file" to the name that stands for any file.
    expect([200, 302, 404, 503], named(route)).toContain((await knock(route, {})).status);
  }
});

test('a route that names no permission does not start', async () => {
  const app = Fastify();
  await app.register(rateLimit);
  registerAuth(app, { database: system.db.database, pepper: system.pepper });
  expect(() => app.get('/forgotten', async () => 'open to all')).toThrow('GET /forgotten names no permission');
});

describe('nobody gets in without a key that is valid now', () => {
  const refusals: [string, string, (role: Role) => Record<string, string>, ((role: Role) => string)?][] = [
    ['no key', 'AUTH_REQUIRED', () => ({})],
    ['a key in the query string', 'AUTH_REQUIRED', () => ({}), (role) => `?key=${good.get(role)}&authorization=Bearer%20${good.get(role)}`],
    ['a key in a cookie', 'AUTH_REQUIRED', (role) => ({ cookie: `key=${good.get(role)}` })],
    ['a session cookie that was never given', 'SESSION_ENDED', () => ({ cookie: `mission_control_session=${'A'.repeat(43)}` })],
    ['a key as the session cookie', 'SESSION_ENDED', (role) => ({ cookie: `mission_control_session=${good.get(role)}` })],
    ['a garbled key', 'KEY_INVALID', (role) => bearer(`${good.get(role)!.slice(0, 40)}zz`)],
    ['a key with a line of its own', 'KEY_INVALID', (role) => bearer(`${good.get(role)} x`)],
    ['a wrong checksum', 'KEY_INVALID', (role) => bearer(wrongChecksum(good.get(role)!))],
    ['a known id with another secret', 'KEY_INVALID', (role) => bearer(forgedKey(keyIdOf(good.get(role)!)))],
    ['an unknown key', 'KEY_INVALID', () => bearer(newKeyText())],
    ['another scheme', 'KEY_INVALID', (role) => ({ authorization: `Basic ${Buffer.from(`x:${good.get(role)}`).toString('base64')}` })],
    ['an expired key', 'KEY_INVALID', (role) => bearer(expired.get(role)!)],
    ['a revoked key', 'KEY_INVALID', (role) => bearer(revoked.get(role)!)],
  ];
  test.each(refusals)('%s', async (_name, code, headers, query = () => '') => {
    await changingNothing(system.db.database, async () => {
      for (const route of routes.filter((route) => !isPublic(route))) {
        for (const role of roles) {
          const answer = await knock(route, headers(role), query(role));
          expect(answer.status, `${named(route)} as ${role}`).toBe(401);
          expect(answer.headers.get('www-authenticate')).toBe('Bearer');
          if (route.method !== 'HEAD') expectProblem(answer, 401, code);
        }
      }
    });
  });

  test('unknown, expired and revoked keys get the very same answer', async () => {
    const route = routes.find((route) => !isPublic(route))!;
    const texts = await Promise.all([newKeyText(), expired.get('admin')!, revoked.get('admin')!, 'nonsense']
      .map(async (key) => (await knock(route, bearer(key))).text.replace(/"request_id":"[^"]*"/, '')));
    expect(new Set(texts).size).toBe(1);
  });
});

test.each(roles)('%s comes exactly as far as the permission table says', async (role) => {
  await changingNothing(system.db.database, async () => {
    for (const route of routes.filter((route) => !isPublic(route))) {
      const permission = route.permission as Permission;
      const answer = await knock(route, bearer(good.get(role)!));
      const allowed = holds(role, permission);
      expect(answer.status === 403, `${named(route)} as ${role}: ${answer.status}`).toBe(!allowed);
      expect(answer.status).not.toBe(401);
      expect(answer.status).toBeLessThan(500);
      if (allowed || route.method === 'HEAD') continue;
      expectProblem(answer, 403, 'FORBIDDEN');
      expect(answer.text).toContain(permission);
    }
    // The one route that needs nothing but its caller.
    await system.db.database.query('DELETE FROM sign_in_codes');
  });
});

test('the table itself: viewers only read and sign in, agents neither steer, decide, measure, configure nor hand out keys', () => {
  const of = (role: Role): string[] => (Object.keys(permissions) as Permission[]).filter((permission) => holds(role, permission));
  expect(of('viewer').every((permission) => permission.endsWith(':read') || permission === 'session:own')).toBe(true);
  for (const denied of ['mission:steer', 'mission:observe', 'approval:decide', 'repository:write', 'metric:write', 'metric:push', 'key:manage']) {
    expect(of('agent')).not.toContain(denied);
  }
  for (const denied of ['mission:create', 'mission:execute', 'mission:steer', 'metric:push', 'key:manage']) expect(of('approver')).not.toContain(denied);
  expect(of('operator')).not.toContain('approval:decide');
  expect(roles.filter((role) => holds(role, 'key:manage'))).toEqual(['admin']);
});

test('the scheme may be spelt as HTTP allows', async () => {
  const route = routes.find((route) => route.url === '/mission-control/status' && route.method === 'GET')!;
  for (const scheme of ['Bearer', 'bearer', 'BEARER']) {
    expect((await knock(route, { authorization: `${scheme} ${good.get('viewer')}` })).status, scheme).toBe(200);
  }
});

test('a key that is revoked is refused by the next request', async () => {
  const key = await keyFor(system, 'short-lived', 'operator');
  const route = routes.find((route) => route.url === '/mission-control/missions' && route.method === 'GET')!;
  expect((await knock(route, bearer(key))).status).toBe(200);
  const admin = bearer(good.get('admin')!);
  const revoke = await system.app.inject({ method: 'DELETE', url: `/mission-control/keys/${keyIdOf(key)}`, headers: admin });
  expect(revoke.statusCode).toBe(200);
  expect((await knock(route, bearer(key))).status).toBe(401);
});
