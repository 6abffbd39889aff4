import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { call, changingNothing, expectProblem, keyFor, rowCounts } from '../support/http.ts';
import { calculator, fixedAdd } from '../support/repository.ts';
import { missionBody, startSystem, type System } from '../support/system.ts';

let system: System;
let key: string;
let body: Record<string, unknown>;
beforeAll(async () => {
  system = await startSystem();
  key = await keyFor(system, 'sender', 'agent');
});
beforeEach(() => {
  const repository = system.repository(calculator);
  body = missionBody(repository, [repository.diff(fixedAdd)]);
});
afterAll(() => system.stop());

const create = (idempotencyKey: string, json: unknown = body, as = key) =>
  call(system.url, '/mission-control/missions', { key: as, json, headers: { 'idempotency-key': idempotencyKey } });
const missions = async (): Promise<number> => (await rowCounts(system.db.database))['missions'] ?? NaN;

test('twelve at once, into a repository nobody has seen: one mission, one answer', async () => {
  const before = await missions();
  const answers = await Promise.all(Array.from({ length: 12 }, () => create('twelve')));
  for (const answer of answers) expect(answer.status, answer.text).toBe(201);
  expect(new Set(answers.map((answer) => answer.text)).size).toBe(1);
  expect(await missions()).toBe(before + 1);
  const [created] = await system.db.database.query<{ count: number }>(
    "SELECT count(*) AS count FROM events WHERE type = 'mission.created' AND mission_id = $1", [answers.at(0)?.body['mission_id']]);
  expect(created?.count).toBe(1);
});

test('twelve at once without a key are twelve missions with numbers of their own', async () => {
  const answers = await Promise.all(Array.from({ length: 12 }, () => call(system.url, '/mission-control/missions', { key, json: body })));
  for (const answer of answers) expect(answer.status, answer.text).toBe(201);
  const numbers = answers.map((answer) => Number(String(answer.body['mission_id']).split('_').at(2))).sort((a, b) => a - b);
  expect(new Set(numbers).size).toBe(12);
  expect(Math.max(...numbers) - Math.min(...numbers)).toBe(11);
});

test('later: the same answer, also when the JSON is spelt differently', async () => {
  const first = await create('later');
  const turned = Object.fromEntries(Object.entries(body).reverse());
  await changingNothing(system.db.database, async () => {
    expect((await create('later')).text).toBe(first.text);
    expect((await create('later', turned)).text).toBe(first.text);
  });
});

test('another body: refused, nothing written', async () => {
  await create('mismatch');
  await changingNothing(system.db.database, async () => {
    expectProblem(await create('mismatch', { ...body, severity: 'low' }), 422, 'IDEMPOTENCY_MISMATCH', 'Idempotency-Key');
    expectProblem(await create('mismatch', { ...body, execute: true }), 422, 'IDEMPOTENCY_MISMATCH', 'Idempotency-Key');
  });
});

test('two bodies race for one key: one wins, the other is told', async () => {
  const before = await missions();
  const answers = await Promise.all(['high', 'low', 'high', 'low', 'high', 'low'].map((severity) => create('race', { ...body, severity })));
  const won = answers.filter((answer) => answer.status === 201);
  expect(won).toHaveLength(3);
  expect(new Set(won.map((answer) => answer.text)).size).toBe(1);
  for (const answer of answers.filter((answer) => answer.status !== 201)) expectProblem(answer, 422, 'IDEMPOTENCY_MISMATCH');
  expect(await missions()).toBe(before + 1);
});

test('the key belongs to who sent it: somebody else has their own mission', async () => {
  const mine = await create('shared');
  const theirs = await create('shared', body, await keyFor(system, 'other', 'operator'));
  expect(theirs.status).toBe(201);
  expect(theirs.body['mission_id']).not.toBe(mine.body['mission_id']);
  expect(theirs.body['created_by']).toBe('other');
});

test('a principal keeps its keys over a rotated API key', async () => {
  const first = await create('rotated');
  expect((await create('rotated', body, await keyFor(system, 'sender', 'agent'))).text).toBe(first.text);
});

test('255 characters are a key, 256 and none are not', async () => {
  expect((await create('k'.repeat(255))).status).toBe(201);
  await changingNothing(system.db.database, async () => {
    expectProblem(await create('k'.repeat(256)), 400, 'INVALID_REQUEST', 'idempotency-key');
    expectProblem(await create(''), 400, 'INVALID_REQUEST', 'idempotency-key');
  });
});

test('a refused create leaves its key free', async () => {
  expectProblem(await create('free', { ...body, mission_type: 'healing' }), 422, 'NOT_OFFERED');
  expect((await create('free')).status).toBe(201);
});

test('twelve missions into twelve new repositories of one name: all are taken', async () => {
  const answers = await Promise.all(Array.from({ length: 12 }, (_, i) => {
    const repository = system.repository({ ...calculator, 'n.txt': String(i) });
    const bare = `${system.home}/repositories/${i}/same.git`;
    repository.git('clone', '-q', '--bare', repository.path, bare);
    return { ...body, workspace: { ...(body['workspace'] as object), repo_path: bare } };
  }).map((json) => call(system.url, '/mission-control/missions', { key, json })));
  for (const answer of answers) expect(answer.status, answer.text).toBe(201);
  const names = answers.map((answer) => (answer.body['workspace'] as { repository: string }).repository);
  expect(new Set(names).size).toBe(12);
});

test('one problem reported twelve times at once is one record that counts twelve', async () => {
  const operator = await keyFor(system, 'operator', 'operator');
  const json = { subsystem_id: 'x', problem_statement: 'the same' };
  const answers = await Promise.all(Array.from({ length: 12 }, () => call(system.url, '/mission-control/capa', { key: operator, json })));
  for (const answer of answers) expect(answer.status, answer.text).toBe(201);
  expect(new Set(answers.map((answer) => answer.body['capa_id'])).size).toBe(1);
  const record = await call(system.url, `/mission-control/capa/${String(answers.at(0)?.body['capa_id'])}`, { key: operator });
  expect(record.body['occurrences']).toBe(12);
});
