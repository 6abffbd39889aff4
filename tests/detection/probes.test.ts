/** Each kind of probe at the real thing: well, failing, and what it cannot measure. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { createServer, type RequestListener, type Server } from 'node:http';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { DatabaseSync } from '@photostructure/sqlite';
import { runProbe } from '../../src/activities/watching/probes.ts';
import { freePort } from '../../src/cli/launcher/ports.ts';
import { subsystemsSchema } from '../../src/domain/schema/subsystem.ts';
import type { Subsystem } from '../../src/domain/subsystem.ts';
import { openWatchBench, type WatchBench } from '../support/watch-bench.ts';

let bench: WatchBench;
let server: Server;
let port: number;
let dead: number;
let answer: RequestListener;
beforeAll(async () => {
  bench = await openWatchBench();
  server = createServer((request, response) => answer(request, response));
  await new Promise<void>((resolve) => { server.listen(0, '127.0.0.1', resolve); });
  port = (server.address() as { port: number }).port;
  dead = await freePort(0);
});
beforeEach(() => { answer = (_request, response) => response.end('well'); });
afterAll(async () => {
  server.closeAllConnections();
  server.close();
  await bench.close();
});

/** One probe as it stands in the file, run. */
async function look(probe: Record<string, unknown>, resources: Record<string, unknown> = {}, allow = [`127.0.0.1:${port}`, `127.0.0.1:${dead}`]) {
  const { subsystems } = subsystemsSchema.parse({ subsystems: { shop: { name: 'The shop', probes: [{ id: 'p', ...probe }], resources } } });
  const subsystem: Subsystem = { subsystem_id: 'shop', ...subsystems['shop']! };
  return runProbe(subsystem.probes[0]!, subsystem, bench.deps, { allow });
}

describe('http', () => {
  const http = (more: object = {}) => ({ kind: 'http', url: `http://127.0.0.1:${port}/`, ...more });
  test('answers as expected, not as expected, late', async () => {
    expect(await look(http())).toMatchObject({ state: 'healthy', reason: null });
    answer = (_q, response) => { response.statusCode = 503; response.end(); };
    expect(await look(http())).toMatchObject({ state: 'unhealthy', reason: 'answered 503, not 200' });
    expect(await look(http({ expect_status: 503 }))).toMatchObject({ state: 'healthy' });
    answer = (_q, response) => { setTimeout(() => response.end(), 100); };
    expect(await look(http({ degraded_ms: 20 }))).toMatchObject({ state: 'degraded' });
    answer = () => undefined;
    expect(await look(http({ timeout_seconds: 0.2 }))).toMatchObject({ state: 'unhealthy', reason: 'no answer within 0.2 s' });
  });
  test('nobody there fails; an address that may not be asked was not measured', async () => {
    expect(await look(http({ url: `http://127.0.0.1:${dead}/` }))).toMatchObject({ state: 'unhealthy' });
    let asked = false;
    answer = (_q, response) => { asked = true; response.end(); };
    expect(await look(http(), {}, [])).toMatchObject({ state: 'unknown', reason: expect.stringContaining('URL_FORBIDDEN') as string });
    expect(asked).toBe(false);
  });
});

test('tcp', async () => {
  const tcp = (to: number) => ({ kind: 'tcp', host: '127.0.0.1', port: to });
  expect(await look(tcp(port))).toMatchObject({ state: 'healthy' });
  expect(await look(tcp(dead))).toMatchObject({ state: 'unhealthy', reason: expect.stringContaining('ECONNREFUSED') as string });
  expect(await look(tcp(port), {}, [])).toMatchObject({ state: 'unknown' });
});

test('postgres', async () => {
  process.env['TEST_WATCHED_DATABASE'] = bench.db.url;
  process.env['TEST_DEAD_DATABASE'] = `postgres://a:secret-word@127.0.0.1:${dead}/x`;
  expect(await look({ kind: 'postgres', url_env: 'TEST_WATCHED_DATABASE' })).toMatchObject({ state: 'healthy' });
  const failing = await look({ kind: 'postgres', url_env: 'TEST_DEAD_DATABASE' });
  expect(failing).toMatchObject({ state: 'unhealthy' });
  expect(failing.reason).not.toContain('secret-word');
  const stranger = Object.assign(new URL(bench.db.url), { username: 'secret-token', password: 'x' });
  process.env['TEST_DEAD_DATABASE'] = stranger.href;
  const refused = await look({ kind: 'postgres', url_env: 'TEST_DEAD_DATABASE' });
  expect(refused).toMatchObject({ state: 'unhealthy' });
  expect(refused.reason).not.toContain('secret-token');
  expect(await look({ kind: 'postgres', url_env: 'TEST_NOT_SET' })).toMatchObject({ state: 'unknown', reason: 'TEST_NOT_SET is not set on this worker' });
});

test('command', async () => {
  expect(await look({ kind: 'command', argv: ['true'] })).toMatchObject({ state: 'healthy' });
  expect(await look({ kind: 'command', argv: ['sh', '-c', 'exit 3'] })).toMatchObject({ state: 'unhealthy', reason: 'sh ended with exit code 3' });
  expect(await look({ kind: 'command', argv: ['sleep', '30'], timeout_seconds: 0.3 })).toMatchObject({ state: 'unhealthy', reason: 'sleep did not end within 0.3 s' });
  expect(await look({ kind: 'command', argv: ['there-is-no-such-command'] })).toMatchObject({ state: 'unknown' });
});

