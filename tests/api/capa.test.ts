import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { capaDetailSchema, capaTrendsSchema } from '../../src/api/capa-schemas.ts';
import type { CapaView } from '../../src/domain/capa-view.ts';
import type { MissionDetail } from '../../src/domain/mission-view.ts';
import { bringTo, editCapa, moveCapa, openCapa, planOf, readCapa, type CapaPeople } from '../support/capa.ts';
import { call, changingNothing, expectProblem, type Answer } from '../support/http.ts';
import { calculator, fixedAdd } from '../support/repository.ts';
import { startSystem, testMetric, type System } from '../support/system.ts';

let system: System;
let people: CapaPeople;
const plan = { metric_id: testMetric };
beforeAll(async () => {
  system = await startSystem();
  people = { olga: await system.as('olga', 'operator'), abe: await system.as('abe', 'approver'), rita: await system.as('rita', 'approver') };
});
afterAll(() => system.stop());

type Who = Parameters<System['as']>;
const ask = async (method: string, path: string, json: unknown, ...who: Who): Promise<Answer> =>
  call(system.url, `/mission-control/capa${path}`, { method, json, headers: await system.headers(...who) });
const nothingFrom = (work: () => Promise<Answer>): Promise<Answer> => changingNothing(system.db.database, work);

test('from a problem to a closed record, every step with who, when and why', async () => {
  const { olga, abe, rita } = people;
  const { capa_id } = await openCapa(olga);
  await bringTo(people, capa_id, 'VERIFIED', plan);
  await editCapa(olga, capa_id, { effectiveness_due_at: new Date(Date.now() + 60_000).toISOString() });
  await moveCapa(olga, capa_id, 'EFFECTIVENESS_DUE');
  await expect(moveCapa(rita, capa_id, 'CLOSED_EFFECTIVE')).rejects.toMatchObject({ code: 'CAPA_INCOMPLETE', errors: [{ path: 'result', message: 'was not measured yet' }] });
  // What the worker would find at the due date.
  await system.db.database.query(
    `UPDATE capas SET record = jsonb_set(record, '{result}', '{"passed": true, "value": 0, "samples": 3, "reason": "fine", "from": "2026-01-01T00:00:00.000Z", "until": "2026-01-01T00:00:00.000Z"}') WHERE capa_id = $1`, [capa_id]);
  await expect(moveCapa(abe, capa_id, 'CLOSED_EFFECTIVE')).rejects.toMatchObject({ status: 403, code: 'SELF_APPROVAL' });
  const closed = await moveCapa(rita, capa_id, 'CLOSED_EFFECTIVE', { reason: 'p95 held for the window' });
  expect(capaDetailSchema.parse(closed)).toMatchObject({ state: 'CLOSED_EFFECTIVE', risk_score: 42, next_states: [] });
  expect(closed.decisions.map(({ from, to, by }) => `${from} ${to} ${by}`)).toEqual([
    'OPENED TRIAGED olga', 'TRIAGED CONTAINED olga', 'CONTAINED INVESTIGATING olga', 'INVESTIGATING PLAN_PROPOSED olga', 'PLAN_PROPOSED PLAN_APPROVED abe',
    'PLAN_APPROVED IMPLEMENTING olga', 'IMPLEMENTING VERIFIED olga', 'VERIFIED EFFECTIVENESS_DUE olga', 'EFFECTIVENESS_DUE CLOSED_EFFECTIVE rita',
  ]);
  expect(closed.history.map(({ type }) => type)).toEqual(['capa.opened', ...Array.from({ length: closed.version - 1 }, () => expect.stringMatching(/^capa\.(edited|transitioned)$/) as string)]);
  expect(closed.history.at(-1)).toMatchObject({ actor: { id: 'rita' }, payload: { from: 'EFFECTIVENESS_DUE', to: 'CLOSED_EFFECTIVE', reason: 'p95 held for the window' } });
  expectProblem(await ask('PATCH', `/${capa_id}`, { version: closed.version, due_at: '2030-01-01T00:00:00Z', reason: 'x' }, 'olga', 'operator'), 409, 'CAPA_FROZEN', 'due_at');
});

