/** Schedules follow the configuration; a worker that is killed is followed by the next one; the tool shows what was found. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { MockActivityEnvironment } from '@temporalio/testing';
import type { ActivityDeps } from '../../src/activities/deps.ts';
import { watchScheduleActivities } from '../../src/activities/watch-schedules.ts';
import { keyFor } from '../support/http.ts';
import { silent } from '../support/database.ts';
import { startSystem, type System } from '../support/system.ts';
import { createCatalog } from '../../src/store/catalog.ts';
import { tool } from '../cli/tool.ts';

let system: System;
beforeAll(async () => { system = await startSystem(); });
afterAll(() => system.stop());

const probe = (seconds: number): string => `{id: every-${seconds}, kind: command, argv: ["false"], interval_seconds: ${seconds}, symptom: down}`;
const watch = (...seconds: number[]) => system.configure('subsystems.yaml', `subsystems: {shop: {name: The shop, probes: [${seconds.map(probe).join(', ')}]}}`);
const sync = () => {
  const deps = {
    config: system.config, database: system.db.database, temporal: system.temporal, logger: silent,
    catalog: createCatalog(system.config.configFolder, system.db.database),
  } as unknown as ActivityDeps;
  return new MockActivityEnvironment().run(() => watchScheduleActivities(deps).syncWatches());
};
async function scheduled(): Promise<string[]> {
  const ids: string[] = [];
  // Every 30 s is what metrics of the catalog are watched at; this is about what the file declares.
  for await (const { scheduleId } of system.temporal.schedule.list()) if (scheduleId.startsWith('watch-') && scheduleId !== 'watch-30s') ids.push(scheduleId);
  return ids.sort();
}
/** Lists of schedules show a change a moment late. */
const whenScheduled = async (wanted: string[]): Promise<void> => {
  for (let now = await scheduled(); now.join() !== wanted.join(); now = await scheduled()) await sync();
};

test('one schedule for each interval; what is no longer watched has none; any number of syncs at once', async () => {
  await watch(7, 3600);
  await Promise.all([sync(), sync(), sync()]);
  await whenScheduled(['watch-15s', 'watch-3600s', 'watch-7s']);
  expect(await sync()).toEqual({ created: [], updated: [], deleted: [] });
  await watch(20);
  await Promise.all([sync(), sync()]);
  await whenScheduled(['watch-15s', 'watch-20s']);
  // What cannot be read says nothing of what is no longer wanted.
  await system.configure('subsystems.yaml', 'subsystems: 7');
  expect(await sync()).toEqual({ created: [], updated: [], deleted: [] });
  expect(await scheduled()).toEqual(['watch-15s', 'watch-20s']);
});

test('looks go on with the next worker; missionctl shows what they found', async () => {
  await watch(1);
  await system.startWorker();
  const occurrences = async (): Promise<number> =>
    (await system.db.database.query<{ occurrences: number }>("SELECT occurrences FROM findings WHERE subsystem_id = 'shop' AND state = 'FIRING'"))[0]?.occurrences ?? 0;
  await system.until(async () => (await occurrences()) > 0);
  await system.stopWorker();
  const before = await occurrences();
  await system.startWorker();
  await system.until(async () => (await occurrences()) > before);

  const root = { url: system.url, key: await keyFor(system, 'root', 'admin') };
  const list = await tool(['findings', '--subsystem', 'shop', '--open'], root);
  expect(list.out).toMatch(/FIRING +high +shop +\d+× .*every-1 of shop fails/);
  const [id = ''] = /[0-9a-f-]{36}/.exec(list.out) ?? [];
  expect((await tool(['findings', 'show', id], root)).out).toMatch(/finding\.opened +FIRING +false ended with exit code 1/);
  expect((await tool(['subsystems'], root)).out).toMatch(/shop +unhealthy .* 1 +every-1: false ended with exit code 1/);
  expect((await tool(['subsystems', 'shop'], root)).out).toMatch(/every-1 +unhealthy/);
  const added = await tool(['silence', 'add', '--subsystem', 'shop', '--reason', 'known', '--minutes', '5'], root);
  const [silence = ''] = /[0-9a-f-]{36}/.exec(added.out) ?? [];
  await system.until(async () => (await occurrences()) === 0);
  expect((await tool(['findings', 'list', '--state', 'SILENCED', '--json'], root)).out).toContain(id);
  expect((await tool(['silence', 'list'], root)).out).toContain('subsystem_id=shop');
  expect((await tool(['silence', 'remove', silence], root)).code).toBe(0);
  await system.until(async () => (await occurrences()) > 0);
  expect((await tool(['silence', 'add', '--reason', 'x', '--minutes', '5'], root)).code).not.toBe(0);
});
