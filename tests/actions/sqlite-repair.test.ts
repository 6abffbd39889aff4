import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, statSync, symlinkSync, chmodSync, watch } from 'node:fs';
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import type { Integrity } from '../../src/domain/sqlite.ts';
import { running } from '../support/processes.ts';
import { openPlaybookBench, type PlaybookBench } from '../support/playbook-bench.ts';
import {
  addOrders, backup, besideOf, breakPage, countOrders, endOwners, identityOfPath, inodeOf, makeIndexLie, makeShop, startOwner, withDatabase,
} from '../support/sqlite.ts';

let bench: PlaybookBench;
let folder: string;
let path: string;
let backups: string;
beforeAll(async () => { bench = await openPlaybookBench({}); });
afterAll(() => bench.close());
beforeEach(async () => {
  folder = mkdtempSync(join(bench.home, 'sqlite-'));
  path = join(folder, 'shop.db');
  backups = join(folder, 'backups');
  mkdirSync(backups);
  await bench.configure({ shop: { kind: 'sqlite', path, backups } });
});
afterEach(async () => {
  await endOwners();
  rmSync(folder, { recursive: true, force: true });
});

const hash = (file: string): string => createHash('sha256').update(readFileSync(file)).digest('hex');
const integrity = () => bench.probe('shop', 'sqlite.integrity') as Promise<Integrity & Record<string, never>>;
const diedBefore = (key: string) => bench.db.database.query("INSERT INTO effects (key, result) VALUES ($1, '{\"before\": null}')", [`${key}:before`]);
const forgetResult = (key: string) => bench.db.database.query('DELETE FROM effects WHERE key = $1', [`${key}:result`]);
const replacement = () => ({ path, identity: identityOfPath(path), side: `${path}.side`, quarantine: `${path}.old` });

/** A writer that died with its last rows in the WAL, which nobody has moved into the database since. */
function leaveInWal(): void {
  spawnSync(process.execPath, ['--input-type=module', '-e', `
    import { DatabaseSync } from '@photostructure/sqlite';
    const db = new DatabaseSync(${JSON.stringify(path)});
    db.exec("PRAGMA wal_autocheckpoint = 0; INSERT INTO orders VALUES (90001, 1, 270003, 'only in the WAL')");
    process.kill(process.pid, 'SIGKILL');`], { cwd: join(import.meta.dirname, '..') });
}

test.each<[string, () => void, string]>([
  ['sound', () => undefined, 'ok'],
  ['an index that lies', () => makeIndexLie(path, (db) => addOrders(db, 5_001, 5_010)), 'index_only'],
  ['a page of an index', () => breakPage(path, 'orders_note'), 'tables_readable'],
  ['a page of a table', () => breakPage(path, 'orders'), 'damaged'],
  ['the header', () => breakPage(path, 'header'), 'damaged'],
])('is classified by what is read: %s', async (_name, damage, expected) => {
  makeShop(path);
  damage();
  expect((await integrity()).class).toBe(expected);
  expect(besideOf(path)).toEqual([]);
});

test('rows and references are counted from the tables; what an index still knows is told', async () => {
  makeShop(path, 500);
  makeIndexLie(path, (db) => db.exec('DELETE FROM orders WHERE id > 490'));
  withDatabase(path, (db) => db.exec('PRAGMA foreign_keys = OFF; DELETE FROM customers WHERE id = 2'));
  expect(await integrity()).toMatchObject({
    class: 'index_only', wrong_indexes: ['orders_note'], foreign_key_violations: 245,
    tables: [{ name: 'customers', rows: 1 }, { name: 'orders', rows: 490, entries: 500 }],
  });
});