describe('who may', () => {
  let capa_id: string;
  beforeAll(async () => {
    ({ capa_id } = await openCapa(people.olga));
    await bringTo(people, capa_id, 'INVESTIGATING', plan);
  });
  const move = async (to: string, ...who: Who): Promise<Answer> => {
    await system.headers(...who);
    const { version } = await readCapa(people.olga, capa_id);
    return nothingFrom(() => ask('POST', `/${capa_id}/transitions`, { to, version, reason: 'x' }, ...who));
  };

  test('an agent drafts and proposes, and decides nothing', async () => {
    const agent = await system.as('bot', 'agent');
    await editCapa(agent, capa_id, planOf(plan));
    expect(await moveCapa(agent, capa_id, 'PLAN_PROPOSED')).toMatchObject({ state: 'PLAN_PROPOSED', plan_authors: ['bot'] });
    for (const to of ['PLAN_APPROVED', 'INVESTIGATING']) expectProblem(await move(to, 'bot', 'agent'), 403, 'FORBIDDEN');
    expectProblem(await move('VOIDED', 'bot', 'agent'), 403, 'FORBIDDEN');
  });

  test('an operator does not approve, a service with an approver\'s key neither, a viewer moves nothing', async () => {
    expectProblem(await move('PLAN_APPROVED', 'oscar', 'operator'), 403, 'FORBIDDEN');
    expectProblem(await move('PLAN_APPROVED', 'robot', 'approver', 'service'), 403, 'FORBIDDEN');
    expectProblem(await move('PLAN_APPROVED', 'vera', 'viewer'), 403, 'FORBIDDEN');
  });

  test('who wrote or proposed the plan does not approve it', async () => {
    await moveCapa(people.olga, capa_id, 'INVESTIGATING', { reason: 'the cause is another one' });
    await editCapa(people.abe, capa_id, { criterion: { ...planOf(plan).criterion, target: 2 } });
    await moveCapa(people.rita, capa_id, 'PLAN_PROPOSED');
    for (const who of ['abe', 'rita']) expectProblem(await move('PLAN_APPROVED', who, 'approver'), 403, 'SELF_APPROVAL');
    expect(await moveCapa(await system.as('zoe', 'admin'), capa_id, 'PLAN_APPROVED')).toMatchObject({ state: 'PLAN_APPROVED' });
  });
});

describe('a stale version', () => {
  test('changes nothing, by edit and by move', async () => {
    const { capa_id, version } = await openCapa(people.olga);
    await editCapa(people.abe, capa_id, { type: 'preventive' });
    for (const [method, path, body] of [['PATCH', '', { type: 'both' }], ['POST', '/transitions', { to: 'VOIDED', reason: 'x', duplicate_of: capa_id }]] as const) {
      expectProblem(await nothingFrom(() => ask(method, `/${capa_id}${path}`, { version, ...body }, 'olga', 'operator')), 409, 'CAPA_CHANGED', 'version');
    }
    expect(await readCapa(people.olga, capa_id)).toMatchObject({ type: 'preventive', version: 2 });
  });

  test('of ten edits of one version at once, one is made', async () => {
    const { capa_id, version } = await openCapa(people.olga);
    const answers = await Promise.all(Array.from({ length: 10 }, (_, i) => ask('PATCH', `/${capa_id}`, { version, problem_statement: `it is ${i}` }, 'olga', 'operator')));
    const made = answers.filter(({ status }) => status === 200);
    expect(made).toHaveLength(1);
    expect(answers.filter(({ status }) => status === 409)).toHaveLength(9);
    expect(await readCapa(people.olga, capa_id)).toMatchObject({ version: 2, problem_statement: made[0]?.body['problem_statement'] });
  });
});

