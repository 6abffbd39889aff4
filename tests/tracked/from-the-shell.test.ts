import { afterAll, beforeAll, expect, test } from 'vitest';
import type { MissionDetail } from '../../src/domain/mission-view.ts';
import { tool, type Ended } from '../cli/tool.ts';
import { call, keyFor } from '../support/http.ts';
import { startSystem, type System } from '../support/system.ts';

let system: System;
let olga: { url: string; key: string };
beforeAll(async () => {
  system = await startSystem();
  await system.startWorker();
  olga = { url: system.url, key: await keyFor(system, 'olga', 'operator') };
});
afterAll(() => system.stop());

const run = (args: readonly string[], input?: string): Promise<Ended> => tool(args, { ...olga, ...(input === undefined ? {} : { input }) });
const hostile = '\u001b[2J\u202eevil';

test('a template is added, listed, used with flags over it, and removed', async () => {
  expect((await run(['template', 'list'])).out).toBe('no templates\n');
  const part = { mission_type: 'tracked', subsystem_id: 'docs', severity: 'low', labels: ['x'], tracked: { stale_after_minutes: 5 } };
  const added = await run(['template', 'add', 'Weekly report', '--file', '-', '--description', hostile], JSON.stringify(part));
  const [, id = ''] = /^(template_\d+); use it: missionctl mission create --template template_\d+\n$/.exec(added.out)!;
  const listed = await run(['template', 'list']);
  expect(listed.out).toMatch(new RegExp(`${id} +Weekly report +olga +.* severity.*evil`));
  expect(listed.out).not.toContain('\u001b');
  expect(JSON.parse((await run(['template', 'list', '--json'])).out)).toEqual((await call(system.url, '/mission-control/templates', { key: olga.key })).body);
  const made = await run(['mission', 'create', '--template', id, '--title', 'Week 47', '--severity', 'high', '--json']);
  expect(made.code, made.err).toBe(0);
  expect(JSON.parse(made.out)).toMatchObject({ title: 'Week 47', severity: 'high', mission_type: 'tracked', subsystem_id: 'docs', labels: ['x'], tracked: { stale_after_minutes: 5 } });
  const fromFile = await run(['mission', 'create', '--template', id, '--file', '-', '--json'], '{"title": "Week 48", "labels": []}');
  expect(JSON.parse(fromFile.out)).toMatchObject({ title: 'Week 48', labels: [], severity: 'low' });
  expect((await run(['template', 'remove', id])).out).toBe(`${id} is removed\n`);
  expect(await run(['mission', 'create', '--template', id, '--title', 'x'])).toMatchObject({ code: 2, err: expect.stringContaining('TEMPLATE_NOT_FOUND') as string });
});

test('a batch says what became of each, and exits 1 when one was refused', async () => {
  const make = async (): Promise<string> => String((await call(system.url, '/api/missions', { key: olga.key, json: { title: 'Elsewhere' } })).body['id']);
  const [one, two] = [await make(), await make()];
  const first = await run(['batch', 'abort', one, 'mission_20200101_001', '--reason', 'tidying up']);
  expect(first.code).toBe(1);
  expect(first.out).toMatch(new RegExp(`${one} +ok +takes effect at once`));
  expect(first.out).toMatch(/mission_20200101_001 +failed +MISSION_NOT_FOUND/);
  expect((await run(['batch', 'abort', two, '--reason', 'tidying up'])).code).toBe(0);
  expect(await system.reader.get<MissionDetail>(`/mission-control/missions/${two}`)).toMatchObject({ status: 'aborted', ended_reason: 'tidying up' });
});

test('a tracked mission is shown as what it is, and retrying it is refused', async () => {
  const id = String((await call(system.url, '/api/missions', { key: olga.key, json: { title: 'Far away', execute: true } })).body['id']);
  expect((await run(['mission', 'show', id])).out).toContain('is worked on elsewhere');
  expect(await run(['batch', 'retry', id])).toMatchObject({ code: 1, out: expect.stringContaining('NOTHING_RUNS_HERE') as string });
});

test.each([
  [['batch', 'abort', 'mission_20200101_001'], '--reason'], [['batch', 'skip', 'mission_20200101_001'], 'skip'], [['batch', 'pause'], 'missions'],
  [['template', 'add', 'x'], '--file'], [['mission', 'create', '--title', 'x'], '--subsystem is missing'],
])('wrong usage is said before anything is asked: %s', async (args, message) => {
  const { code, err } = await run(args);
  expect(err).toContain(message);
  expect(code).toBe(64);
});