test('what only its application can check is not damage', async () => {
  makeShop(path, 50);
  withDatabase(path, (db) => db.exec('PRAGMA foreign_keys = OFF; CREATE TABLE parent (a); CREATE TABLE child (a REFERENCES parent(a)); INSERT INTO child VALUES (1)'));
  expect(await integrity()).toMatchObject({ class: 'ok', foreign_key_violations: null });
  withDatabase(path, (db) => db.exec(`PRAGMA writable_schema = ON; UPDATE sqlite_schema SET sql = 'CREATE INDEX orders_note ON orders (note COLLATE ours)' WHERE name = 'orders_note'`));
  await expect(integrity()).rejects.toMatchObject({ type: 'SQLITE_ERROR', message: expect.stringContaining('ours') as string });
});

test('a file that a died writer left in the middle of a write is checked as a copy, and not touched', async () => {
  makeShop(path, 3_000);
  spawnSync(process.execPath, ['--input-type=module', '-e', `
    import { DatabaseSync } from '@photostructure/sqlite';
    new DatabaseSync(${JSON.stringify(path)}).exec("PRAGMA cache_size = 2; BEGIN IMMEDIATE; UPDATE orders SET note = note || note");
    process.kill(process.pid, 'SIGKILL');`], { cwd: join(import.meta.dirname, '..') });
  expect(besideOf(path)).toEqual(['shop.db-journal']);
  const before = hash(path);
  expect(await integrity()).toMatchObject({ class: 'ok', checked: 'copy' });
  expect(hash(path)).toBe(before);
  expect(besideOf(path)).toEqual(['shop.db-journal']);
});

test('evidence is every byte of database, WAL and journal', async () => {
  makeShop(path, 50, 'WAL');
  leaveInWal();
  const [database, wal] = [hash(path), hash(`${path}-wal`)];
  const { files } = await bench.act('shop', 'sqlite.copy_evidence', { path, identity: identityOfPath(path) }) as { files: { part: string; sha256: string }[] };
  expect(files).toMatchObject([{ part: 'database', sha256: database }, { part: 'wal', sha256: wal }, { part: 'shm' }]);
  for (const { sha256 } of files) expect(hash(bench.deps.artifacts.pathOf(sha256))).toBe(sha256);
  expect([hash(path), hash(`${path}-wal`)]).toEqual([database, wal]);
  expect(readdirSync(join(bench.home, 'scratch')).filter((name) => name.startsWith('sqlite-'))).toEqual([]);
});

test('a rebuild has every row, the WAL\'s too, the owner\'s rights, and leaves the old files beside', async () => {
  makeShop(path, 2_000, 'WAL');
  breakPage(path, 'orders_note');
  leaveInWal();
  chmodSync(path, 0o640);
  const input = replacement();
  const old = hash(path);
  expect(await bench.act('shop', 'sqlite.rebuild', input, 'rebuild')).toEqual({ quarantine: input.quarantine, rows: { customers: 2, orders: 2_001 } });
  expect(countOrders(path)).toBe(2_001);
  expect(hash(input.quarantine)).toBe(old);
  expect(existsSync(`${input.quarantine}-wal`)).toBe(true);
  expect(statSync(path).mode & 0o777).toBe(0o640);
  const inode = inodeOf(path);
  await forgetResult('rebuild');
  expect(await bench.act('shop', 'sqlite.rebuild', input, 'rebuild')).toMatchObject({ rows: { orders: 2_001 } });
  expect(inodeOf(path)).toBe(inode);
});

test.each<[string, (input: ReturnType<typeof replacement>) => void]>([
  ['the WAL is set aside and the database is not', (input) => renameSync(`${path}-wal`, `${input.quarantine}-wal`)],
  ['everything is set aside and nothing is in its place', (input) => {
    for (const suffix of ['-wal', '-shm', '']) renameSync(`${path}${suffix}`, `${input.quarantine}${suffix}`);
  }],
])('killed while files change names (%s): the second try goes on with the finished file', async (_name, halfway) => {
  makeShop(path, 2_000, 'WAL');
  breakPage(path, 'orders_note');
  leaveInWal();
  const input = replacement();
  // What the first try had finished, made by a run of the same on the same file.
  await bench.act('shop', 'sqlite.rebuild', input);
  renameSync(path, input.side);
  for (const suffix of ['', '-wal']) renameSync(`${input.quarantine}${suffix}`, `${path}${suffix}`);
  rmSync(`${path}-shm`, { force: true });
  if (existsSync(`${input.quarantine}-shm`)) renameSync(`${input.quarantine}-shm`, `${path}-shm`);
  halfway(input);
  await diedBefore(`half:${_name}`);
  expect(await bench.act('shop', 'sqlite.rebuild', input, `half:${_name}`)).toMatchObject({ rows: { orders: 2_001 } });
  expect(countOrders(path)).toBe(2_001);
  expect(existsSync(`${input.quarantine}-wal`)).toBe(true);
  expect(existsSync(input.side)).toBe(false);
});

