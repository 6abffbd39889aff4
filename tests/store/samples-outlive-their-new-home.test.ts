import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import pg from 'pg';
import { expect, inject, test } from 'vitest';
import { migrationsFolder } from '../../src/project.ts';

const at = (name: string): string => Object.assign(new URL(inject('templateUrl')), { pathname: `/${name}` }).href;
async function connected<T>(url: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

test('samples from before the partitions are all there afterwards, in the order they came', async () => {
  const name = `test_${randomBytes(6).toString('hex')}`;
  const migration = (folder: string): Promise<string> => readFile(join(migrationsFolder, folder, 'migration.sql'), 'utf8');
  await connected(at('postgres'), (client) => client.query(`CREATE DATABASE ${name} TEMPLATE template0`));
  try {
    await connected(at(name), async (client) => {
      await client.query(await migration('0001_first_mission'));
      await client.query(`INSERT INTO metric_samples (metric_id, at, value, observed_revision, source, pushed_by, pushed_role)
        SELECT 'm', timestamptz '2025-01-01' + make_interval(hours => n % 50), n, 'r' || n, 'push', 'anna', 'operator' FROM generate_series(1, 200) AS n`);
      const read = async (): Promise<unknown[]> => (await client.query(
        'SELECT metric_id, at, value, observed_revision, source, pushed_by, pushed_role, received_at FROM metric_samples ORDER BY metric_id, at, sample_id')).rows;
      const before = await read();
      await client.query(await migration('0003_metrics'));
      expect(before).toHaveLength(200);
      expect(await read()).toEqual(before);
      expect((await client.query("SELECT made FROM maintain_metric_partitions('2024-12-01', '2025-01-03')")).rows).toEqual([{ made: 4 }]);
      expect(await read()).toEqual(before);
      expect((await client.query('SELECT count(*)::integer AS n FROM metric_partitions.samples_default')).rows).toEqual([{ n: 0 }]);
    });
  } finally {
    await connected(at('postgres'), (client) => client.query(`DROP DATABASE ${name} WITH (FORCE)`));
  }
});
