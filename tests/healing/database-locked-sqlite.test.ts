import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Scene } from '../../src/cli/healing-demo/scene.ts';
import { stuckWriter } from '../../src/cli/healing-demo/stuck-writer.ts';
import { endedByItself, expectHealed, expectRefused, watch } from '../support/self-healing.ts';
import { endOwners, startOwner } from '../support/sqlite.ts';
import { startSystem, type System } from '../support/system.ts';

let system: System;
let listed: Scene;
let unlisted: Scene;
let nameless: Scene;

/** The same file and the same stuck process; it stands on no list of who may be ended. */
async function notListed(folder: string): Promise<Scene> {
  const scene = await stuckWriter(folder);
  const text = JSON.stringify(scene.subsystem).replace('"allow_terminate":["nightly-report"]', '"allow_terminate":["another"]');
  return { ...scene, id: 'unlisted', subsystem: JSON.parse(text) as Record<string, unknown>, binding: { ...scene.binding, subsystem: 'unlisted' } };
}

/** The same file, held by a process that says nothing about what it is. */
async function withoutName(folder: string): Promise<Scene> {
  const scene = await stuckWriter(folder);
  return {
    ...scene, id: 'nameless', binding: { ...scene.binding, subsystem: 'nameless' },
    async breakIt() {
      await startOwner(join(folder, 'orders.db'), 'write', { argv0: '' });
      return 'somebody holds the lock';
    },
  };
}

beforeAll(async () => {
  system = await startSystem();
  [listed, unlisted] = [await stuckWriter(join(system.home, 'listed')), await notListed(join(system.home, 'unlisted'))];
  nameless = await withoutName(join(system.home, 'nameless'));
  await watch(system, [listed, unlisted, nameless]);
  await system.startWorker();
}, 90_000);
afterAll(async () => {
  await Promise.all([listed.stop(), unlisted.stop(), endOwners()]);
  await system.stop();
});

test('a stuck writer that may be ended is found and ended, and others write again', async () => {
  await listed.use();
  await listed.breakIt();
  await expect(listed.use()).rejects.toThrow('locked');
  expectHealed(await endedByItself(system, listed.id));
  expect(await listed.use()).toContain('an order was written');
}, 90_000);

test('a holder that nobody listed is left alone, and a person is told', async () => {
  await unlisted.breakIt();
  expectRefused(await endedByItself(system, unlisted.id), 'HOLDER_NOT_ALLOWED');
  // It lives, and holds its lock as before.
  await expect(unlisted.use()).rejects.toThrow('locked');
}, 90_000);

test('a holder of which too little is known is left alone, whatever is listed', async () => {
  await nameless.breakIt();
  expectRefused(await endedByItself(system, nameless.id), 'LOCK_HOLDER_UNKNOWN');
  await expect(nameless.use()).rejects.toThrow('locked');
}, 90_000);
