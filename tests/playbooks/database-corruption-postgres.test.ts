import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { databaseCorruption as playbook } from '../../src/workflows/playbooks/database-corruption.ts';
import { openPlaybookBench, type PlaybookBench, type Planned } from '../support/playbook-bench.ts';
import { openWatchedDatabase, type WatchedDatabase } from '../support/watched-database.ts';

let shop: WatchedDatabase;
let bench: PlaybookBench;
beforeAll(async () => { bench = await openPlaybookBench({}); });
afterAll(() => bench.close());
beforeEach(async () => {
  shop = await openWatchedDatabase();
  await bench.configure({ db: shop.resource() });
  await shop.makeOrders(200);
});
afterEach(() => shop.close());
const context = () => bench.context(playbook, 'db', 'database_corruption');

test('an index that contradicts its table is made anew, and answers are right again', async () => {
  await shop.run(`CREATE EXTENSION amcheck;
    CREATE FUNCTION public.rounded(n int) RETURNS int IMMUTABLE LANGUAGE sql AS $$ SELECT n / 10 $$;
    CREATE INDEX orders_rounded ON orders (public.rounded(amount));
    CREATE OR REPLACE FUNCTION public.rounded(n int) RETURNS int IMMUTABLE LANGUAGE sql AS $$ SELECT n / 7 $$`);
  const running = await context();
  const planned = await bench.plan(playbook, running) as Planned;
  expect(planned.steps).toMatchObject([{ action: 'postgres.reindex', with: { index: { schema: 'public', name: 'orders_rounded' } }, data_loss: 0 }]);
  expect((await bench.verify(playbook, running, planned.facts)).symptom.ok).toBe(false);
  await bench.execute(playbook, running, planned);
  expect(await bench.verify(playbook, running, planned.facts)).toMatchObject({ symptom: { ok: true }, independent: { ok: true }, must_not_regress: { ok: true } });
  const { client } = await shop.session('shop-web');
  await client.query('SET enable_seqscan = off');
  expect((await client.query('SELECT count(*)::int AS n FROM orders WHERE public.rounded(amount) = 3')).rows).toEqual([{ n: 7 }]);
  expect(await bench.plan(playbook, running)).toMatchObject({ decline: 'healthy' });
});

test('a page of an index that the disk lost is made anew from the table', async () => {
  await shop.run('CREATE EXTENSION amcheck');
  await shop.damagePage('orders_pkey', 1);
  const running = await context();
  const planned = await bench.plan(playbook, running) as Planned;
  expect(planned.facts).toMatchObject({ report: { state: 'index_only', damaged: [{ name: 'orders_pkey', reason: expect.stringContaining('invalid page') as string }] } });
  await bench.execute(playbook, running, planned);
  expect(await bench.verify(playbook, running, planned.facts)).toMatchObject({ symptom: { ok: true }, independent: { ok: true }, must_not_regress: { ok: true } });
  // The server does not forget that a page was lost: that nothing is damaged now is no proof that nothing was.
  expect(await bench.plan(playbook, running)).toMatchObject({ decline: 'refused', code: 'DAMAGE_UNKNOWN', reason: expect.stringContaining('wrong checksum') as string });
});

test('a page of a table that the disk lost is nobody\'s to make up: refused, whatever its indexes say', async () => {
  await shop.run('CREATE EXTENSION amcheck');
  await shop.damagePage('orders', 0);
  expect(await bench.plan(playbook, await context())).toMatchObject({
    decline: 'refused', code: 'TABLE_DAMAGED', facts: { state: 'damaged', damaged: [{ kind: 'table', name: 'orders', reason: expect.stringContaining('invalid page') as string }] },
  });
});

test('damage in a table is refused, with what was found', async () => {
  await shop.run('CREATE EXTENSION amcheck');
  // Rows that are older than the catalogue says any can be: what a lost part of the transaction log looks like.
  await shop.run("UPDATE pg_class SET relfrozenxid = txid_current()::text::xid WHERE relname = 'orders'");
  expect(await bench.plan(playbook, await context())).toMatchObject({
    decline: 'refused', code: 'TABLE_DAMAGED', reason: expect.stringContaining('public.orders') as string, facts: { state: 'damaged', damaged: [{ kind: 'table', name: 'orders' }] },
  });
});

test('without amcheck nobody knows, and nothing is done', async () => {
  expect(await bench.plan(playbook, await context())).toMatchObject({ decline: 'refused', code: 'DAMAGE_UNKNOWN', reason: expect.stringContaining('CREATE EXTENSION amcheck') as string });
});