test.each<[string, number, string, string, Record<string, unknown>]>([
  ['a rating above 10', 400, 'INVALID_REQUEST', 'risk.severity', { risk: { severity: 11, occurrence: 1, detection: 1 } }],
  ['an unknown field', 400, 'UNKNOWN_FIELD', 'state', { state: 'CLOSED_EFFECTIVE' }],
  ['a result of one\'s own', 400, 'UNKNOWN_FIELD', 'result', { result: { passed: true } }],
  ['decisions of one\'s own', 400, 'UNKNOWN_FIELD', 'decisions', { decisions: [] }],
  ['an action that says it is done', 400, 'UNKNOWN_FIELD', 'actions.0.done', { actions: [{ action_id: 'a', description: 'x', owner: 'olga', due_at: '2027-01-01T00:00:00Z', done: {} }] }],
  ['no field', 422, 'CAPA_INCOMPLETE', '', {}],
  ['a text with NUL', 400, 'INVALID_REQUEST', 'problem_statement', { problem_statement: 'a\0b' }],
  ['a date that is none', 400, 'INVALID_REQUEST', 'due_at', { due_at: 'tomorrow' }],
  ['a year that no timer reaches', 400, 'INVALID_REQUEST', 'due_at', { due_at: '9999-01-01T00:00:00Z' }],
  ['an unknown metric', 422, 'CAPA_INCOMPLETE', 'criterion.metric_id', { criterion: { metric_id: 'no.such', comparator: '<', target: 1, window_minutes: 1 } }],
  ['a window of nothing', 400, 'INVALID_REQUEST', 'criterion.window_minutes', { criterion: { metric_id: testMetric, comparator: '<', target: 1, window_minutes: 0 } }],
  ['no samples asked for', 400, 'INVALID_REQUEST', 'criterion.min_samples', { criterion: { metric_id: testMetric, comparator: '<', target: 1, window_minutes: 1, min_samples: 0 } }],
  ['evidence that is not stored', 422, 'CAPA_INCOMPLETE', 'evidence.0', { evidence: ['0'.repeat(64)] }],
  ['a similar record that is not there', 422, 'CAPA_INCOMPLETE', 'investigation.similar_records.0', { investigation: { method: 'other', similar_records: ['CAPA-1999-0001'] } }],
  ['an action done before there is a plan', 409, 'CAPA_FROZEN', 'done', { done: ['a1'] }],
  ['a moved date without a reason', 422, 'CAPA_INCOMPLETE', 'reason', { due_at: '2027-01-01T00:00:00Z' }],
])('an edit with %s is refused with the field, and nothing is written', async (_, status, code, path, edit) => {
  const { capa_id, version } = await openCapa(people.olga);
  expectProblem(await nothingFrom(() => ask('PATCH', `/${capa_id}`, { version, ...edit }, 'olga', 'operator')), status, code, path);
  expect((await readCapa(people.olga, capa_id)).version).toBe(version);
});

test.each<[string, number, string, string, Record<string, unknown>]>([
  ['to nowhere', 400, 'INVALID_REQUEST', 'to', { to: 'DONE' }], ['without a version', 400, 'INVALID_REQUEST', 'version', { to: 'TRIAGED', version: undefined }],
  ['past the others', 409, 'CAPA_STATE', 'to', { to: 'PLAN_APPROVED' }], ['with nothing filled in', 422, 'CAPA_INCOMPLETE', 'risk', { to: 'TRIAGED' }],
  ['to VOIDED without its original', 422, 'CAPA_INCOMPLETE', 'duplicate_of', { to: 'VOIDED' }],
  ['to VOIDED for a record that is not there', 422, 'DUPLICATE_UNKNOWN', 'duplicate_of', { to: 'VOIDED', duplicate_of: 'CAPA-1999-0001' }],
  ['with an original, and not to VOIDED', 400, 'INVALID_REQUEST', 'duplicate_of', { to: 'TRIAGED', duplicate_of: 'CAPA-1999-0001' }],
])('a move %s is refused, and nothing is written', async (_, status, code, path, body) => {
  const { capa_id, version } = await openCapa(people.olga);
  expectProblem(await nothingFrom(() => ask('POST', `/${capa_id}/transitions`, { version, reason: 'x', ...body }, 'abe', 'approver')), status, code, path);
});

