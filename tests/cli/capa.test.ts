import { afterAll, beforeAll, expect, test } from 'vitest';
import { bringTo, openCapa, planOf, readCapa, type CapaPeople } from '../support/capa.ts';
import { keyFor } from '../support/http.ts';
import { calculator, fixedAdd } from '../support/repository.ts';
import { startSystem, testMetric, type System } from '../support/system.ts';
import { tool, type Ended } from './tool.ts';

let system: System;
let people: CapaPeople;
let olga: { url: string; key: string };
beforeAll(async () => {
  system = await startSystem();
  people = { olga: await system.as('olga', 'operator'), abe: await system.as('abe', 'approver'), rita: await system.as('rita', 'approver') };
  olga = { url: system.url, key: await keyFor(system, 'olga', 'operator') };
});
afterAll(() => system.stop());

const capa = (args: readonly string[], input?: string): Promise<Ended> => tool(['capa', ...args], { ...olga, ...(input === undefined ? {} : { input }) });

test('a record from the shell: filled in by flags and a file, moved, shown with what is late', async () => {
  const opened = await capa(['open', '--subsystem', 'mesh', '--problem', 'slow since Monday']);
  const capa_id = /^(CAPA-\d+-\d+) is OPENED, version 1; next: TRIAGED, VOIDED\n$/.exec(opened.out)![1]!;
  expect((await capa(['open', '--subsystem', 'mesh', '--problem', 'slow since Monday'])).out).toBe(opened.out);
  expect(await capa(['move', capa_id, 'TRIAGED'])).toMatchObject({ code: 2, err: expect.stringContaining('risk: is not rated') as string });
  const edited = await capa(['edit', capa_id, '--type', 'corrective', '--risk', '7,3,2', '--containment-not-needed', 'slow, not wrong']);
  expect(edited).toMatchObject({ code: 0, out: `${capa_id} is OPENED, version 2; next: TRIAGED, VOIDED\n` });
  for (const state of ['TRIAGED', 'CONTAINED', 'INVESTIGATING']) expect((await capa(['move', capa_id, state])).code).toBe(0);
  expect((await capa(['edit', capa_id, '--file', '-'], JSON.stringify(planOf({ metric_id: testMetric })))).code).toBe(0);
  expect((await capa(['edit', capa_id, '--due', '2026-01-01T00:00:00Z', '--reason', 'at once'])).code).toBe(0);
  expect((await capa(['move', capa_id, 'PLAN_PROPOSED', '--json'])).out).toContain('"state":"PLAN_PROPOSED"');
  const { out } = await capa(['show', capa_id]);
  for (const line of [/state +PLAN_PROPOSED/, /next +PLAN_APPROVED, INVESTIGATING, VOIDED/, /overdue +record since 2026-01-01/, /risk +42 \(severity 7/, /effective if +avg of test\.errors < 1/, /a1 +olga .* no +shorten the lock/, /olga +INVESTIGATING +PLAN_PROPOSED/]) {
    expect(out).toMatch(line);
  }
  expect((await capa(['list', '--overdue'])).out).toMatch(new RegExp(`${capa_id} +PLAN_PROPOSED, overdue`));
  expect((await capa(['list', '--state', 'VOIDED'])).out).toBe('no CAPA records\n');
  expect((await capa(['trends'])).out).toMatch(/came back +100 %\nineffective +not known \(0 of 0\)/);
});

test('a change to a record that somebody else changed is refused: exit 2', async () => {
  const { capa_id } = await openCapa(people.olga);
  expect((await capa(['edit', capa_id, '--type', 'both', '--if-version', '1'])).code).toBe(0);
  expect(await capa(['edit', capa_id, '--type', 'preventive', '--if-version', '1'])).toMatchObject({ code: 2, err: expect.stringContaining('CAPA_CHANGED') as string });
});

test('a mission for an action is started from the shell', async () => {
  const { capa_id } = await openCapa(people.olga);
  await bringTo(people, capa_id, 'IMPLEMENTING', { metric_id: testMetric });
  const repository = system.repository(calculator);
  const started = await capa(['mission', capa_id, '--action', 'a1', '--severity', 'high', '--repo', repository.path, '--diff', '-', '--must-pass', 'adds', '--no-execute'], repository.diff(fixedAdd));
  expect(started).toMatchObject({ code: 0, out: expect.stringMatching(new RegExp(`^mission_\\d+_\\d+ {2}${capa_id}: shorten the lock\nnot started`)) as string });
  expect(started.out).toContain((await readCapa(people.olga, capa_id)).actions[0]!.missions[0]);
});

test.each([
  [['edit', 'CAPA-2026-0001'], 'name a field'], [['edit', 'CAPA-2026-0001', '--risk', '7,3'], 'severity,occurrence,detection'],
  [['edit', 'CAPA-2026-0001', '--contained', 'x', '--containment-not-needed', 'y'], 'one of them'], [['move', 'CAPA-2026-0001', 'DONE'], 'Allowed choices'],
  [['mission', 'CAPA-2026-0001', '--action', 'a1', '--severity', 'low', '--repo', 'x'], '--diff or --assigned-to'],
])('wrong usage is said before anything is asked: %s', async (args, message) =>
  expect(await capa(args)).toMatchObject({ code: 64, err: expect.stringContaining(message) as string }));

test('what others wrote reaches no terminal as it is', async () => {
  const hostile = '\u001b[2J\u202eevil';
  const { capa_id } = await openCapa(people.olga, hostile);
  await capa(['edit', capa_id, '--contained', `${hostile} done`]);
  await capa(['edit', capa_id, '--file', '-'], JSON.stringify({ actions: [{ action_id: 'a1', description: hostile, owner: 'olga', due_at: '2030-01-01T00:00:00Z' }] }));
  for (const { out, code } of [await capa(['show', capa_id]), await capa(['list'])]) {
    expect(code).toBe(0);
    expect(out).toContain('evil');
    for (const character of ['\u001b', '\u202e']) expect(out).not.toContain(character);
  }
});