test('metric: not in the catalog, and without a sample', async () => {
  expect(await look({ kind: 'metric', metric_id: 'no.such' })).toMatchObject({ state: 'unknown', reason: 'no.such is not in the catalog' });
  await bench.configure('metrics_catalog.yaml', {
    metrics: { pushed: { comparator: '<', target: 1 }, free: { comparator: '<', target: 5, source: { kind: 'command', argv: ['echo', '7'] } } },
  });
  expect(await look({ kind: 'metric', metric_id: 'pushed' })).toMatchObject({ state: 'unknown', reason: 'pushed has no sample' });
  expect(await look({ kind: 'metric', metric_id: 'free' })).toMatchObject({ state: 'unhealthy', value: 7 });
});

test('process: every instance that should run does', async () => {
  const instance = (id: string, more: object = {}) => ({ id, pid_file: bench.file(`${id}.pid`), argv: ['sleep', '60'], cwd: bench.home, ...more });
  const service = { web: { kind: 'service', manager: { kind: 'process', instances: [instance('web1'), instance('web2'), instance('web3', { spare: true })] } } };
  const probe = { kind: 'process', resource: 'web' };
  const children = [1, 2].map((n) => {
    const child = spawn('sleep', ['60']);
    writeFileSync(bench.file(`web${n}.pid`), `${child.pid}\n`);
    return child;
  });
  expect(await look(probe, service)).toMatchObject({ state: 'healthy', value: 2 });
  children[1]!.kill('SIGKILL');
  await once(children[1]!, 'exit');
  expect(await look(probe, service)).toMatchObject({ state: 'unhealthy', reason: expect.stringMatching(/^web2 \(pid \d+\) does not run$/) as string, value: 1 });
  writeFileSync(bench.file('web2.pid'), 'soon\n');
  expect(await look(probe, service)).toMatchObject({ state: 'unhealthy', reason: 'web2 has a pid file without a pid' });
  await bench.unset('web2.pid');
  expect(await look(probe, service)).toMatchObject({ state: 'unhealthy', reason: 'web2 has no pid file' });
  children[0]!.kill('SIGKILL');
});

describe('sqlite', () => {
  const probe = { kind: 'sqlite', resource: 'orders', timeout_seconds: 3 };
  const resources = () => ({ orders: { kind: 'sqlite', path: bench.file('orders.db') } });
  let database: InstanceType<typeof DatabaseSync>;
  beforeAll(() => {
    database = new DatabaseSync(bench.file('orders.db'));
    database.exec('PRAGMA journal_mode = wal; CREATE TABLE orders (id INTEGER PRIMARY KEY, text TEXT)');
    database.exec("INSERT INTO orders (text) SELECT hex(randomblob(200)) FROM (WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 500) SELECT i FROM n)");
    database.exec('PRAGMA wal_checkpoint(TRUNCATE)');
  });

  test('what a dead application left in its WAL is still there afterwards: it may be evidence', async () => {
    const [left, copy] = [bench.file('left.db'), bench.file('copy.db')];
    const writer = new DatabaseSync(left);
    writer.exec("PRAGMA journal_mode = wal; CREATE TABLE orders (text TEXT); INSERT INTO orders VALUES ('kept')");
    for (const part of ['', '-wal']) copyFileSync(left + part, copy + part);
    writer.close();
    const { size } = statSync(`${copy}-wal`);
    expect(await look(probe, { orders: { kind: 'sqlite', path: copy } })).toMatchObject({ state: 'healthy' });
    expect(statSync(`${copy}-wal`).size).toBe(size);
  });

  test('a write can begin and it can be read; while somebody writes, it is locked', async () => {
    expect(await look(probe, resources())).toMatchObject({ state: 'healthy' });
    database.exec('BEGIN IMMEDIATE');
    expect(await look(probe, resources())).toMatchObject({ state: 'unhealthy', symptom: 'database_locked' });
    database.exec('ROLLBACK');
    expect(await look(probe, resources())).toMatchObject({ state: 'healthy' });
  });

  test('damaged pages, and what is no database', async () => {
    database.close();
    const bytes = readFileSync(bench.file('orders.db'));
    const damaged = Buffer.from(bytes);
    damaged.fill(0xff, 4_096 * 5, 4_096 * 9);
    writeFileSync(bench.file('orders.db'), damaged);
    expect(await look(probe, resources())).toMatchObject({ state: 'unhealthy', symptom: 'database_corruption' });
    writeFileSync(bench.file('orders.db'), 'not a database at all. '.repeat(1_000));
    expect(await look(probe, resources())).toMatchObject({ state: 'unhealthy', symptom: 'database_corruption' });
  });

  test('a file that is not there fails, and is not made', async () => {
    await bench.unset('orders.db');
    expect(await look(probe, resources())).toMatchObject({ state: 'unhealthy', symptom: null });
    expect(() => readFileSync(bench.file('orders.db'))).toThrow('ENOENT');
  });
});
