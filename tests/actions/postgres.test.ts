import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import type { CorruptionReport } from '../../src/activities/actions/postgres/corruption.ts';
import { openPlaybookBench, type PlaybookBench } from '../support/playbook-bench.ts';
import { openWatchedDatabase, type WatchedDatabase } from '../support/watched-database.ts';

let shop: WatchedDatabase;
let bench: PlaybookBench;
beforeAll(async () => { bench = await openPlaybookBench({}); });
afterAll(() => bench.close());
beforeEach(async () => {
  shop = await openWatchedDatabase();
  await bench.configure({ db: shop.resource({ analyze_tables: ['orders', 'odd."name'] }) });
  await shop.makeOrders(500);
});
afterEach(() => shop.close());

test('a database that answers says how fast, and that it takes writes; nothing is left in it', async () => {
  expect(await bench.probe('db', 'postgres.ping')).toMatchObject({ latency_ms: expect.any(Number) as number, version: expect.any(Number) as number });
  expect(await bench.probe('db', 'postgres.latency')).toMatchObject({ p50_ms: expect.any(Number) as number, p95_ms: expect.any(Number) as number });
  expect(await bench.probe('db', 'postgres.write_check')).toMatchObject({ writable: true, reason: null });
  expect(await shop.run("SELECT 1 FROM pg_class WHERE relname = 'mission_control_write_check'")).toEqual([]);
});

test('a role that may write nothing is found out', async () => {
  const role = `reader_${shop.urlVariable.slice(-12)}`;
  const url = process.env[shop.urlVariable]!;
  await shop.run(`CREATE ROLE ${role} LOGIN PASSWORD 'reader'`);
  await shop.run(`DO $$ BEGIN EXECUTE format('REVOKE TEMPORARY ON DATABASE %I FROM PUBLIC', current_database()); END $$`);
  process.env[shop.urlVariable] = Object.assign(new URL(url), { username: role, password: 'reader' }).href;
  try {
    expect(await bench.probe('db', 'postgres.write_check')).toMatchObject({ writable: false, reason: 'SQLSTATE 42501' });
  } finally {
    await shop.run(`DROP ROLE ${role}`);
  }
});

test.each([
  ['a password that is wrong', (url: URL) => Object.assign(url, { password: 'the-planted-secret' }).href],
  ['a host that is not there', (url: URL) => Object.assign(url, { port: '1', password: 'the-planted-secret' }).href],
  ['something that is no URL', () => 'postgres://the-planted-secret:x@[/'],
])('%s: an error that holds nothing of the connection string', async (_name, changed) => {
  process.env[shop.urlVariable] = changed(new URL(shop.url));
  const error = await bench.probe('db', 'postgres.ping').catch((error: unknown) => error as Error);
  expect(error).toBeInstanceOf(Error);
  expect(`${(error as Error).message}${(error as Error).stack}`).not.toContain('the-planted-secret');
});

test('no variable of that name: the declaration is at fault, and nobody tries again', async () => {
  delete process.env[shop.urlVariable];
  await expect(bench.probe('db', 'postgres.ping')).rejects.toMatchObject({ type: 'CONNECTION_NOT_CONFIGURED', nonRetryable: true });
});

test('what lies in the database cannot stand in for a built-in', async () => {
  // A table of the shop's that a search path of its own would find before the catalogue's view.
  await shop.run('CREATE TABLE pg_stat_user_tables (relid oid)');
  await shop.run(`DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET search_path = public, pg_catalog', current_database()); END $$`);
  expect(await bench.probe('db', 'postgres.table_stats')).toMatchObject({ tables: [{ table: 'orders', exists: true }, { exists: false }] });
});

test('statistics are gathered once per effect, and only of declared tables', async () => {
  const before = await bench.probe('db', 'postgres.table_stats') as { tables: { analyze_count: number }[] };
  const analyze = (table: string, key?: string) => bench.act('db', 'postgres.analyze', { table }, key);
  await analyze('orders', 'analyze');
  await bench.db.database.query("DELETE FROM effects WHERE key = 'analyze:result'");
  await analyze('orders', 'analyze');
  expect(await bench.probe('db', 'postgres.table_stats')).toMatchObject({ tables: [{
    table: 'orders', live_rows: 500, changed_since_analyze: 0, last_analyze: expect.stringContaining('Z') as string,
    analyze_count: before.tables[0]!.analyze_count + 1,
  }, {}] });
  await expect(analyze('payments')).rejects.toMatchObject({ type: 'TABLE_NOT_ALLOWED' });
  await expect(analyze('odd."name')).rejects.toMatchObject({ type: 'TABLE_UNKNOWN' });
});

