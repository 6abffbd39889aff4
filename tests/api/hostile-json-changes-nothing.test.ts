import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { call, changingNothing, expectProblem, keyFor, rawExchange, type Answer, type Call } from '../support/http.ts';
import { calculator, fixedAdd } from '../support/repository.ts';
import { filled, routesDuring, type Route } from '../support/routes.ts';
import { missionBody, startSystem, testMetric, type System } from '../support/system.ts';

const missions = '/mission-control/missions';
const json = { 'content-type': 'application/json' };
let system: System;
let routes: Route[];
let key: string;
let body: Record<string, unknown>;

beforeAll(async () => {
  ({ built: system, routes } = await routesDuring(startSystem));
  key = await keyFor(system, 'root', 'admin');
  const repository = system.repository(calculator);
  body = missionBody(repository, [repository.diff(fixedAdd)]);
  expect((await call(system.url, missions, { key, json: body })).status).toBe(201);
});
afterAll(() => system.stop());

const send = (more: Call): Promise<Answer> => call(system.url, missions, { key, method: 'POST', headers: json, ...more });
const refused = (more: Call, status: number, code: string, path?: string): Promise<void> =>
  changingNothing(system.db.database, async () => expectProblem(await send(more), status, code, path));

/** The good body's JSON with `text` as its last members. */
const adding = (text: string): string => `${JSON.stringify(body).slice(0, -1)},${text}}`;

test.each([
  ['nothing at all', '', 'INVALID_JSON'], ['white space', ' \n', 'INVALID_JSON'], ['half an object', '{"severity":', 'INVALID_JSON'],
  ['two objects', '{}{}', 'INVALID_JSON'], ['a comment', '{/* */}', 'INVALID_JSON'], ['NaN', '{"budget":NaN}', 'INVALID_JSON'],
  ['Infinity', '{"budget":Infinity}', 'INVALID_JSON'], ['single quotes', "{'a':1}", 'INVALID_JSON'],
  ['null', 'null', 'INVALID_REQUEST'], ['a text', '"x"', 'INVALID_REQUEST'], ['a list', '[]', 'INVALID_REQUEST'], ['a number', '-0', 'INVALID_REQUEST'],
])('%s is no mission', (_name, raw, code) => refused({ raw }, 400, code));

test('a number too large to be one is refused, not infinite', () =>
  refused({ raw: adding('"budget":{"tokens":1e999}') }, 400, 'INVALID_REQUEST', 'budget.tokens'));

test('an integer too large to be exact is refused, not rounded', () =>
  refused({ raw: adding('"budget":{"tokens":9007199254740993}') }, 400, 'INVALID_REQUEST', 'budget.tokens'));

test('brackets 10,000 deep are refused at the first wrong level', () =>
  refused({ raw: adding(`"symptoms":${'['.repeat(10_000)}${']'.repeat(10_000)}`) }, 400, 'INVALID_REQUEST', 'symptoms.0'));

test('objects 10,000 deep under an unknown key are refused by the key', () =>
  refused({ raw: adding(`"deep":${'{"a":'.repeat(10_000)}1${'}'.repeat(10_000)}`) }, 400, 'UNKNOWN_FIELD', 'deep'));

test('a list of a million is one short complaint', () =>
  refused({ raw: `{"severity":"low","subsystem_id":"x","labels":[${'0,'.repeat(999_999)}0]}` }, 400, 'INVALID_REQUEST', 'labels'));

test('100,000 unknown fields are one short complaint', () =>
  refused({ raw: adding(Array.from({ length: 100_000 }, (_, i) => `"k${i}":0`).join(',')) }, 400, 'UNKNOWN_FIELD', 'k0'));

test('3 MB are refused, said or chunked', async () => {
  const raw = adding(`"description":"${'x'.repeat(3_000_000)}"`);
  await refused({ raw }, 413, 'BODY_TOO_LARGE');
  const chunked = new Blob([raw]).stream() as unknown as string;
  await changingNothing(system.db.database, async () => {
    const response = await fetch(system.url + missions, { method: 'POST', headers: { ...json, authorization: `Bearer ${key}` }, body: chunked, duplex: 'half' });
    expectProblem({ status: response.status, headers: response.headers, text: await response.text() }, 413, 'BODY_TOO_LARGE');
  });
});

test('bytes that are not UTF-8 are refused, not replaced', async () => {
  const latin = Buffer.from(adding('"description":"caf\u00e9"'), 'latin1');
  await refused({ raw: latin }, 400, 'INVALID_JSON');
  await refused({ raw: Buffer.from(JSON.stringify(body), 'utf16le'), headers: { 'content-type': 'application/json; charset=utf-16' } }, 400, 'INVALID_JSON');
});