test('a record is voided for another one, never for itself, nor for one that is voided', async () => {
  const [one, two, three] = [await openCapa(people.olga), await openCapa(people.olga), await openCapa(people.olga)];
  const voided = await moveCapa(people.abe, one.capa_id, 'VOIDED', { duplicate_of: two.capa_id });
  expect(voided).toMatchObject({ state: 'VOIDED', duplicate_of: two.capa_id });
  for (const original of [one.capa_id, three.capa_id]) {
    await expect(moveCapa(people.abe, three.capa_id, 'VOIDED', { duplicate_of: original })).rejects.toMatchObject({ code: 'DUPLICATE_UNKNOWN' });
  }
});

test('lists filter by state, subsystem and what is overdue, and go on where they ended', async () => {
  const opened = [await openCapa(people.olga), await openCapa(people.olga)];
  const late = opened[0]!.capa_id;
  await editCapa(people.olga, late, { due_at: '2026-01-01T00:00:00Z', reason: 'test' });
  const list = (query: string) => system.reader.get<{ items: CapaView[]; next_cursor: string | null }>(`/mission-control/capa?${query}`);
  expect((await list('overdue=yes')).items).toMatchObject([{ capa_id: late, overdue: [{ what: 'record', due_at: '2026-01-01T00:00:00.000Z', owner: null }] }]);
  expect((await list('overdue=no&limit=200')).items.map(({ capa_id }) => capa_id)).not.toContain(late);
  expect((await list('state=VOIDED')).items.every(({ state }) => state === 'VOIDED')).toBe(true);
  expect((await list('subsystem_id=elsewhere')).items).toEqual([]);
  const first = await list('limit=1');
  const second = await list(`limit=1&cursor=${encodeURIComponent(first.next_cursor!)}`);
  expect([...first.items, ...second.items].map(({ capa_id }) => capa_id)).toEqual(opened.map(({ capa_id }) => capa_id).reverse());
  for (const [name, value] of [['state', 'open'], ['overdue', 'true'], ['cursor', '1.x']]) {
    expectProblem(await ask('GET', `?${name}=${value}`, undefined, 'olga', 'operator'), 400, name === 'cursor' ? 'CURSOR_INVALID' : 'INVALID_REQUEST', name);
  }
});

