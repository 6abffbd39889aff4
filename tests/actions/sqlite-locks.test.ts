import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { DatabaseSync } from '@photostructure/sqlite';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { projectRoot } from '../../src/project.ts';
import { isAlive } from '../support/processes.ts';
import { openPlaybookBench, type PlaybookBench } from '../support/playbook-bench.ts';
import { addOrders, besideOf, endOwners, makeShop, owned, ownerScript, startOwner, withDatabase } from '../support/sqlite.ts';

let bench: PlaybookBench;
let folder: string;
let path: string;
const declared = (allow_terminate = [process.execPath]) => bench.configure({ shop: { kind: 'sqlite', path, allow_terminate } });
beforeAll(async () => { bench = await openPlaybookBench({}); });
afterAll(() => bench.close());
beforeEach(async () => {
  folder = mkdtempSync(join(bench.home, 'sqlite-'));
  path = join(folder, 'shop.db');
  await declared();
});
afterEach(async () => {
  await endOwners();
  rmSync(folder, { recursive: true, force: true });
});

const wal = (rows = 50) => makeShop(path, rows, 'WAL');
const probe = (name: string, input = {}) => bench.probe('shop', name, input);
/** As if the worker had died before it noted the result. */
const forgetResult = (key: string) => bench.db.database.query('DELETE FROM effects WHERE key = $1', [`${key}:result`]);
/** As if it had died between the note and the effect. */
const diedBefore = (key: string) => bench.db.database.query("INSERT INTO effects (key, result) VALUES ($1, '{\"before\": null}')", [`${key}:before`]);

test('the writer and the reader of a WAL are named with their programs, and secrets of a command line are not', async () => {
  wal();
  const writer = await startOwner(path, 'write', { manner: '--password=hush' });
  const reader = await startOwner(path, 'read');
  const found = await probe('sqlite.locks') as { blockers: { argv: string[] }[]; pins: unknown };
  expect(found).toMatchObject({
    known: true, blockers: [{ pid: writer.pid, started: writer.started, executable: process.execPath }], pins: expect.arrayContaining([expect.objectContaining({ pid: reader.pid })]) as unknown,
  });
  expect(found.blockers[0]!.argv).toEqual([process.execPath, ownerScript, path, 'write', '--password=***']);
});

test.each(['DELETE', 'WAL'] as const)('a write is tried for real (%s)', async (journal) => {
  makeShop(path, 50, journal);
  expect(await probe('sqlite.write_check')).toMatchObject({ ok: true, error: null });
  const writer = await startOwner(path, 'write');
  expect(await probe('sqlite.write_check', { busy_timeout_ms: 50 })).toMatchObject({ ok: false, error: 'SQLITE_BUSY' });
  expect(await probe('sqlite.locks')).toMatchObject({ blockers: [{ pid: writer.pid }] });
  writeFileSync(path, 'this is no database, whatever its name says');
  expect(await probe('sqlite.write_check')).toMatchObject({ ok: false, error: 'SQLITE_NOTADB' });
  rmSync(path);
  expect(await probe('sqlite.write_check')).toMatchObject({ ok: false, error: 'SQLITE_CANTOPEN' });
});

test('looking neither empties a WAL that a died writer left, nor drops a lock that this process holds', async () => {
  wal();
  spawnSync(process.execPath, ['--input-type=module', '-e', `
    import { DatabaseSync } from '@photostructure/sqlite';
    new DatabaseSync(${JSON.stringify(path)}).exec("INSERT INTO customers VALUES (9, 'left in the WAL')");
    process.kill(process.pid, 'SIGKILL');`], { cwd: join(import.meta.dirname, '..') });
  const before = statSync(`${path}-wal`).size;
  expect(before).toBeGreaterThan(0);
  await probe('sqlite.write_check');
  expect(await probe('sqlite.integrity')).toMatchObject({ class: 'ok', tables: expect.arrayContaining([expect.objectContaining({ name: 'customers', rows: 3 })]) as unknown });
  expect(statSync(`${path}-wal`).size).toBe(before);

  const ours = new DatabaseSync(path);
  ours.exec('BEGIN IMMEDIATE');
  for (const name of ['sqlite.locks', 'sqlite.integrity', 'sqlite.files', 'sqlite.wal']) await probe(name);
  await bench.act('shop', 'sqlite.copy_evidence', { path, identity: (await probe('sqlite.files') as { identity: { device: string; inode: string } }).identity });
  expect(await probe('sqlite.write_check', { busy_timeout_ms: 0 })).toMatchObject({ ok: false, error: 'SQLITE_BUSY' });
  ours.exec('ROLLBACK');
  ours.close();
});

test('a holder is ended once: the same key, and a try after a death, end nobody else', async () => {
  wal();
  const writer = await startOwner(path, 'write');
  const bystander = await startOwner(path, 'open');
  const input = { ...owned(writer, path), deadline_seconds: 20 };
  expect(await bench.act('shop', 'sqlite.terminate_holder', input, 'end')).toEqual({ terminated: true, by: 'SIGTERM' });
  await writer.ended;
  await forgetResult('end');
  expect(await bench.act('shop', 'sqlite.terminate_holder', input, 'end')).toEqual({ terminated: true, by: 'an earlier try' });
  expect(isAlive(bystander.pid)).toBe(true);
  expect(await probe('sqlite.write_check')).toMatchObject({ ok: true });
});

test('killed between the note and the effect: the second try ends the holder, with SIGKILL if it must', async () => {
  wal();
  const writer = await startOwner(path, 'write', { manner: 'stubborn' });
  await diedBefore('died');
  expect(await bench.act('shop', 'sqlite.terminate_holder', { ...owned(writer, path), deadline_seconds: 0.2 }, 'died')).toEqual({ terminated: true, by: 'SIGKILL' });
  await writer.ended;
});

