import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Capa } from '../../src/domain/capa.ts';
import { markTold, samplesOfOthers, untoldCapas, untoldVersion } from '../../src/store/capa-workflows.ts';
import { capaHistory, capasOpened, findCapa, listCapas, lockCapa, openCapa, saveCapa } from '../../src/store/capas.ts';
import { insertSamples } from '../../src/store/metrics.ts';
import { copyDatabase, type TestDatabase } from '../support/database.ts';
import { actor } from './fixtures.ts';

let db: TestDatabase;
beforeAll(async () => { db = await copyDatabase(); });
afterAll(() => db.drop());

const open = (subsystem_id = 'mesh'): Promise<string> => db.database.transaction((query) => openCapa(query, {
  source: 'flapping', fingerprint: randomUUID(), mission_id: null, subsystem_id, problem_statement: 'adds fails', evidence: [], actor,
}));
const save = (id: string, change: (capa: Capa) => Partial<Capa>): Promise<void> => db.database.transaction(async (query) => {
  const capa = (await lockCapa(query, id))!;
  await saveCapa(query, { ...capa, ...change(capa), version: capa.version + 1 }, { type: 'capa.edited', actor, payload: { reason: null } });
});

test('a new record is at version 1, due in 30 days, its workflow not told of it yet', async () => {
  const capa = (await findCapa(db.database.query, await open()))!;
  expect(capa).toMatchObject({ version: 1, actions: [], criterion: null, decisions: [] });
  expect(Math.round((Date.parse(capa.due_at!) - Date.parse(capa.opened_at)) / 86_400_000)).toBe(30);
  expect(await untoldVersion(db.database.query, capa.capa_id)).toBe(1);
});

test('what is saved is what is read, and each version has its event', async () => {
  const id = await open();
  const change = { type: 'both' as const, risk: { severity: 1, occurrence: 2, detection: 3 }, evidence: ['aa'], problem_statement: 'worse than that' };
  await save(id, () => change);
  await save(id, () => ({ state: 'TRIAGED' }));
  expect(await findCapa(db.database.query, id)).toMatchObject({ ...change, state: 'TRIAGED', version: 3 });
  expect((await capaHistory(db.database.query, id, 10)).map(({ type, payload }) => [type, payload['version'] ?? 1])).toEqual([['capa.opened', 1], ['capa.edited', 2], ['capa.edited', 3]]);
  expect((await capaHistory(db.database.query, id, 1)).map(({ payload }) => payload['version'])).toEqual([3]);
});

test('a version that is not the next one is not written, and neither is its event', async () => {
  const id = await open();
  const stale = (await findCapa(db.database.query, id))!;
  await save(id, () => ({ type: 'both' }));
  const late = db.database.transaction((query) => saveCapa(query, { ...stale, type: 'preventive', version: 2 }, { type: 'capa.edited', actor, payload: {} }));
  await expect(late).rejects.toThrow(`${id} is not at version 1`);
  expect(await findCapa(db.database.query, id)).toMatchObject({ type: 'both', version: 2 });
  expect(await capaHistory(db.database.query, id, 10)).toHaveLength(2);
});

test('two changes at once: the second waits and sees the first', async () => {
  const id = await open();
  await Promise.all(Array.from({ length: 8 }, (_, i) => save(id, ({ evidence }) => ({ evidence: [...evidence, String(i)] }))));
  const capa = (await findCapa(db.database.query, id))!;
  expect(capa.version).toBe(9);
  expect([...capa.evidence].sort()).toEqual(['0', '1', '2', '3', '4', '5', '6', '7']);
});

test('a workflow is behind after each change until it is told of that version, whatever order the news come in', async () => {
  const id = await open();
  await markTold(db.database.query, id, 1);
  expect(await untoldVersion(db.database.query, id)).toBeUndefined();
  await save(id, () => ({}));
  expect(await untoldCapas(db.database.query, 1_000)).toContain(id);
  await markTold(db.database.query, id, 2);
  await markTold(db.database.query, id, 1);
  expect(await untoldCapas(db.database.query, 1_000)).not.toContain(id);
});

test('lists: by state, subsystem and what is overdue, page after page', async () => {
  const subsystem = randomUUID();
  const ids = [await open(subsystem), await open(subsystem), await open(subsystem)];
  const [late = '', triaged = '', closed = ''] = ids;
  const past = new Date(Date.now() - 1_000).toISOString();
  await save(late, () => ({ due_at: past }));
  await save(triaged, () => ({ state: 'TRIAGED' }));
  await save(closed, () => ({ state: 'REJECTED', due_at: past }));
  const list = async (filter: object, limit = 10, before: number | null = null) =>
    (await listCapas(db.database.query, limit, { subsystem_id: subsystem, ...filter }, before)).map(({ capa_id }) => capa_id);
  expect(await list({})).toEqual([closed, triaged, late]);
  expect(await list({ state: 'TRIAGED' })).toEqual([triaged]);
  expect(await list({ overdue: 'yes' })).toEqual([late]);
  expect(await list({ overdue: 'no' })).toEqual([closed, triaged]);
  expect(await list({ open: true })).toEqual([triaged, late]);
  expect(await list({ open: false })).toEqual([closed]);
  const [first] = await listCapas(db.database.query, 1, { subsystem_id: subsystem });
  expect(await list({}, 2, first!.created_seq)).toEqual([triaged, late]);
});

test('trends read a period, of all or of one subsystem', async () => {
  const subsystem = randomUUID();
  const id = await open(subsystem);
  await save(id, () => ({ decisions: [{ from: 'OPENED', to: 'TRIAGED', by: 'x', role: 'admin', at: '2026-01-01T00:00:00.000Z', reason: null }] }));
  const tomorrow = new Date(Date.now() + 86_400_000).toISOString();
  expect(await capasOpened(db.database.query, '2020-01-01T00:00:00Z', tomorrow, subsystem, 10)).toMatchObject([{ source: 'flapping', occurrences: 1, decisions: [{ to: 'TRIAGED' }] }]);
  expect(await capasOpened(db.database.query, '2020-01-01T00:00:00Z', '2020-02-01T00:00:00Z', null, 10)).toEqual([]);
});

test('samples of the window count, not those before it, and not those that an owner pushed unless as an admin', async () => {
  const metric = `m.${randomUUID()}`;
  const at = (second: number): string => new Date(Date.UTC(2026, 0, 1, 0, 0, second)).toISOString();
  const push = (id: string, role: 'operator' | 'admin', value: number, second: number) =>
    insertSamples(db.database.query, metric, [{ value, at: at(second), observed_revision: null }], { id, kind: 'person', role, key_id: 'k' });
  await push('sam', 'operator', 1, 10);
  await push('sam', 'operator', 2, 11);
  await push('olga', 'operator', 3, 12);
  await push('Olga', 'operator', 4, 13);
  await push('olga', 'admin', 5, 20);
  await push('sam', 'operator', 6, 21);
  const found = await samplesOfOthers(db.database.query, metric, { from: at(10), until: at(20) }, ['OLGA']);
  expect(found).toEqual([{ value: 2, at: Date.parse(at(11)) }, { value: 5, at: Date.parse(at(20)) }]);
});