test('a rebuild keeps what a database can hold beside plain tables, and values of every type as they are', async () => {
  withDatabase(path, (db) => {
    db.exec(`PRAGMA user_version = 7; PRAGMA application_id = 42;
      CREATE TABLE counted (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT, loud TEXT GENERATED ALWAYS AS (upper(name)) STORED);
      INSERT INTO counted (name) VALUES ('a'), ('b'); DELETE FROM counted WHERE id = 2;
      CREATE TABLE "odd ""name'; --" (rowid TEXT, v); INSERT INTO "odd ""name'; --" VALUES ('text', x'00ff'), (NULL, 9223372036854775807), ('real', 1.5), ('bad text', CAST(x'ff' AS TEXT));
      CREATE TABLE keyed (k TEXT PRIMARY KEY, v) WITHOUT ROWID; INSERT INTO keyed VALUES ('k', 1);
      CREATE VIRTUAL TABLE words USING fts5(body); INSERT INTO words VALUES ('hello world');
      CREATE VIEW seen AS SELECT name FROM counted;
      CREATE TRIGGER copied AFTER INSERT ON counted BEGIN INSERT INTO keyed VALUES (new.id, new.name); END;`);
    db.exec("WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < 300) INSERT INTO keyed SELECT 'key ' || x, x FROM n");
  });
  const held = () => withDatabase(path, (db) => ['SELECT type, name, sql FROM sqlite_schema ORDER BY name', 'SELECT * FROM counted', 'SELECT * FROM seen', 'SELECT * FROM sqlite_sequence',
    'SELECT typeof(v), hex(v), rowid FROM "odd ""name\'; --"', 'SELECT count(*) AS n FROM keyed', "SELECT * FROM words WHERE words MATCH 'hello'", 'PRAGMA user_version', 'PRAGMA application_id']
    .map((sql) => db.prepare(sql).all()));
  const before = held();
  await bench.act('shop', 'sqlite.rebuild', replacement());
  expect(held()).toEqual(before);
});

test('killed -9 in the middle of a rebuild: the database is as it was, and the second try ends it', async () => {
  makeShop(path, 150_000);
  breakPage(path, 'orders_note');
  const input = replacement();
  const before = hash(path);
  const sideBegun = new Promise<void>((resolve) => {
    const watcher = watch(folder, (_, name) => {
      if (name !== 'shop.db.side' && name !== 'shop.db.side-journal') return;
      watcher.close();
      resolve();
    });
  });
  const first = expect(bench.act('shop', 'sqlite.rebuild', input, 'kill -9')).rejects.toThrow();
  await sideBegun;
  for (const pid of running('kill -9')) process.kill(pid, 'SIGKILL');
  await first;
  expect(hash(path)).toBe(before);
  expect(await bench.act('shop', 'sqlite.rebuild', input, 'kill -9')).toMatchObject({ rows: { orders: 150_000 } });
  expect(hash(input.quarantine)).toBe(before);
  expect(besideOf(path)).toEqual(['shop.db.old']);
});

test('killed while the side file is written: the second try begins it again', async () => {
  makeShop(path, 2_000);
  breakPage(path, 'orders_note');
  const input = replacement();
  makeShop(input.side, 3);
  await diedBefore('side');
  expect(await bench.act('shop', 'sqlite.rebuild', input, 'side')).toMatchObject({ rows: { orders: 2_000 } });
});

