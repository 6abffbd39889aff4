import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { identityOf } from '../../src/processes.mjs';
import { databaseCorruption } from '../../src/workflows/playbooks/database-corruption.ts';
import type { SqliteCorruptionFacts } from '../../src/workflows/playbooks/database-corruption/sqlite.ts';
import { isAlive, pidsWith, whenGone } from '../support/processes.ts';
import { openPlaybookBench, type PlaybookBench, type Planned } from '../support/playbook-bench.ts';
import { addOrders, backup, breakPage, countOrders, endOwners, makeIndexLie, makeShop, ownerScript, startOwner, withDatabase } from '../support/sqlite.ts';

const healed = { symptom: { ok: true }, independent: { ok: true }, must_not_regress: { ok: true } };

let bench: PlaybookBench;
let folder: string;
let path: string;
let backups: string;
let pidFile: string;
/** Another one for each test: restarts are counted by instance. */
let instance = 0;

/** A service that has the database open for as long as it runs. */
const writer = () => ({
  kind: 'service', stop_timeout_seconds: 20, ready_timeout_seconds: 20,
  manager: { kind: 'process', instances: [{ id: `app-${instance}`, pid_file: pidFile, argv: [process.execPath, ownerScript, path, 'idle'], cwd: folder }] },
});
const declare = (more: object = {}) =>
  bench.configure({ shop: { kind: 'sqlite', path, backups, canary_tables: ['orders', 'customers'], writers: ['app'], ...more }, app: writer() });
const context = () => bench.context(databaseCorruption, 'shop', 'database_corruption');
const hash = (file: string): string => createHash('sha256').update(readFileSync(file)).digest('hex');
const pidOf = (): number => Number.parseInt(readFileSync(pidFile, 'utf8'), 10);

beforeAll(async () => { bench = await openPlaybookBench({}); });
afterAll(() => bench.close());
beforeEach(async () => {
  folder = mkdtempSync(join(bench.home, 'sqlite-'));
  path = join(folder, 'shop.db');
  backups = join(folder, 'backups');
  pidFile = join(folder, 'app.pid');
  mkdirSync(backups);
  instance += 1;
  await declare();
  makeShop(path);
  await bench.act('app', 'service.start', { service: 'app' });
});
afterEach(async () => {
  // Not by our own action: what a failing test leaves must go, too.
  for (const pid of pidsWith(`MISSION_CONTROL_INSTANCE=${pidFile}`)) {
    process.kill(pid, 'SIGKILL');
    await whenGone(pid);
  }
  await endOwners();
  rmSync(folder, { recursive: true, force: true });
});

async function plan(): Promise<Planned & { facts: SqliteCorruptionFacts }> {
  return await bench.plan(databaseCorruption, await context()) as Planned & { facts: SqliteCorruptionFacts };
}

test('an index that lies is made anew while its writers are down; they are up again afterwards', async () => {
  makeIndexLie(path, (db) => addOrders(db, 5_001, 5_010));
  const before = identityOf(pidOf());
  const planned = await plan();
  expect(planned.steps).toMatchObject([
    { id: 'stop_app', action: 'service.stop', compensate: { action: 'service.start', with: { service: 'app' } } },
    { id: 'copy_evidence' },
    { action: 'sqlite.reindex', with: { path, indexes: ['orders_note'] }, data_loss: 0 },
    { id: 'start_app', action: 'service.start' },
  ]);
  await bench.execute(databaseCorruption, await context(), planned);
  expect(await bench.verify(databaseCorruption, await context(), planned.facts)).toMatchObject(healed);
  expect(isAlive(pidOf())).toBe(true);
  expect(identityOf(pidOf())).not.toEqual(before);
  expect(countOrders(path)).toBe(3_010);
  expect(await bench.plan(databaseCorruption, await context())).toMatchObject({ decline: 'healthy' });
});

test('rows that only the index still knows are a loss that the plan says', async () => {
  makeIndexLie(path, (db) => db.exec('DELETE FROM orders WHERE id > 2990'));
  expect((await plan()).steps).toContainEqual(expect.objectContaining({
    id: 'reindex', data_loss: 10, effect: expect.stringContaining('10 rows that only indexes still know are lost') as string,
  }));
});

test('a broken page of an index: every row goes into a new file, the old one stays', async () => {
  breakPage(path, 'orders_note');
  const broken = hash(path);
  const planned = await plan();
  const rebuild = planned.steps.find(({ id }) => id === 'rebuild')!;
  expect(rebuild).toMatchObject({ action: 'sqlite.rebuild', data_loss: 0, compensate: { action: 'sqlite.put_back' } });
  await bench.execute(databaseCorruption, await context(), planned);
  expect(await bench.verify(databaseCorruption, await context(), planned.facts)).toMatchObject(healed);
  expect(hash(rebuild.with['quarantine'] as string)).toBe(broken);
  expect(await bench.deps.artifacts.describe(broken)).toMatchObject({ sha256: broken });
  expect(countOrders(path)).toBe(3_000);
});

