import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { call, changingNothing, expectProblem, keyFor, rawExchange } from '../support/http.ts';
import { calculator, fixedAdd } from '../support/repository.ts';
import { filled, routesDuring, type Route } from '../support/routes.ts';
import { missionBody, startSystem, type System } from '../support/system.ts';

let system: System;
let routes: Route[];
let key: string;
beforeAll(async () => {
  ({ built: system, routes } = await routesDuring(startSystem));
  key = await keyFor(system, 'root', 'admin');
  const repository = system.repository(calculator);
  const body = missionBody(repository, [repository.diff(fixedAdd)]);
  for (const title of ['one', 'two', 'three']) {
    expect((await call(system.url, '/mission-control/missions', { key, json: { ...body, title, labels: [title] } })).status).toBe(201);
  }
});
afterAll(() => system.stop());

const get = (path: string) => call(system.url, `/mission-control${path}`, { key });

describe('lists', () => {
  test.each(['/missions', '/approvals', '/capa', '/findings', '/silences'])('%s takes a limit of 1 to 200', async (path) => {
    for (const limit of ['0', '201', '-1', 'abc', '', '1.5', 'NaN', 'Infinity', '1e9', '%00', '1&limit=2']) {
      expectProblem(await get(`${path}?limit=${limit}`), 400, 'INVALID_REQUEST', 'limit');
    }
    for (const limit of ['1', '200']) expect((await get(`${path}?limit=${limit}`)).status).toBe(200);
  });

  test.each(['/missions', '/approvals', '/capa', '/findings', '/silences'])('%s names a filter it does not know', async (path) => {
    for (const name of ['order_by', 'api_key', '__proto__', "a' OR 1=1"]) {
      expectProblem(await get(`${path}?${encodeURIComponent(name)}=x`), 400, 'UNKNOWN_FIELD', name);
    }
  });

  test.each<[string, string]>([
    ['status', 'done'], ['status', 'open&status=open'], ['severity', "high' --"], ['mission_type', 'x'], ['subsystem_id', 'a%00b'],
    ['label', 'x'.repeat(201)], ['assigned_to', '%00'], ['created_after', 'yesterday'], ['created_after', '0000-01-01T00:00:00Z'],
    ['created_before', '2025-13-01T00:00:00Z'], ['created_before', '2025-02-30T00:00:00Z'], ['cursor', 'x'.repeat(501)],
  ])('a filter %s=%s is refused', async (name, value) => expectProblem(await get(`/missions?${name}=${value}`), 400, 'INVALID_REQUEST', name));

  test('a moment may be given at any offset, and means the same moment', async () => {
    const now = Date.now();
    for (const [name, at, found] of [['created_after', now - 3_600_000, 3], ['created_before', now - 3_600_000, 0], ['created_before', now + 3_600_000, 3]] as const) {
      for (const hours of [0, 14, 23, -23]) {
        const local = new Date(at + hours * 3_600_000).toISOString().slice(0, -1);
        const offset = `${hours < 0 ? '-' : '+'}${String(Math.abs(hours)).padStart(2, '0')}:00`;
        const answer = await get(`/missions?${name}=${encodeURIComponent(local + offset)}`);
        expect((answer.body['items'] as unknown[] | undefined)?.length, `${name} ${offset} ${answer.text.slice(0, 200)}`).toBe(found);
      }
    }
  });

  test('pages follow each other without gap or repeat, newest first', async () => {
    const titles: unknown[] = [];
    let cursor = '';
    do {
      const { body } = await get(`/missions?limit=1${cursor}`);
      titles.push(...(body['items'] as { title: string }[]).map((item) => item.title));
      cursor = body['next_cursor'] === null ? '' : `&cursor=${encodeURIComponent(body['next_cursor'] as string)}`;
    } while (cursor !== '');
    expect(titles).toEqual(['three', 'two', 'one']);
  });

  test('a cursor that we did not sign is refused', async () => {
    const { body } = await get('/missions?limit=1');
    const real = String(body['next_cursor']);
    const signature = real.split('.').at(1) ?? '';
    for (const forged of ['1', '', `999.${signature}`, `${real}x`, real.slice(0, -1), `1 OR 1=1.${signature}`, '1.%00', `${encodeURIComponent('é')}.${signature}`, `.${signature}`]) {
      expectProblem(await get(`/missions?cursor=${forged}`), 400, 'CURSOR_INVALID', 'cursor');
    }
  });

  test('a filter finds what it says and nothing else', async () => {
    expect((await get('/missions?label=two')).body['items']).toMatchObject([{ title: 'two' }]);
    expect((await get("/missions?label=two'%20OR%20'1'='1")).body['items']).toEqual([]);
    expect((await get('/missions?label=%25')).body['items']).toEqual([]);
  });
});

