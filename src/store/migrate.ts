/**
 * Applies the reviewed SQL of `prisma/migrations` in order, each in a transaction, under an advisory lock.
 * Recorded in `_prisma_migrations` the way Prisma records them, so that `prisma migrate deploy` agrees.
 */
import { randomUUID } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import pg from 'pg';
import { sha256 } from '../ledger/canonical.ts';
import { migrationsFolder } from '../project.ts';

// Any constant; it only has to be the same in every process of ours.
const migrationLock = 7_205_759_403_792_793;

/**
 * @returns names of the migrations applied now
 * @throws Error when an applied migration was edited, or the database is newer than this program (`SCHEMA_TOO_NEW`)
 */
export async function migrate(url: string): Promise<string[]> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 5_000 });
  await client.connect();
  try {
    await client.query('SELECT pg_advisory_lock($1)', [migrationLock]);
    await client.query(`CREATE TABLE IF NOT EXISTS _prisma_migrations (
      id varchar(36) PRIMARY KEY, checksum varchar(64) NOT NULL, finished_at timestamptz,
      migration_name varchar(255) NOT NULL, logs text, rolled_back_at timestamptz,
      started_at timestamptz NOT NULL DEFAULT now(), applied_steps_count integer NOT NULL DEFAULT 0)`);
    const { rows } = await client.query<{ migration_name: string; checksum: string }>(
      'SELECT migration_name, checksum FROM _prisma_migrations WHERE finished_at IS NOT NULL AND rolled_back_at IS NULL');
    const applied = new Map(rows.map((row) => [row.migration_name, row.checksum]));
    const known = (await readdir(migrationsFolder, { withFileTypes: true }))
      .filter((entry) => entry.isDirectory()).map((entry) => entry.name).sort();
    const unknown = [...applied.keys()].filter((name) => !known.includes(name));
    if (unknown.length > 0) {
      throw new Error(`SCHEMA_TOO_NEW: the database has migrations this program does not know: ${unknown.join(', ')}`);
    }
    const fresh: string[] = [];
    for (const name of known) {
      const sql = await readFile(join(migrationsFolder, name, 'migration.sql'), 'utf8');
      const checksum = sha256(sql);
      const recorded = applied.get(name);
      if (recorded !== undefined && recorded !== checksum) {
        throw new Error(`migration ${name} was changed after it was applied`);
      }
      if (recorded === undefined) {
        await apply(client, name, sql, checksum);
        fresh.push(name);
      }
    }
    return fresh;
  } finally {
    await client.end();
  }
}

async function apply(client: pg.Client, name: string, sql: string, checksum: string): Promise<void> {
  await client.query('BEGIN');
  try {
    await client.query(sql);
    await client.query(
      `INSERT INTO _prisma_migrations (id, checksum, finished_at, migration_name, applied_steps_count)
       VALUES ($1, $2, now(), $3, 1)`, [randomUUID(), checksum, name]);
    await client.query('COMMIT');
  } catch (error) {
    await client.query('ROLLBACK');
    throw new Error(`migration ${name} failed: ${(error as Error).message}`, { cause: error });
  }
}
