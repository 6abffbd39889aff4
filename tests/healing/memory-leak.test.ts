import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { leakyService } from '../../src/cli/healing-demo/leaky-service.ts';
import type { Scene } from '../../src/cli/healing-demo/scene.ts';
import { endedByItself, expectHealed, expectRefused, watch } from '../support/self-healing.ts';
import { startSystem, type System } from '../support/system.ts';

let system: System;
let web: Scene;
let worn: Scene;

const folderOf = (id: string): string => join(system.home, id);
const pidOf = (id: string): number => Number(readFileSync(join(folderOf(id), 'web.pid'), 'utf8'));

/** A scene under another name, its metric as well. */
async function leaky(id: string): Promise<Scene> {
  const scene = await leakyService(folderOf(id));
  const metrics = Object.values(scene.metrics).map((metric) => [`${id}.memory_growth`, { ...metric as object, subsystem_id: id }] as const);
  return { ...scene, id, binding: { ...scene.binding, subsystem: id }, metrics: Object.fromEntries(metrics) };
}

beforeAll(async () => {
  system = await startSystem();
  [web, worn] = [await leaky('web'), await leaky('worn')];
  await watch(system, [web, worn]);
  await system.db.database.query(`INSERT INTO restarts (key, target, mission_id, kind) SELECT n::text, 'worn/web-service/web1', 'm', 'restart' FROM generate_series(1, 5) n`);
  await system.startWorker();
}, 90_000);
afterAll(async () => {
  await Promise.all([web.stop(), worn.stop()]);
  await system.stop();
});

test('memory that grows is noticed by its metric; the one instance is restarted and keeps nothing', async () => {
  const was = pidOf('web');
  await web.breakIt();
  expectHealed(await endedByItself(system, web.id));
  expect(await web.use()).toContain('keeps nothing');
  expect(pidOf('web')).not.toBe(was);
}, 120_000);

test('one that was restarted too often is left as it is, and a person is told', async () => {
  const was = pidOf('worn');
  await worn.breakIt();
  expectRefused(await endedByItself(system, worn.id), 'RESTART_BUDGET');
  expect(pidOf('worn')).toBe(was);
  await expect(worn.use()).rejects.toThrow('still keeps');
}, 90_000);