test('a table whose name is hostile is only ever a name', async () => {
  await shop.run('CREATE SCHEMA odd; CREATE TABLE odd."""name" (id int); INSERT INTO odd."""name" VALUES (1)');
  expect(await bench.act('db', 'postgres.analyze', { table: 'odd."name' })).toMatchObject({ table: 'odd."name' });
});

const corruption = async (): Promise<CorruptionReport> => await bench.probe('db', 'postgres.corruption') as CorruptionReport;

/** The index holds what the function said when the rows were written; then it says something else. */
async function makeIndexLie(): Promise<void> {
  await shop.run('CREATE FUNCTION public.rounded(n int) RETURNS int IMMUTABLE LANGUAGE sql AS $$ SELECT n / 10 $$');
  await shop.run('CREATE INDEX orders_rounded ON orders (public.rounded(amount))');
  await shop.run('CREATE OR REPLACE FUNCTION public.rounded(n int) RETURNS int IMMUTABLE LANGUAGE sql AS $$ SELECT n / 7 $$');
}

test('without amcheck nothing is known, and it says what is missing', async () => {
  expect(await corruption()).toMatchObject({ state: 'unknown', reason: expect.stringContaining('CREATE EXTENSION amcheck') as string, data_checksums: true, checksum_failures: 0, examined: 0 });
});

test('a sound database is ok; one index that lies is found by name, and REINDEX heals it', async () => {
  await shop.run('CREATE EXTENSION amcheck');
  expect(await corruption()).toMatchObject({ state: 'ok', damaged: [], unchecked: [] });
  await makeIndexLie();
  expect(await corruption()).toMatchObject({ state: 'index_only', damaged: [{ kind: 'index', schema: 'public', name: 'orders_rounded', table: 'orders' }] });
  const index = { schema: 'public', name: 'orders_rounded' };
  expect(await bench.act('db', 'postgres.reindex', { index }, 'once')).toEqual(index);
  expect(await corruption()).toMatchObject({ state: 'ok', damaged: [] });

  const file = () => shop.run("SELECT pg_relation_filepath('orders_rounded'::regclass) AS path");
  const healed = await file();
  await bench.db.database.query("DELETE FROM effects WHERE key = 'once:result'");
  expect(await bench.act('db', 'postgres.reindex', { index }, 'once')).toEqual(index);
  expect(await file()).toEqual(healed);
});

test('killed between the note and the effect, with half an index left behind: the second try cleans up and makes it', async () => {
  await shop.run('CREATE EXTENSION amcheck');
  await makeIndexLie();
  const [now] = await shop.run<{ oid: number; file: number }>(
    "SELECT 'orders_rounded'::regclass::oid::int AS oid, pg_relation_filenode('orders_rounded')::int AS file");
  // What a broken-off REINDEX CONCURRENTLY leaves: an index of that name which is not valid. Another one was there before.
  await shop.run('CREATE INDEX orders_rounded_ccnew ON orders (amount)');
  await shop.run('CREATE INDEX orders_rounded_ccnew1 ON orders (amount)');
  await shop.run("UPDATE pg_index SET indisvalid = false WHERE indexrelid IN ('orders_rounded_ccnew'::regclass, 'orders_rounded_ccnew1'::regclass)");
  await bench.db.database.query("INSERT INTO effects (key, result) VALUES ('died:before', $1)",
    [JSON.stringify({ before: { ...now, leftovers: ['orders_rounded_ccnew'] } })]);
  await bench.act('db', 'postgres.reindex', { index: { schema: 'public', name: 'orders_rounded' } }, 'died');
  expect(await shop.run("SELECT relname FROM pg_class WHERE relname LIKE '%ccnew%'")).toEqual([{ relname: 'orders_rounded_ccnew' }]);
  expect(await bench.probe('db', 'postgres.index_state', { indexes: [{ schema: 'public', name: 'orders_rounded' }] }))
    .toEqual({ indexes: [{ schema: 'public', name: 'orders_rounded', exists: true, usable: true }], unusable: 1 });
});