test.each<[string, string, string]>([
  ['GET', '/missions/mission_20200101_001', 'MISSION_NOT_FOUND'], ['GET', '/missions/mission_20200101_001/stages', 'MISSION_NOT_FOUND'],
  ['GET', '/missions/mission_20200101_001/timeline', 'MISSION_NOT_FOUND'], ['GET', '/missions/mission_20200101_001/evidence', 'MISSION_NOT_FOUND'],
  ['POST', '/missions/mission_20200101_001/execute', 'MISSION_NOT_FOUND'], ['POST', '/missions/mission_20200101_001/resume', 'MISSION_NOT_FOUND'],
  ['POST', '/missions/mission_20200101_001/retry', 'MISSION_NOT_FOUND'], ['GET', '/missions/..%2f..%2fetc%2fpasswd', 'MISSION_NOT_FOUND'],
  ['GET', "/missions/'%3B%20DROP%20TABLE%20missions%3B--", 'MISSION_NOT_FOUND'], ['GET', '/missions/constructor', 'MISSION_NOT_FOUND'],
  ['GET', '/capa/CAPA-2020-001', 'CAPA_NOT_FOUND'], ['GET', `/artifacts/${'0'.repeat(64)}`, 'ARTIFACT_NOT_FOUND'], ['DELETE', '/keys/nobody', 'KEY_NOT_FOUND'],
  ['GET', '/approvals/nobody', 'APPROVAL_NOT_FOUND'],
])('%s %s: 404 %s', async (method, path, code) => {
  expectProblem(await call(system.url, `/mission-control${path}`, { key, method }), 404, code);
});

test('404 for what is not there when the body is good, too', async () => {
  for (const verb of ['approve', 'reject']) {
    expectProblem(await call(system.url, `/mission-control/approvals/nobody/${verb}`, { key, json: { reason: 'x' } }), 404, 'APPROVAL_NOT_FOUND');
  }
  for (const verb of ['pause', 'abort']) {
    expectProblem(await call(system.url, `/mission-control/missions/nobody/${verb}`, { key, json: { reason: 'x' } }), 404, 'MISSION_NOT_FOUND');
  }
  expectProblem(await call(system.url, '/mission-control/metrics/no.such/observations', { key, json: { value: 1 } }), 404, 'METRIC_UNKNOWN');
});

describe('an id that can be none', () => {
  test('is refused by every route that takes one', async () => {
    const taking = routes.filter((route) => route.url.includes(':') && route.method !== 'HEAD');
    expect(taking.length).toBeGreaterThan(10);
    await changingNothing(system.db.database, async () => {
      for (const { method, url } of taking) {
        for (const id of ['%00', 'a%00b', 'x'.repeat(250)]) {
          const answer = await call(system.url, filled(url, id), { key, method, ...(method === 'PUT' || method === 'POST' ? { json: {} } : {}) });
          expectProblem(answer, 400, 'INVALID_REQUEST');
        }
        expectProblem(await call(system.url, filled(url, 'x'.repeat(301)), { key, method }), 414, 'INVALID_REQUEST');
        for (const id of ['%zz', '%ff', '%c0%ae']) expectProblem(await call(system.url, filled(url, id), { key, method }), 400, 'INVALID_REQUEST');
      }
    });
  });

  test.each(['short', '0'.repeat(63), '0'.repeat(65), 'A'.repeat(64), '..%2f..%2f..%2fetc%2fpasswd'])('an artefact %s is refused', async (id) =>
    expectProblem(await get(`/artifacts/${id}`), 400, 'INVALID_REQUEST', 'sha256'));
});

test.each<[string, string]>([
  ['GET', '/nope'], ['GET', '/mission-control'], ['GET', '/mission-control/nope'], ['GET', '/MISSION-CONTROL/missions'],
  ['PATCH', '/mission-control/missions'], ['DELETE', '/mission-control/missions'], ['OPTIONS', '/mission-control/missions'], ['PROPFIND', '/'],
  ['GET', '/mission-control/missions/x/y/z'], ['GET', '//mission-control/missions'], ['GET', '/docs/js/../../../package.json'], ['GET', '/docs/js/%2e%2e%2fpackage.json'],
  ['GET', '/metrics?x=1'], ['POST', '/health/live'],
])('%s %s: there is nothing', async (method, path) => {
  const answer = await rawExchange(system.url, `${method} ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer ${key}\r\n\r\n`);
  const [head = '', text = ''] = answer.split('\r\n\r\n');
  expectProblem({ status: Number(head.slice(9, 12)), headers: new Headers({ 'content-type': /content-type: (.*)/i.exec(head)?.[1] ?? '' }), text }, 404, 'NOT_FOUND');
});
