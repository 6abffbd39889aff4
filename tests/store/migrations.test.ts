import { randomBytes } from 'node:crypto';
import { readdirSync } from 'node:fs';
import pg from 'pg';
import { afterAll, beforeEach, expect, inject, test } from 'vitest';
import { migrationsFolder } from '../../src/project.ts';
import { migrate } from '../../src/store/migrate.ts';

const known = readdirSync(migrationsFolder, { withFileTypes: true }).filter((entry) => entry.isDirectory()).map((entry) => entry.name).sort();
const made: string[] = [];
let url: string;

async function run<Row extends pg.QueryResultRow>(target: string, sql: string): Promise<Row[]> {
  const client = new pg.Client({ connectionString: target });
  await client.connect();
  try {
    return (await client.query<Row>(sql)).rows;
  } finally {
    await client.end();
  }
}
const at = (name: string): string => Object.assign(new URL(inject('templateUrl')), { pathname: `/${name}` }).href;

beforeEach(async () => {
  const name = `test_${randomBytes(6).toString('hex')}`;
  await run(at('postgres'), `CREATE DATABASE ${name} TEMPLATE template0`);
  made.push(name);
  url = at(name);
});
afterAll(async () => {
  for (const name of made) await run(at('postgres'), `DROP DATABASE ${name} WITH (FORCE)`);
});
const tables = async (): Promise<string[]> =>
  (await run<{ name: string }>(url, "SELECT table_name AS name FROM information_schema.tables WHERE table_schema = 'public' ORDER BY 1")).map(({ name }) => name);

test('an empty database gets every migration, in order, once; a second run does nothing', async () => {
  expect(known.length).toBeGreaterThan(0);
  expect(await migrate(url)).toEqual(known);
  expect(await tables()).toContain('missions');
  const before = await run(url, 'SELECT * FROM _prisma_migrations');
  expect(await migrate(url)).toEqual([]);
  expect(await run(url, 'SELECT * FROM _prisma_migrations')).toEqual(before);
});

test('three processes that start at once migrate once', async () => {
  const applied = await Promise.all([migrate(url), migrate(url), migrate(url)]);
  expect(applied.sort((a, b) => a.length - b.length)).toEqual([[], [], known]);
});

test('migrations are recorded as Prisma records them', async () => {
  await migrate(url);
  const rows = await run(url, 'SELECT * FROM _prisma_migrations ORDER BY migration_name');
  expect(rows.map((row) => row['migration_name'] as string)).toEqual(known);
  for (const row of rows) {
    expect(row).toMatchObject({ checksum: expect.stringMatching(/^[0-9a-f]{64}$/), finished_at: expect.any(Date), rolled_back_at: null, applied_steps_count: 1 });
  }
});

test('a migration that was edited after it was applied is refused by name', async () => {
  await migrate(url);
  await run(url, `UPDATE _prisma_migrations SET checksum = repeat('0', 64) WHERE migration_name = '${known[0]}'`);
  await expect(migrate(url)).rejects.toThrow(`migration ${known[0]} was changed after it was applied`);
});

test('a database that is newer than the program is refused and named, and stays as it is', async () => {
  await migrate(url);
  await run(url, "INSERT INTO _prisma_migrations (id, checksum, finished_at, migration_name) VALUES ('x', 'y', now(), '9999_the_future')");
  await expect(migrate(url)).rejects.toThrow(/^SCHEMA_TOO_NEW: .*9999_the_future$/);
  expect(await run(url, 'SELECT 1 FROM _prisma_migrations')).toHaveLength(known.length + 1);
});

test('a migration that fails leaves nothing behind and is applied when the way is free', async () => {
  await run(url, 'CREATE TABLE events (in_the_way integer)');
  await expect(migrate(url)).rejects.toThrow(`migration ${known[0]} failed: relation "events" already exists`);
  expect(await tables()).toEqual(['_prisma_migrations', 'events']);
  await run(url, 'DROP TABLE events');
  expect(await migrate(url)).toEqual(known);
});
