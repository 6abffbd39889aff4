import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { CapaDetail } from '../../src/domain/capa-view.ts';
import { systemActor } from '../../src/domain/actor.ts';
import { openCapa as openRow } from '../../src/store/capas.ts';
import { bringTo, editCapa, moveCapa, openCapa, readCapa, type CapaPeople } from '../support/capa.ts';
import { brokenAdd, calculator } from '../support/repository.ts';
import { startSystem, type System } from '../support/system.ts';

let system: System;
let people: CapaPeople;
beforeAll(async () => {
  system = await startSystem();
  people = { olga: await system.as('olga', 'operator'), abe: await system.as('abe', 'approver'), rita: await system.as('rita', 'approver') };
  await system.startWorker();
});
afterAll(() => system.stop());

const soon = (seconds: number): string => new Date(Date.now() + seconds * 1_000).toISOString();
const when = (id: string, done: (capa: CapaDetail) => boolean): Promise<CapaDetail> => system.until(async () => {
  const capa = await readCapa(system.reader, id);
  return done(capa) && capa;
});
const count = (capa: CapaDetail, type: string): number => capa.history.filter((entry) => entry.type === type).length;
const workflowOf = async (id: string): Promise<string> => (await system.temporal.workflow.getHandle(id).describe()).status.name;

/** Verified, its effect to be measured over the last of these seconds; a metric of its own that nobody has pushed to. */
async function measuredIn(seconds: number): Promise<{ id: string; due: string; metric: string }> {
  const metric = `capa.${randomUUID()}`;
  await system.reader.put(`/mission-control/metrics/${metric}`, { comparator: '<', target: 1 });
  const { capa_id: id } = await openCapa(people.olga);
  await bringTo(people, id, 'VERIFIED', { metric_id: metric });
  const due = soon(seconds);
  await editCapa(people.olga, id, { effectiveness_due_at: due });
  await moveCapa(people.olga, id, 'EFFECTIVENESS_DUE');
  return { id, due, metric };
}

test('a date that passes is noted once, by itself; one that is moved can pass again', async () => {
  const { capa_id } = await openCapa(people.olga);
  const first = soon(1);
  await editCapa(people.olga, capa_id, { due_at: first, reason: 'it is urgent' });
  const late = await when(capa_id, (capa) => count(capa, 'capa.overdue') > 0);
  expect(late.history.at(-1)).toMatchObject({ actor: { role: 'system' }, payload: { what: 'record', due_at: first, state: 'OPENED' } });
  expect(late.overdue).toMatchObject([{ what: 'record', due_at: first }]);
  await editCapa(people.olga, capa_id, { type: 'both' });
  const second = soon(1);
  await editCapa(people.olga, capa_id, { due_at: second, reason: 'a day more' });
  const missed = (capa: CapaDetail): unknown[] => capa.history.filter(({ type }) => type === 'capa.overdue').map(({ payload }) => payload['due_at']);
  await when(capa_id, (capa) => missed(capa).includes(second));
  await moveCapa(people.abe, capa_id, 'VOIDED', { duplicate_of: (await openCapa(people.olga)).capa_id });
  await system.temporal.workflow.getHandle(capa_id).result();
  expect(missed(await readCapa(system.reader, capa_id))).toEqual([first, second]);
});

test('an action of the running plan that is late names its owner', async () => {
  const metric_id = 'test.errors';
  const { capa_id } = await openCapa(people.olga);
  await bringTo(people, capa_id, 'IMPLEMENTING', { metric_id, action_due_at: soon(-1) });
  const late = await when(capa_id, (capa) => count(capa, 'capa.overdue') > 0);
  expect(late.history.find(({ type }) => type === 'capa.overdue')?.payload).toMatchObject({ what: 'action:a1', owner: 'olga' });
  expect((await editCapa(people.olga, capa_id, { done: ['a1'] })).overdue).toEqual([]);
});

test('no data at the due date: measured by itself, reopened, and planned anew', async () => {
  const { id } = await measuredIn(8);
  const reopened = await when(id, ({ state }) => state === 'REOPENED');
  expect(reopened.result).toMatchObject({ passed: false, value: null, samples: 0 });
  expect(reopened.decisions.at(-1)).toMatchObject({ from: 'EFFECTIVENESS_DUE', by: 'capa', role: 'system', reason: expect.stringContaining('not known is not effective') as string });
  expect(await moveCapa(people.olga, id, 'INVESTIGATING')).toMatchObject({ state: 'INVESTIGATING', verification: null });
  expect(await workflowOf(id)).toBe('RUNNING');
});

test('good data at the due date: it stays due for a review; not its approver but somebody else closes it, and its workflow ends', async () => {
  const { id, due, metric } = await measuredIn(8);
  const push = async (who: string, value: number, at: string) =>
    (await system.as(who, 'operator')).post(`/mission-control/metrics/${metric}/observations`, { value, at });
  await push('sam', 0.5, new Date(Date.parse(due) - 100).toISOString());
  // Neither what the owner measured of her own work counts, nor what came after the window.
  await push('olga', 100, new Date(Date.parse(due) - 50).toISOString());
  await push('sam', 100, new Date(Date.parse(due) + 1_000).toISOString());
  const measured = await when(id, ({ result }) => result !== null);
  expect(measured).toMatchObject({ state: 'EFFECTIVENESS_DUE', result: { passed: true, value: 0.5, samples: 1, until: due } });
  for (const { by, who } of [{ by: 'abe', who: people.abe }, { by: 'olga', who: people.olga }]) {
    await expect(moveCapa(who, id, 'CLOSED_EFFECTIVE'), by).rejects.toMatchObject({ status: 403 });
  }
  const closed = await moveCapa(people.rita, id, 'CLOSED_EFFECTIVE');
  expect(closed.state).toBe('CLOSED_EFFECTIVE');
  await system.temporal.workflow.getHandle(id).result();
  expect(count(closed, 'capa.effectiveness_measured')).toBe(1);
});

test('a record whose workflow nobody started is started by the reconciler', async () => {
  const id = await system.db.database.transaction((query) => openRow(query, {
    source: 'quarantine', fingerprint: randomUUID(), mission_id: null, subsystem_id: 'mesh', problem_statement: 'three times in vain', evidence: [], actor: systemActor('test'),
  }));
  await expect(workflowOf(id)).rejects.toThrow();
  await system.temporal.schedule.getHandle('reconcile-missions').trigger();
  await system.until(async () => (await system.db.database.query('SELECT 1 FROM capas WHERE capa_id = $1 AND told_version = version', [id])).length > 0);
  expect(await workflowOf(id)).toBe('RUNNING');
});

test('the record that an escalation opens has its workflow', async () => {
  const repository = system.repository(calculator);
  const ended = await system.whenEnded((await system.send(repository, [repository.diff(brokenAdd)])).mission_id);
  await system.until(async () => (await workflowOf(ended.capa_id!).catch(() => '')) === 'RUNNING');
});