test('nobody is ended who is not listed, not the process that was planned, or no longer in the way', async () => {
  wal();
  const writer = await startOwner(path, 'write');
  const idle = await startOwner(path, 'open');
  const end = (more: object) => bench.act('shop', 'sqlite.terminate_holder', { ...owned(writer, path), deadline_seconds: 1, ...more });
  await expect(end({ started: '1' })).rejects.toMatchObject({ type: 'PLAN_DRIFT' });
  await expect(end({ pid: idle.pid, started: idle.started })).rejects.toMatchObject({ type: 'PLAN_DRIFT' });
  await expect(end({ pid: process.pid })).rejects.toMatchObject({ type: 'HOLDER_NOT_ALLOWED' });
  await expect(end({ path: join(folder, 'other.db') })).rejects.toMatchObject({ type: 'PLAN_DRIFT' });
  await expect(end({ pid: 1 })).rejects.toMatchObject({ type: 'STEP_INVALID' });
  await expect(end({ executable: '/usr/bin/other' })).rejects.toMatchObject({ type: 'HOLDER_NOT_ALLOWED' });
  await declared(['/usr/bin/other']);
  await expect(end({})).rejects.toMatchObject({ type: 'HOLDER_NOT_ALLOWED' });
  await expect(end({ executable: '/usr/bin/other' })).rejects.toMatchObject({ type: 'PLAN_DRIFT' });
  expect([isAlive(writer.pid), isAlive(idle.pid)]).toEqual([true, true]);
});

test('an owner is asked by a signal only where a handler waits for it', async () => {
  wal();
  const ask = (owner: Awaited<ReturnType<typeof startOwner>>, signal: string) =>
    bench.act('shop', 'sqlite.ask_owner', { ...owned(owner, path), signal, release_url: null, seconds: 20 });
  const deaf = await startOwner(path, 'write');
  await expect(ask(deaf, 'SIGUSR2')).rejects.toMatchObject({ type: 'SIGNAL_NOT_HANDLED' });
  expect(isAlive(deaf.pid)).toBe(true);
  await endOwners();
  const kind = await startOwner(path, 'write', { manner: 'release' });
  expect(await ask(kind, 'SIGUSR2')).toEqual({ released: true });
  expect(isAlive(kind.pid)).toBe(true);
});

test('an owner is asked by its address, within the egress rules', async () => {
  wal();
  const writer = await startOwner(path, 'write', { manner: 'release' });
  const bodies: string[] = [];
  const server = createServer((request, response) => {
    request.setEncoding('utf8').on('data', (text: string) => bodies.push(text)).on('end', () => {
      writer.process.kill('SIGUSR2');
      response.end('{}');
    });
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const { port } = server.address() as AddressInfo;
  const input = { ...owned(writer, path), signal: null, release_url: `http://127.0.0.1:${port}/release`, seconds: 20 };
  const policy = readFileSync(join(projectRoot, 'config', 'policy.yaml'), 'utf8');
  const allow = (...addresses: string[]) =>
    writeFileSync(join(bench.deps.config.configFolder, 'policy.yaml'), policy.replace('allow: []', `allow: ${JSON.stringify(addresses)}`));
  allow();
  await expect(bench.act('shop', 'sqlite.ask_owner', input)).rejects.toMatchObject({ type: 'ASK_FAILED', message: expect.stringContaining('URL_FORBIDDEN') as string });
  expect(bodies).toEqual([]);
  allow(`127.0.0.1:${port}`);
  expect(await bench.act('shop', 'sqlite.ask_owner', input)).toEqual({ released: true });
  expect(JSON.parse(bodies.join(''))).toEqual({ path, pid: writer.pid });
  server.close();
});

test('a checkpoint that a reader holds up is no success, however it ends; the WAL stays', async () => {
  wal();
  const reader = await startOwner(path, 'read');
  withDatabase(path, (db) => addOrders(db, 1_000, 1_500));
  await expect(bench.act('shop', 'sqlite.checkpoint', { path, busy_timeout_ms: 50 })).rejects.toMatchObject({ type: 'CHECKPOINT_BUSY' });
  expect(statSync(`${path}-wal`).size).toBeGreaterThan(0);
  expect(await probe('sqlite.locks')).toMatchObject({ blockers: [], pins: [{ pid: reader.pid }] });
  // Somebody has it open, so that the WAL is emptied rather than removed by SQLite itself.
  await startOwner(path, 'open');
  reader.process.kill('SIGKILL');
  await reader.ended;
  expect(await bench.act('shop', 'sqlite.checkpoint', { path }, 'cp')).toMatchObject({ busy: false });
  expect(statSync(`${path}-wal`).size).toBe(0);
  await forgetResult('cp');
  expect(await bench.act('shop', 'sqlite.checkpoint', { path }, 'cp')).toMatchObject({ busy: false });
  expect(besideOf(path)).toEqual(['shop.db-shm', 'shop.db-wal']);
});

test('waiting ends when the holder lets go, and says so when it does not', async () => {
  wal();
  const writer = await startOwner(path, 'write', { manner: 'release' });
  const holders = [{ pid: writer.pid, started: writer.started }];
  await expect(bench.act('shop', 'sqlite.wait_for_lock', { path, holders, seconds: 0.2 })).rejects.toMatchObject({ type: 'STILL_LOCKED' });
  const waiting = bench.act('shop', 'sqlite.wait_for_lock', { path, holders, seconds: 30 });
  writer.process.kill('SIGUSR2');
  expect(await waiting).toEqual({ freed: true });
});
