import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { pino } from 'pino';
import { inject } from 'vitest';
import { createDatabase, type Database } from '../../src/store/database.ts';

export const silent = pino({ level: process.env['TEST_LOG'] ?? 'silent' });

export interface TestDatabase { url: string; name: string; database: Database; drop(): Promise<void> }

/** A database of the caller's own: a copy of the migrated template. */
export const copyDatabase = (): Promise<TestDatabase> => makeDatabase(new URL(inject('templateUrl')).pathname.slice(1));

/** A database of somebody else's, with nothing of ours in it. */
export const emptyDatabase = (): Promise<TestDatabase> => makeDatabase('template0');

async function makeDatabase(from: string): Promise<TestDatabase> {
  const template = new URL(inject('templateUrl'));
  const name = `test_${randomBytes(6).toString('hex')}`;
  const run = async (sql: string): Promise<void> => {
    const client = new pg.Client({ connectionString: Object.assign(new URL(template), { pathname: '/postgres' }).href });
    await client.connect();
    try {
      await client.query(sql);
    } finally {
      await client.end();
    }
  };
  await copyWhenIdle(() => run(`CREATE DATABASE ${name} TEMPLATE ${from}`));
  const url = Object.assign(new URL(template), { pathname: `/${name}` }).href;
  const database = createDatabase(url, silent);
  return {
    url, name, database,
    async drop() {
      await database.close();
      await run(`DROP DATABASE ${name} WITH (FORCE)`);
    },
  };
}

/** 55006: the other test process copies the template in this moment. */
async function copyWhenIdle(copy: () => Promise<void>): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await copy();
    } catch (error) {
      if ((error as { code?: string }).code !== '55006' || attempt > 100) throw error;
    }
  }
}