test('nothing is replaced while somebody has it open, nor another file than the planned one', async () => {
  makeShop(path, 2_000);
  breakPage(path, 'orders_note');
  const input = replacement();
  const { pid } = await startOwner(path, 'open');
  await expect(bench.act('shop', 'sqlite.rebuild', input)).rejects.toMatchObject({ type: 'DATABASE_IN_USE', message: expect.stringContaining(`pid ${pid}`) as string });
  await endOwners();
  await expect(bench.act('shop', 'sqlite.rebuild', { ...input, identity: { ...input.identity, inode: '1' } })).rejects.toMatchObject({ type: 'PLAN_DRIFT' });
  await expect(bench.act('shop', 'sqlite.reindex', { path, identity: { ...input.identity, inode: '1' }, indexes: ['orders_note'] })).rejects.toMatchObject({ type: 'PLAN_DRIFT' });
  expect(inodeOf(path)).toBe(Number(input.identity.inode));
});

test('a table that cannot be read is not rebuilt: nothing changes its name, nothing is left behind', async () => {
  makeShop(path);
  breakPage(path, 'orders');
  await expect(bench.act('shop', 'sqlite.rebuild', replacement())).rejects.toMatchObject({ type: 'SQLITE_CORRUPT' });
  expect(besideOf(path)).toEqual([]);
});

test('REINDEX makes the named index agree with its table again', async () => {
  makeShop(path);
  makeIndexLie(path, (db) => addOrders(db, 5_001, 5_010));
  const input = { path, identity: identityOfPath(path), indexes: ['orders_note'] };
  expect(await bench.act('shop', 'sqlite.reindex', input, 'reindex')).toEqual({ rows: { customers: 2, orders: 3_010 } });
  await forgetResult('reindex');
  expect(await bench.act('shop', 'sqlite.reindex', input, 'reindex')).toEqual({ rows: { customers: 2, orders: 3_010 } });
  await expect(bench.act('shop', 'sqlite.reindex', { ...input, indexes: ['no such'] })).rejects.toMatchObject({ type: 'SQLITE_ERROR' });
});

test('a restore takes the backup that was planned with, and can be taken back', async () => {
  makeShop(path);
  const good = join(backups, 'monday.db');
  backup(path, good, new Date('2026-01-01'));
  breakPage(path, 'header');
  const broken = hash(path);
  const input = { ...replacement(), backup: good, sha256: hash(good), rows: { customers: 2, orders: 3_000 } };
  await expect(bench.act('shop', 'sqlite.restore', { ...input, sha256: '0'.repeat(64) })).rejects.toMatchObject({ type: 'BACKUP_CHANGED' });
  await expect(bench.act('shop', 'sqlite.restore', { ...input, rows: { customers: 2, orders: 3_001 } })).rejects.toMatchObject({ type: 'PLAN_DRIFT' });
  expect(hash(path)).toBe(broken);
  expect(besideOf(path)).toEqual([]);
  const restored = await bench.act('shop', 'sqlite.restore', input, 'restore');
  expect(restored).toEqual({ quarantine: input.quarantine, rows: { customers: 2, orders: 3_000 } });
  await forgetResult('restore');
  expect(await bench.act('shop', 'sqlite.restore', input, 'restore')).toEqual(restored);
  expect([hash(input.quarantine), hash(good)]).toEqual([broken, input.sha256]);

  const back = { path, identity: input.identity, quarantine: input.quarantine, withdrawn: `${path}.withdrawn` };
  await bench.act('shop', 'sqlite.put_back', back, 'back');
  expect(hash(path)).toBe(broken);
  expect(countOrders(back.withdrawn)).toBe(3_000);
  await forgetResult('back');
  await bench.act('shop', 'sqlite.put_back', back, 'back');
  expect(hash(path)).toBe(broken);
});

