import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { copyDatabase, type TestDatabase } from '../support/database.ts';

let db: TestDatabase;
let administrator: pg.Client;
beforeAll(async () => {
  db = await copyDatabase();
  administrator = new pg.Client({ connectionString: db.url });
  await administrator.connect();
});
afterAll(async () => {
  await administrator.end();
  await db.drop();
});

// The server's last words, or the reset that came before them.
const connectionLost = /terminat|ECONNRESET/i;

/** Ends every connection to the database but the administrator's own. @returns how many */
async function terminateAll(): Promise<number> {
  const { rows } = await administrator.query(
    'SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = $1', ['client backend']);
  return rows.length;
}
const alive = (): Promise<{ ok: number }[]> => db.database.query<{ ok: number }>('SELECT 1 AS ok');

test('idle connections that the server ends are replaced, and the process lives on', async () => {
  const { pool } = db.database;
  await Promise.all(Array.from({ length: 5 }, () => db.database.query('SELECT pg_sleep(0.01)')));
  const idle = pool.idleCount;
  expect(idle).toBeGreaterThan(1);
  const allGone = new Promise<void>((resolve) => {
    pool.on('remove', () => { if (pool.totalCount === 0) resolve(); });
  });
  expect(await terminateAll()).toBeGreaterThanOrEqual(idle);
  await allGone;
  expect(await alive()).toEqual([{ ok: 1 }]);
});

test('a statement whose connection is ended fails, and the next one has another', async () => {
  const { pool } = db.database;
  const client = await pool.connect();
  const { rows: [row] } = await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
  client.release();
  // The pool hands out the connection that came back last.
  const sleeping = db.database.query('SELECT pg_sleep(60), pg_backend_pid()');
  const refused = expect(sleeping).rejects.toMatchObject({ code: '57P01' });
  await administrator.query('SELECT pg_terminate_backend($1)', [row?.pid]);
  await refused;
  expect(await alive()).toEqual([{ ok: 1 }]);
});

test('a transaction whose connection is ended writes nothing, and the broken connection is not used again', async () => {
  const write = db.database.transaction(async (query) => {
    await query("INSERT INTO counters (name, last) VALUES ('lost', 1)");
    const [row] = await query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
    await administrator.query('SELECT pg_terminate_backend($1)', [row?.pid]);
    await query("INSERT INTO counters (name, last) VALUES ('lost too', 1)");
  });
  await expect(write).rejects.toThrow(connectionLost);
  expect(await db.database.query("SELECT 1 FROM counters WHERE name LIKE 'lost%'")).toEqual([]);
});

test('a transaction says what ended its connection, not what it then could not do with it', async () => {
  const write = db.database.transaction(async (query) => {
    const [row] = await query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
    await administrator.query('SELECT pg_terminate_backend($1)', [row?.pid]);
    await query('SELECT pg_sleep(60)').catch(() => undefined);
    await query('SELECT 1');
  });
  await expect(write).rejects.toThrow(connectionLost);
});

test('a connection that is ended while its transaction does something else does not end the process', async () => {
  const write = db.database.transaction(async (query) => {
    const [row] = await query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
    await administrator.query('SELECT pg_terminate_backend($1)', [row?.pid]);
    return 'no more statements';
  });
  await expect(write).rejects.toThrow(connectionLost);
  expect(await alive()).toEqual([{ ok: 1 }]);
});

test('the registry has connections of its own, and they recover too', async () => {
  const { registry } = db.database;
  await Promise.all(Array.from({ length: 4 }, () => registry.repositories.findMany()));
  expect(await terminateAll()).toBeGreaterThan(0);
  // At most four connections can have died unnoticed; each failed statement drops one.
  let answer: unknown;
  for (let attempt = 1; attempt <= 5 && answer === undefined; attempt += 1) {
    answer = await registry.repositories.findMany().catch(() => undefined);
  }
  expect(answer).toEqual([]);
});
