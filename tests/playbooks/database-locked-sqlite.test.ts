import { existsSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { databaseLocked } from '../../src/workflows/playbooks/database-locked.ts';
import { isAlive } from '../support/processes.ts';
import { openPlaybookBench, type PlaybookBench, type Planned } from '../support/playbook-bench.ts';
import { addOrders, countOrders, endOwners, makeShop, startOwner, withDatabase } from '../support/sqlite.ts';

const quick = { sqlite_wait_seconds: 0.2, sqlite_busy_timeout_ms: 100, sqlite_ask_seconds: 20, sqlite_terminate_seconds: 20 };
const healed = { symptom: { ok: true }, independent: { ok: true }, must_not_regress: { ok: true } };

let bench: PlaybookBench;
let folder: string;
let path: string;
const declare = (more: object = {}) =>
  bench.configure({ shop: { kind: 'sqlite', path, canary_tables: ['orders'], allow_terminate: [process.execPath], ...more } });
const context = (params: object = {}) => bench.context(databaseLocked, 'shop', 'database_locked', { ...quick, ...params });
beforeAll(async () => { bench = await openPlaybookBench({}); });
afterAll(() => bench.close());
beforeEach(async () => {
  folder = mkdtempSync(join(bench.home, 'sqlite-'));
  path = join(folder, 'shop.db');
  await declare();
});
afterEach(async () => {
  await endOwners();
  rmSync(folder, { recursive: true, force: true });
});

test.each(['DELETE', 'WAL'] as const)('a listed holder of the write lock is waited for, ended, and a write begins again (%s)', async (journal) => {
  makeShop(path, 200, journal);
  const reader = await startOwner(path, 'open');
  withDatabase(path, (db) => addOrders(db, 1_000, 1_099));
  const holder = await startOwner(path, 'write');
  const running = await context();
  const planned = await bench.plan(databaseLocked, running) as Planned;
  expect(planned.steps).toMatchObject([
    { id: 'wait', run: 'while_symptom', on_failure: 'next' },
    {
      action: 'sqlite.terminate_holder', run: 'while_symptom', data_loss: 0,
      with: { path, pid: holder.pid, started: holder.started, executable: process.execPath }, effect: expect.stringContaining(`(pid ${holder.pid})`) as string,
    },
    ...(journal === 'WAL' ? [{ id: 'checkpoint' }] : []),
  ]);
  expect(await bench.execute(databaseLocked, running, planned)).toContain(`terminate_${holder.pid}`);
  expect([isAlive(holder.pid), isAlive(reader.pid)]).toEqual([false, true]);
  expect(await bench.verify(databaseLocked, running, planned.facts)).toMatchObject(healed);
  expect(await bench.plan(databaseLocked, running)).toMatchObject({ decline: 'healthy' });
  expect(countOrders(path)).toBe(300);
});

test('who lets go when asked is not ended, and need not be listed', async () => {
  makeShop(path, 50, 'WAL');
  await declare({ allow_terminate: [] });
  await startOwner(path, 'open');
  withDatabase(path, (db) => addOrders(db, 1_000, 1_099));
  const holder = await startOwner(path, 'write', { manner: 'release' });
  const running = await context({ sqlite_ask_signal: 'SIGUSR2' });
  const planned = await bench.plan(databaseLocked, running) as Planned;
  expect(planned.steps.map(({ id }) => id)).toEqual(['wait', `ask_${holder.pid}`, 'checkpoint']);
  expect(await bench.execute(databaseLocked, running, planned)).toEqual([`ask_${holder.pid}`, 'checkpoint']);
  expect(isAlive(holder.pid)).toBe(true);
  expect(await bench.verify(databaseLocked, running, planned.facts)).toMatchObject(healed);
});

test('a reader that waits for nothing and keeps writers from committing is the one who is named', async () => {
  makeShop(path, 50);
  const reader = await startOwner(path, 'read');
  // The lock that a writer has while it waits for readers to end, without the end of its patience.
  await startOwner(path, 'commit');
  const planned = await bench.plan(databaseLocked, await context()) as Planned;
  expect(planned.steps.map(({ id }) => id)).toEqual(['wait', `terminate_${reader.pid}`]);
});

test('a reader that pins a large WAL is ended if listed, and the WAL emptied, not deleted', async () => {
  makeShop(path, 50, 'WAL');
  const reader = await startOwner(path, 'read');
  await startOwner(path, 'open');
  withDatabase(path, (db) => addOrders(db, 1_000, 4_000));
  const running = await context({ sqlite_wal_limit_bytes: 10_000 });
  const planned = await bench.plan(databaseLocked, running) as Planned;
  expect(planned.steps.map(({ id }) => id)).toEqual(['wait', `terminate_${reader.pid}`, 'checkpoint']);
  await bench.execute(databaseLocked, running, planned);
  expect(await bench.verify(databaseLocked, running, planned.facts)).toMatchObject(healed);
  expect(existsSync(`${path}-wal`)).toBe(true);
  expect(statSync(`${path}-wal`).size).toBe(0);
  expect(countOrders(path)).toBe(3_051);
});

test('a holder that is not listed is named and left alone', async () => {
  makeShop(path, 50);
  await declare({ allow_terminate: ['/usr/bin/other'] });
  const holder = await startOwner(path, 'write');
  expect(await bench.plan(databaseLocked, await context())).toMatchObject({
    decline: 'refused', code: 'HOLDER_NOT_ALLOWED', reason: expect.stringContaining(`${process.execPath} (pid ${holder.pid})`) as string,
  });
  expect(isAlive(holder.pid)).toBe(true);
});

test('a holder that does not say what it is is left alone', async () => {
  makeShop(path, 50);
  const holder = await startOwner(path, 'write', { argv0: '' });
  expect(await bench.plan(databaseLocked, await context())).toMatchObject({ decline: 'refused', code: 'LOCK_HOLDER_UNKNOWN' });
  expect(isAlive(holder.pid)).toBe(true);
});

test('a snapshot that grew old is a matter of code, whatever is locked meanwhile', async () => {
  makeShop(path, 50, 'WAL');
  await startOwner(path, 'write');
  const running = await context();
  running.request.details = { error: 'SqliteError: SQLITE_BUSY_SNAPSHOT: database is locked' };
  expect(await bench.plan(databaseLocked, running)).toMatchObject({ decline: 'mission', code: 'BUSY_SNAPSHOT' });
});

test('what is not locked is left alone, and what is broken is another playbook\'s', async () => {
  expect(await bench.plan(databaseLocked, await context())).toMatchObject({ decline: 'not_applicable', code: 'NOT_A_LOCK' });
  makeShop(path, 50);
  expect(await bench.plan(databaseLocked, await context())).toMatchObject({ decline: 'healthy' });
});

test('ending a holder does not make up for rows that vanished', async () => {
  makeShop(path, 50);
  await startOwner(path, 'write');
  const running = await context();
  const planned = await bench.plan(databaseLocked, running) as Planned;
  await bench.execute(databaseLocked, running, planned);
  withDatabase(path, (db) => db.exec('DELETE FROM orders WHERE id = 50'));
  expect(await bench.verify(databaseLocked, running, planned.facts)).toMatchObject({
    symptom: { ok: true }, must_not_regress: { ok: false, found: expect.stringContaining('orders has 49 rows, 50 before') as string },
  });
});

test('while it is still locked, no check is passed', async () => {
  makeShop(path, 50);
  await startOwner(path, 'write');
  const running = await context();
  const { facts } = await bench.plan(databaseLocked, running) as Planned;
  expect(await bench.verify(databaseLocked, running, facts)).toMatchObject({ symptom: { ok: false }, independent: { ok: false } });
});
