/** `kill -9` of the worker that keeps a record's dates: they pass all the same, each once. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createClient, type ApiClient } from '../../src/cli/client.ts';
import { bringTo, editCapa, moveCapa, openCapa, readCapa } from '../support/capa.ts';
import { eventually, identities, killHard, launch, restarted, stopLaunched, type Launched } from '../support/launched.ts';

let system: Launched;
beforeAll(async () => { system = await launch(); }, 180_000);
afterAll(() => stopLaunched(system), 30_000);

const person = async (principal_id: string, role: string): Promise<ApiClient> => {
  const { key } = await system.api().post<{ key: string }>('/mission-control/keys', { principal_id, kind: 'person', role });
  return createClient(system.run().api_url, key);
};

test('the worker killed before the due dates: what is late is noted once, the effect is measured once, a person closes', async () => {
  const people = { olga: await person('olga', 'operator'), abe: await person('abe', 'approver'), rita: await person('rita', 'approver') };
  await system.api().put('/mission-control/metrics/fault.capa', { comparator: '<', target: 1 });
  const { capa_id } = await openCapa(people.olga);
  await bringTo(people, capa_id, 'VERIFIED', { metric_id: 'fault.capa' });
  const due = new Date(Date.now() + 8_000).toISOString();
  await editCapa(people.olga, capa_id, { due_at: due, effectiveness_due_at: due, reason: 'test' });
  await moveCapa(people.olga, capa_id, 'EFFECTIVENESS_DUE');
  await system.api().post('/mission-control/metrics/fault.capa/observations', { value: 0, at: due });
  const before = identities(system).worker;
  await killHard(before);
  await restarted(system, 'worker', before);

  const measured = await eventually(async () => {
    const capa = await readCapa(people.rita, capa_id);
    return capa.result === null ? undefined : capa;
  });
  expect(measured).toMatchObject({ state: 'EFFECTIVENESS_DUE', result: { passed: true, samples: 1, until: due } });
  const closed = await moveCapa(people.rita, capa_id, 'CLOSED_EFFECTIVE');
  const counts = (type: string): number => closed.history.filter((entry) => entry.type === type).length;
  expect([counts('capa.overdue'), counts('capa.effectiveness_measured')]).toEqual([1, 1]);
}, 90_000);