test('killed while a replacement is taken back: the old file comes back with the WAL that is its own', async () => {
  makeShop(path, 2_000, 'WAL');
  breakPage(path, 'orders_note');
  leaveInWal();
  const input = replacement();
  await bench.act('shop', 'sqlite.rebuild', input);
  const [database, wal] = [hash(input.quarantine), hash(`${input.quarantine}-wal`)];
  const back = { path, identity: input.identity, quarantine: input.quarantine, withdrawn: `${path}.withdrawn` };
  // The new file was withdrawn and the old WAL brought back; then the worker died.
  for (const suffix of ['-wal', '-shm', '']) if (existsSync(`${path}${suffix}`)) renameSync(`${path}${suffix}`, `${back.withdrawn}${suffix}`);
  renameSync(`${input.quarantine}-wal`, `${path}-wal`);
  await diedBefore('half back');
  expect(await bench.act('shop', 'sqlite.put_back', back, 'half back')).toEqual({ put_back: true });
  expect([hash(path), hash(`${path}-wal`)]).toEqual([database, wal]);
  expect(countOrders(back.withdrawn)).toBe(2_001);
});

test('a backup that is damaged never takes a place, whatever the plan says', async () => {
  makeShop(path);
  const bad = join(backups, 'bad.db');
  backup(path, bad, new Date());
  breakPage(bad, 'orders');
  await expect(bench.act('shop', 'sqlite.restore', { ...replacement(), backup: bad, sha256: hash(bad), rows: {} })).rejects.toMatchObject({ type: 'BACKUP_DAMAGED' });
  expect(countOrders(path)).toBe(3_000);
});

test('backups are looked at without a trace, their WAL with them', async () => {
  makeShop(path, 100, 'WAL');
  leaveInWal();
  for (const suffix of ['', '-wal']) backup(`${path}${suffix}`, join(backups, `whole.db${suffix}`), new Date('2026-01-03'));
  backup(path, join(backups, 'without-wal.db'), new Date('2026-01-02'));
  backup(join(import.meta.dirname, 'sqlite-repair.test.ts'), join(backups, 'no-database.txt'), new Date('2026-01-01'));
  mkdirSync(join(backups, 'a folder.db'));
  symlinkSync('/etc/passwd', join(backups, 'elsewhere.db'));
  const before = readdirSync(backups).sort();
  expect(await bench.probe('shop', 'sqlite.backups')).toMatchObject({ backups: [
    { path: join(backups, 'whole.db'), class: 'ok', rows: { customers: 2, orders: 101 }, modified_at: '2026-01-03T00:00:00.000Z' },
    { path: join(backups, 'without-wal.db'), class: 'ok', rows: { orders: 100 } },
    { path: join(backups, 'no-database.txt'), class: 'damaged', error: expect.stringContaining('not a database') as string },
  ] });
  expect(readdirSync(backups).sort()).toEqual(before);
  rmSync(backups, { recursive: true });
  expect(await bench.probe('shop', 'sqlite.backups')).toEqual({ folder: backups, backups: [] });
});

test('salvage brings back every row but those of the broken page, and touches nothing', async () => {
  makeShop(path);
  breakPage(path, 'orders');
  const before = hash(path);
  const input = { path, identity: identityOfPath(path), side: `${path}.salvaged` };
  const { tables } = await bench.act('shop', 'sqlite.salvage', input) as { tables: { name: string; rows: number; unreadable: [string, string][]; incomplete: boolean }[] };
  const [customers, orders] = tables;
  expect(customers).toEqual({ name: 'customers', rows: 2, unreadable: [], incomplete: false });
  const [[from, to]] = orders!.unreadable as [[string, string]];
  expect(orders).toEqual({ name: 'orders', rows: 3_000 - (Number(to) - Number(from) + 1), unreadable: [[from, to]], incomplete: false });
  expect(countOrders(input.side)).toBe(orders!.rows);
  expect(orders!.rows).toBeGreaterThan(2_700);
  expect(statSync(input.side).mode & 0o777).toBe(0o600);
  expect(hash(path)).toBe(before);
});
