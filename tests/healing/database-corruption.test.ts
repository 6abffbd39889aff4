import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { isAlive, whenGone } from '../support/processes.ts';
import { briefly, expectHealed, expectRefused, quick, startedByItself, watch, type World } from '../support/self-healing.ts';
import { addOrders, backup, besideOf, breakPage, makeShop, ownerScript, withDatabase } from '../support/sqlite.ts';
import { startSystem, type System } from '../support/system.ts';

let system: System;

const fileOf = (id: string): string => join(system.home, id, 'shop.db');
const pidFileOf = (id: string): string => join(system.home, id, 'app.pid');
const pidOf = (id: string): number => Number.parseInt(readFileSync(pidFileOf(id), 'utf8'), 10);
const hash = (file: string): string => createHash('sha256').update(readFileSync(file)).digest('hex');
const goodBackup = (id: string): string => join(system.home, id, 'backups', 'monday.db');

/** A shop of 3000 orders with a backup of them, 40 orders since, and a service that has the file open. */
function shop(id: string): World {
  const folder = join(system.home, id);
  mkdirSync(join(folder, 'backups'), { recursive: true });
  makeShop(fileOf(id));
  backup(fileOf(id), goodBackup(id), new Date('2026-01-01'));
  withDatabase(fileOf(id), (db) => addOrders(db, 5_001, 5_040));
  const app = spawn(process.execPath, [ownerScript, fileOf(id), 'idle'], { cwd: folder, detached: true, stdio: 'ignore' });
  app.unref();
  writeFileSync(pidFileOf(id), `${app.pid}\n`);
  return {
    id,
    subsystem: {
      name: id,
      resources: {
        db: { kind: 'sqlite', path: fileOf(id), backups: join(folder, 'backups'), canary_tables: ['orders', 'customers'], writers: ['app'] },
        app: {
          kind: 'service', stop_timeout_seconds: 20, ready_timeout_seconds: 20,
          manager: { kind: 'process', instances: [{ id: `${id}1`, pid_file: pidFileOf(id), argv: [process.execPath, ownerScript, fileOf(id), 'idle'], cwd: folder }] },
        },
      },
      probes: [{ id: 'write', kind: 'sqlite', resource: 'db', interval_seconds: 1, timeout_seconds: 10 }],
    },
    binding: { playbook: 'database_corruption', subsystem: id, resource: 'db', limits: quick, observe: briefly },
  };
}

/** Counts the orders in a process of its own, which has nothing of the system's. */
function countedElsewhere(file: string): string {
  const library = fileURLToPath(import.meta.resolve('@photostructure/sqlite'));
  const script = `import { DatabaseSync } from ${JSON.stringify(library)}; const db = new DatabaseSync(${JSON.stringify(file)});
    console.log(db.prepare('PRAGMA integrity_check').get().integrity_check, db.prepare('SELECT count(*) AS n FROM orders NOT INDEXED').get().n);`;
  return spawnSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' }).stdout.trim();
}

const worlds = ['restored', 'hopeless'];
beforeAll(async () => {
  system = await startSystem();
  await watch(system, worlds.map(shop));
  await system.startWorker();
}, 90_000);
afterAll(async () => {
  for (const pid of worlds.map(pidOf).filter(isAlive)) {
    process.kill(pid, 'SIGKILL');
    await whenGone(pid);
  }
  await system.stop();
});

test('a broken table is restored once a person agreed to what is lost; the old file is kept, and its writer runs again', async () => {
  breakPage(fileOf('restored'), 'orders');
  const broken = hash(fileOf('restored'));
  const writer = pidOf('restored');
  const { mission } = await startedByItself(system, 'restored');
  const approval = await system.approval(mission.mission_id);
  expect(approval.digests).toMatchObject({ plan_digest: expect.stringMatching(/^[0-9a-f]{64}$/) as string });
  expect(hash(fileOf('restored'))).toBe(broken);
  await system.decide(approval);
  expectHealed(await system.whenEnded(mission.mission_id));
  expect(countedElsewhere(fileOf('restored'))).toBe('ok 3000');
  const kept = besideOf(fileOf('restored')).filter((name) => name.includes('.quarantined-'));
  expect(kept.map((name) => hash(join(system.home, 'restored', name)))).toEqual([broken]);
  expect(isAlive(pidOf('restored'))).toBe(true);
  expect(pidOf('restored')).not.toBe(writer);
}, 90_000);

test('no backup is good: nothing takes the place of the broken file, and a person is told', async () => {
  breakPage(goodBackup('hopeless'), 'orders');
  breakPage(fileOf('hopeless'), 'orders');
  const broken = hash(fileOf('hopeless'));
  const { mission } = await startedByItself(system, 'hopeless');
  // What can be read is saved beside it, with its writers down: that, too, a person must agree to.
  await system.decide(await system.approval(mission.mission_id));
  const ended = await system.whenEnded(mission.mission_id);
  expectRefused(ended, 'did not help');
  expect(JSON.stringify(ended.stages)).toContain('NO_GOOD_BACKUP');
  expect(hash(fileOf('hopeless'))).toBe(broken);
  expect(besideOf(fileOf('hopeless')).filter((name) => name.includes('.quarantined-'))).toEqual([]);
  expect(isAlive(pidOf('hopeless'))).toBe(true);
}, 90_000);