test('a key given twice counts with its last value', async () => {
  const answer = await send({ raw: adding('"title":"first","title":"last"') });
  expect(answer.status, answer.text).toBe(201);
  expect(answer.body['title']).toBe('last');
  // Also when the last one is the bad one: nobody else's reading of the same bytes gets past ours.
  await refused({ raw: adding('"severity":"low","severity":"urgent"') }, 400, 'INVALID_REQUEST', 'severity');
});

describe('content types', () => {
  test.each(['text/plain', 'application/v1+json', 'application/jsonx', 'text/json', 'application/x-www-form-urlencoded', 'multipart/form-data; boundary=x',
    'application/json, text/plain', 'application', 'application/vnd.api+json', 'application\t/json', 'x'])('%j is refused', (type) =>
    refused({ raw: JSON.stringify(body), headers: { 'content-type': type } }, 415, 'UNSUPPORTED_MEDIA_TYPE'));

  test('none is refused', () => refused({ raw: new TextEncoder().encode(JSON.stringify(body)), headers: {} }, 415, 'UNSUPPORTED_MEDIA_TYPE'));

  test.each(['APPLICATION/Json', 'application/json;charset=utf-8', 'application/json ; charset=UTF-8', 'application/json\t;charset=utf-8',
    'application/json;', 'application/json; charset=utf-16', 'application/json; a="b;c"'])('%j is JSON, and validated as any other', async (type) => {
    await refused({ raw: adding('"unknown":1'), headers: { 'content-type': type } }, 400, 'UNKNOWN_FIELD', 'unknown');
  });

  test('an encoding nobody offered is refused, not read as text', () =>
    refused({ raw: JSON.stringify(body), headers: { ...json, 'content-encoding': 'gzip', 'content-type': 'application/gzip' } }, 415, 'UNSUPPORTED_MEDIA_TYPE'));

  test('two of them are not one body with two meanings', async () => {
    const text = JSON.stringify(body);
    const answer = await changingNothing(system.db.database, () => rawExchange(system.url, [
      `POST ${missions} HTTP/1.1`, 'Host: x', 'Connection: close', `Authorization: Bearer ${key}`, 'Content-Type: text/plain', 'Content-Type: application/json',
      `Content-Length: ${Buffer.byteLength(text)}`, '', text].join('\r\n')));
    expect(answer).toMatch(/^HTTP\/1\.1 415 /);
  });
});

describe('every route that takes a body', () => {
  // A webhook's body is its sender's format, read once it is known who sent it: tests/api/signals.
  const taking = (): Route[] => routes.filter((route) => route.options.schema?.body !== undefined && route.options.config?.provenBy === undefined);
  const metric = (url: string): string => filled(url, testMetric);

  test('there are such routes', () => expect(taking().length).toBeGreaterThan(10));

  test.each(['__proto__', 'constructor', 'prototype', 'toString', 'is_admin', ''])('names %j as an unknown field', async (name) => {
    await changingNothing(system.db.database, async () => {
      for (const route of taking()) {
        const answer = await call(system.url, metric(route.url), { key, method: route.method, headers: json, raw: `{${JSON.stringify(name)}:{"role":"admin"}}` });
        expectProblem(answer, 400, 'UNKNOWN_FIELD', name);
      }
    });
    expect(({} as Record<string, unknown>)['role']).toBeUndefined();
  });

  test('refuses NUL and half characters in every text it takes', async () => {
    const texts: [string, string, string, Record<string, unknown>][] = [
      ['POST', '/keys', 'name', { principal_id: 'x', kind: 'person', role: 'viewer' }],
      ['POST', '/capa', 'problem_statement', { subsystem_id: 'x' }],
      ['POST', '/capa', 'subsystem_id', { problem_statement: 'x' }],
      ['POST', '/capa', 'mission_id', { subsystem_id: 'x', problem_statement: 'x' }],
      ['PUT', '/metrics/m.x', 'unit', { comparator: '<', target: 1 }],
      ['PUT', '/metrics/m.x', 'description', { comparator: '<', target: 1 }],
      ['POST', `/metrics/${testMetric}/observations`, 'observed_revision', { value: 1 }],
      ['POST', '/missions/nobody/abort', 'reason', {}],
      ['POST', '/missions/nobody/pause', 'reason', {}],
      ['POST', '/missions/nobody/resume', 'reason', {}],
      ['POST', '/missions/nobody/retry', 'reason', {}],
      ['POST', '/approvals/nobody/approve', 'reason', {}],
      ['POST', '/repositories', 'path', { name: 'x' }],
    ];
    await changingNothing(system.db.database, async () => {
      for (const [method, path, field, rest] of texts) {
        for (const bad of ['a\0b', 'a\ud800', '\udfffb']) {
          const answer = await call(system.url, `/mission-control${path}`, { key, method, json: { ...rest, [field]: bad } });
          expectProblem(answer, 400, 'INVALID_REQUEST', field);
        }
      }
    });
  });
});
