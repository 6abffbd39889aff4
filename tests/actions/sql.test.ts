import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { openPlaybookBench, type PlaybookBench } from '../support/playbook-bench.ts';
import { openWatchedDatabase, type WatchedDatabase } from '../support/watched-database.ts';

let shop: WatchedDatabase;
let bench: PlaybookBench;
beforeAll(async () => { bench = await openPlaybookBench({}); });
afterAll(() => bench.close());
beforeEach(async () => {
  shop = await openWatchedDatabase();
  await bench.configure({ db: shop.resource() });
  await shop.makeOrders();
});
afterEach(() => shop.close());

const raise = { statement: 'UPDATE orders SET amount = amount + $1 WHERE id = $2', params: [10, 1] };
const amount = async (): Promise<number> => (await shop.run<{ amount: number }>('SELECT amount FROM orders WHERE id = 1'))[0]!.amount;
const note = (key: string, value: unknown) => bench.db.database.query('INSERT INTO effects (key, result) VALUES ($1, $2)', [key, JSON.stringify(value)]);

test('a statement that committed is not run again, though its result was never noted', async () => {
  expect(await bench.act('db', 'sql.run', raise, 'once')).toEqual({ committed: true, rows: 1 });
  await bench.db.database.query("DELETE FROM effects WHERE key = 'once:result'");
  expect(await bench.act('db', 'sql.run', raise, 'once')).toEqual({ committed: true, rows: null });
  expect(await amount()).toBe(11);
});

test('killed before the transaction was noted, it was never committed: the second try runs it', async () => {
  await note('died:before', { before: {} });
  await bench.act('db', 'sql.run', raise, 'died');
  expect(await amount()).toBe(11);
});

test('killed between note and commit, the server took it back: the second try runs it', async () => {
  const dying = await shop.session('dying-worker');
  await dying.client.query('BEGIN');
  const { rows } = await dying.client.query<{ xid: string }>('SELECT pg_current_xact_id()::text AS xid');
  await dying.client.query('UPDATE orders SET amount = amount + 10 WHERE id = 1');
  await note('taken-back:before', { before: {} });
  await note('taken-back:transaction:1', rows[0]);
  await shop.run('SELECT pg_terminate_backend($1)', [dying.pid]);
  await bench.act('db', 'sql.run', raise, 'taken-back');
  expect(await amount()).toBe(11);
});

test('a transaction that the server no longer knows is not run twice', async () => {
  await note('old:before', { before: {} });
  await note('old:transaction:1', { xid: '3' });
  // 3 is the first id there ever is: the server was told to forget it when the cluster was made.
  await expect(bench.act('db', 'sql.run', raise, 'old')).rejects.toMatchObject({ type: 'OUTCOME_UNKNOWN' });
  expect(await amount()).toBe(1);
});

test('what controls the transaction, the session or the server is no statement that may be planned', async () => {
  const refused = ['BEGIN', 'COMMIT', 'SET zero_damaged_pages = on', 'VACUUM orders', 'COPY orders TO PROGRAM $$x$$', '/* */ DELETE FROM orders', 'DO $$ BEGIN END $$', ''];
  for (const statement of refused) await expect(bench.act('db', 'sql.run', { statement })).rejects.toMatchObject({ type: 'STEP_INVALID' });
});

test('two statements in one are refused, and neither happens', async () => {
  await expect(bench.act('db', 'sql.run', { statement: 'UPDATE orders SET amount = 0; COMMIT' })).rejects.toMatchObject({ type: 'SQL_FAILED' });
  expect(await amount()).toBe(1);
});

test('a failed statement changes nothing and tells no values', async () => {
  const error = await bench.act('db', 'sql.run', { statement: "UPDATE orders SET amount = 'planted-value'::text::int" }).catch((error: unknown) => error as Error);
  expect(error).toMatchObject({ type: 'SQL_FAILED', message: expect.stringContaining('22P02') as string });
  expect((error as Error).message).not.toContain('planted-value');
  expect(await amount()).toBe(1);
});