describe('a mission for an action', () => {
  let capa_id: string;
  let repository: ReturnType<System['repository']>;
  const body = () => ({
    action_id: 'a1', severity: 'high', must_pass_tests: ['adds'], execute: false,
    workspace: { repo_path: repository.path, patch_candidates: [{ kind: 'diff', text: repository.diff(fixedAdd) }] },
  });
  beforeAll(async () => {
    repository = system.repository(calculator);
    ({ capa_id } = await openCapa(people.olga, 'adding is slow'));
    await bringTo(people, capa_id, 'PLAN_APPROVED', plan);
  });

  test('is started under an approved plan only', async () => {
    expectProblem(await nothingFrom(() => ask('POST', `/${capa_id}/mission`, body(), 'olga', 'operator')), 409, 'CAPA_STATE');
    await moveCapa(people.olga, capa_id, 'IMPLEMENTING');
    expectProblem(await nothingFrom(() => ask('POST', `/${capa_id}/mission`, { ...body(), action_id: 'a2' }, 'olga', 'operator')), 422, 'ACTION_UNKNOWN', 'action_id');
    expectProblem(await nothingFrom(() => ask('POST', `/${capa_id}/mission`, { ...body(), workspace: {} }, 'olga', 'operator')), 422, 'REPOSITORY_MISSING');
  });

  test('has the record\'s symptoms and targets, and is linked to its action', async () => {
    const mission = (await ask('POST', `/${capa_id}/mission`, body(), 'olga', 'operator')).body as unknown as MissionDetail;
    expect(mission).toMatchObject({
      status: 'open', subsystem_id: 'mesh', severity: 'high', detected_by: capa_id, labels: [capa_id], created_by: 'olga',
      symptoms: [{ description: 'adding is slow', metric_id: testMetric, threshold: 1 }],
      acceptance_criteria: { must_pass_tests: ['adds'], metric_targets: [{ metric_id: testMetric, comparator: '<', target: 1 }] },
    });
    expect(mission.description).toContain('a lock is held too long');
    const capa = await readCapa(people.olga, capa_id);
    expect(capa.actions[0]?.missions).toEqual([mission.mission_id]);
    expect(capa.history.at(-1)).toMatchObject({ type: 'capa.edited', payload: { changes: { action_id: 'a1', mission_id: mission.mission_id } } });
  });

  test('must be over before its action is done, and resolved or explained', async () => {
    const [mission = ''] = (await readCapa(people.olga, capa_id)).actions[0]!.missions;
    await expect(editCapa(people.olga, capa_id, { done: ['a1'] })).rejects.toMatchObject({ code: 'CAPA_INCOMPLETE', errors: [{ path: 'done.0', message: `its mission ${mission} is open` }] });
    await people.olga.post(`/mission-control/missions/${mission}/abort`, { reason: 'done by hand' });
    await expect(editCapa(people.olga, capa_id, { done: ['a1'] })).rejects.toMatchObject({ code: 'CAPA_INCOMPLETE', errors: [{ path: 'reason' }] });
    expect((await editCapa(people.olga, capa_id, { done: ['a1'], reason: 'done by hand' })).actions[0]?.done).toMatchObject({ by: 'olga' });
  });

  test('asked for again with the same key is the same mission, linked once', async () => {
    const headers = { ...await system.headers('olga', 'operator'), 'idempotency-key': 'again' };
    const [one, two] = [1, 2].map(() => call(system.url, `/mission-control/capa/${capa_id}/mission`, { json: body(), headers }));
    const id = (await one!).body['mission_id'];
    expect((await two!).body['mission_id']).toBe(id);
    expect((await readCapa(people.olga, capa_id)).actions[0]?.missions.filter((mission) => mission === id)).toHaveLength(1);
  });

  test('whoever died between the mission and its link and asks again gets that mission, linked', async () => {
    const before = (await readCapa(people.olga, capa_id)).actions[0]!.missions;
    const first = (await ask('POST', `/${capa_id}/mission`, body(), 'olga', 'operator')).body['mission_id'];
    await system.db.database.query(`UPDATE capas SET record = jsonb_set(record, '{actions,0,missions}', $2) WHERE capa_id = $1`, [capa_id, JSON.stringify(before)]);
    expect((await ask('POST', `/${capa_id}/mission`, body(), 'olga', 'operator')).body['mission_id']).toBe(first);
    expect((await readCapa(people.olga, capa_id)).actions[0]?.missions).toEqual([...before, first]);
  });
});

test('trends answer as their schema says, for everything and for nothing', async () => {
  const trends = await system.reader.get<{ records: number }>('/mission-control/capa/trends');
  expect(capaTrendsSchema.parse(trends).records).toBeGreaterThan(20);
  expect(capaTrendsSchema.parse(await system.reader.get('/mission-control/capa/trends?subsystem_id=nowhere'))).toMatchObject({ records: 0, recurrence_rate: null, effectiveness: { ineffective_share: null } });
  expectProblem(await ask('GET', '/trends?from=yesterday', undefined, 'olga', 'operator'), 400, 'INVALID_REQUEST', 'from');
});