test('a broken page of a table: the newest backup that passes is restored, and the loss is said before', async () => {
  backup(path, join(backups, 'monday.db'), new Date('2026-01-01'));
  withDatabase(path, (db) => addOrders(db, 5_001, 5_040));
  backup(path, join(backups, 'tuesday.db'), new Date('2026-01-02'));
  breakPage(join(backups, 'tuesday.db'), 'orders');
  makeShop(join(backups, 'wednesday.db'), 5);
  breakPage(path, 'orders');
  const broken = hash(path);
  const planned = await plan();
  expect(planned.facts.unfit).toEqual([
    { path: join(backups, 'wednesday.db'), reason: 'has 5 rows in orders, where 3040 are known' },
    { path: join(backups, 'tuesday.db'), reason: expect.stringContaining('fails its integrity check') as string },
  ]);
  const restore = planned.steps.find(({ id }) => id === 'restore')!;
  expect(restore).toMatchObject({ with: { backup: join(backups, 'monday.db'), sha256: hash(join(backups, 'monday.db')) }, data_loss: 40, compensate: { action: 'sqlite.put_back' } });
  await bench.execute(databaseCorruption, await context(), planned);
  expect(await bench.verify(databaseCorruption, await context(), planned.facts)).toMatchObject(healed);
  expect([countOrders(path), hash(restore.with['quarantine'] as string)]).toEqual([3_000, broken]);

  // What failed afterwards is undone: the old file has its place again, and nothing is gone.
  await bench.act('app', 'service.stop', { service: 'app' });
  await bench.act('shop', restore.compensate!.action, restore.compensate!.with);
  expect(hash(path)).toBe(broken);
});

test('a broken header: nothing can be counted, so at least something is lost', async () => {
  backup(path, join(backups, 'monday.db'), new Date('2026-01-01'));
  breakPage(path, 'header');
  const planned = await plan();
  expect(planned.steps.find(({ id }) => id === 'restore')).toMatchObject({ data_loss: 1 });
  await bench.execute(databaseCorruption, await context(), planned);
  expect(await bench.verify(databaseCorruption, await context(), planned.facts)).toMatchObject(healed);
});

test('no backup is good: what can be read is saved beside, nothing takes the place, and the run says why', async () => {
  backup(path, join(backups, 'monday.db'), new Date('2026-01-01'));
  breakPage(join(backups, 'monday.db'), 'orders');
  breakPage(path, 'orders');
  const broken = hash(path);
  const planned = await plan();
  expect(planned.steps.map(({ action, data_loss }) => [action, data_loss])).toEqual([
    ['service.stop', 0], ['sqlite.copy_evidence', 0], ['sqlite.salvage', 0], ['sqlite.hand_over', 0], ['service.start', 0],
  ]);
  await expect(bench.execute(databaseCorruption, await context(), planned)).rejects.toMatchObject({
    type: 'NO_GOOD_BACKUP', message: expect.stringContaining('monday.db fails its integrity check') as string,
  });
  expect(hash(path)).toBe(broken);
  expect(countOrders(`${path}.salvaged-${planned.facts.stamp}`)).toBeGreaterThan(2_700);
  expect(await bench.verify(databaseCorruption, await context(), planned.facts)).toMatchObject({ symptom: { ok: false }, independent: { ok: false } });
});

test('a backup that changed after the plan is not restored', async () => {
  backup(path, join(backups, 'monday.db'), new Date('2026-01-01'));
  breakPage(path, 'header');
  const planned = await plan();
  withDatabase(join(backups, 'monday.db'), (db) => db.exec('DELETE FROM orders'));
  await expect(bench.execute(databaseCorruption, await context(), planned)).rejects.toMatchObject({ type: 'BACKUP_CHANGED' });
  expect(existsSync(`${path}.quarantined-${planned.facts.stamp}`)).toBe(false);
});

test('a process that nobody declared and that has it open stops the run before anything changes its name', async () => {
  breakPage(path, 'orders_note');
  const planned = await plan();
  await startOwner(path, 'idle');
  await expect(bench.execute(databaseCorruption, await context(), planned)).rejects.toMatchObject({ type: 'DATABASE_IN_USE' });
  await declare({ writers: [] });
  expect(await bench.plan(databaseCorruption, await context())).toMatchObject({ decline: 'refused', code: 'WRITERS_UNKNOWN' });
});

test('rows that refer to nothing are no damage that a repair of the file could mend', async () => {
  withDatabase(path, (db) => db.exec('PRAGMA foreign_keys = OFF; DELETE FROM customers WHERE id = 1'));
  expect(await bench.plan(databaseCorruption, await context())).toMatchObject({ decline: 'refused', code: 'ROWS_MISSING' });
  await declare({ path: join(folder, 'nothing.db') });
  expect(await bench.plan(databaseCorruption, await context())).toMatchObject({ decline: 'refused', code: 'FILE_MISSING' });
});

test('a repair after which rows are missing is no repair', async () => {
  breakPage(path, 'orders_note');
  const planned = await plan();
  await bench.execute(databaseCorruption, await context(), planned);
  withDatabase(path, (db) => db.exec('DELETE FROM orders WHERE id = 7'));
  rmSync(`${path}.quarantined-${planned.facts.stamp}`);
  expect(await bench.verify(databaseCorruption, await context(), planned.facts)).toMatchObject({
    symptom: { ok: true }, must_not_regress: { ok: false, found: expect.stringMatching(/orders has 2999 rows, 3000 were promised; .*quarantined.* is not there/) as string },
  });
});