test('an index that cannot be made anew says why without the values of its rows, and leaves nothing behind', async () => {
  await shop.run('CREATE FUNCTION public.code(n int) RETURNS text IMMUTABLE LANGUAGE sql AS $$ SELECT n::text $$');
  await shop.run('CREATE UNIQUE INDEX orders_code ON orders (public.code(amount))');
  await shop.run("CREATE OR REPLACE FUNCTION public.code(n int) RETURNS text IMMUTABLE LANGUAGE sql AS $$ SELECT 'planted-value' $$");
  const error = await bench.act('db', 'postgres.reindex', { index: { schema: 'public', name: 'orders_code' } }).catch((error: unknown) => error as Error);
  expect(error).toMatchObject({ type: 'REINDEX_FAILED', message: expect.stringContaining('23505') as string });
  expect((error as Error).message).not.toContain('planted-value');
  expect(await shop.run("SELECT relname FROM pg_class WHERE relname LIKE '%ccnew%'")).toEqual([]);
});

test('an index that is not there is drift', async () => {
  await expect(bench.act('db', 'postgres.reindex', { index: { schema: 'public', name: 'gone' } })).rejects.toMatchObject({ type: 'PLAN_DRIFT' });
});

test('two tries at once make the index anew once: the second waits for the first', async () => {
  await shop.run(`CREATE EXTENSION amcheck; CREATE TABLE reindexed (at timestamptz);
    CREATE FUNCTION note_reindex() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO public.reindexed VALUES (now()); END $$;
    CREATE EVENT TRIGGER reindexing ON ddl_command_start WHEN TAG IN ('REINDEX') EXECUTE FUNCTION note_reindex()`);
  await makeIndexLie();
  // A reader from before: REINDEX CONCURRENTLY waits for it, so that both tries are under way.
  const reader = await shop.session('shop-web');
  await reader.client.query('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM orders');
  const index = { schema: 'public', name: 'orders_rounded' };
  const tries = [bench.act('db', 'postgres.reindex', { index }, 'twice'), bench.act('db', 'postgres.reindex', { index }, 'twice')];
  await shop.until(`SELECT count(*) = 2 AS ok FROM pg_stat_activity
    WHERE application_name = 'mission-control-healing' AND (query LIKE 'REINDEX%' OR query LIKE '%pg_try_advisory_lock%')`);
  await reader.client.query('COMMIT');
  expect(await Promise.all(tries)).toEqual([index, index]);
  expect(await shop.run('SELECT count(*)::int AS n FROM reindexed')).toEqual([{ n: 1 }]);
  expect(await corruption()).toMatchObject({ state: 'ok' });
});

test('a check that the shop\'s own function breaks off is no damage, and its words stay in the database', async () => {
  await shop.run(`CREATE EXTENSION amcheck; CREATE FUNCTION public.rounded(n int) RETURNS int IMMUTABLE LANGUAGE sql AS $$ SELECT n / 10 $$;
    CREATE INDEX orders_rounded ON orders (public.rounded(amount))`);
  await shop.run("CREATE OR REPLACE FUNCTION public.rounded(n int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS $$ BEGIN RAISE 'planted-value %', n; END $$");
  const found = await corruption();
  expect(found).toMatchObject({ state: 'unknown', damaged: [], unchecked: [{ name: 'orders_rounded', reason: 'the check failed with SQLSTATE P0001' }] });
  expect(JSON.stringify(found)).not.toContain('planted-value');
});

test('what amcheck cannot check makes the whole unknown, not ok', async () => {
  await shop.run('CREATE EXTENSION amcheck; ALTER TABLE orders ADD tags int[]; CREATE INDEX orders_tags ON orders USING brin (amount)');
  expect(await corruption()).toMatchObject({ state: 'unknown', damaged: [], unchecked: [{ name: 'orders_tags', reason: 'amcheck has no check for brin indexes' }] });
});

test('what is locked away is unchecked, not ok', async () => {
  await shop.run('CREATE EXTENSION amcheck');
  const locked = await shop.session('shop-migration');
  await locked.client.query('BEGIN; LOCK TABLE orders IN ACCESS EXCLUSIVE MODE');
  expect(await bench.probe('db', 'postgres.corruption', { time_limit_seconds: 5 })).toMatchObject({ state: 'unknown', damaged: [] });
});
