/** A watched PostgreSQL database as a shop has it: tables, sessions that hold and wait for locks, indexes that lie. */
import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { emptyDatabase } from './database.ts';

export type WatchedDatabase = Awaited<ReturnType<typeof openWatchedDatabase>>;

/** A session of the shop's; it is ended with the database, whatever became of it. */
export interface Session {
  client: pg.Client;
  pid: number;
  /** Resolves with why, once the server has ended it. */
  ended: Promise<string>;
}

export async function openWatchedDatabase() {
  const db = await emptyDatabase();
  const urlVariable = `WATCHED_${randomBytes(6).toString('hex')}`;
  process.env[urlVariable] = db.url;
  const sessions: pg.Client[] = [];

  const watched = {
    urlVariable, url: db.url,
    resource: (more: Record<string, unknown> = {}) => ({ kind: 'postgres', url_env: urlVariable, ...more }),
    async session(application_name: string): Promise<Session> {
      const client = new pg.Client({ connectionString: db.url, application_name });
      sessions.push(client);
      const ended = new Promise<string>((resolve) => { client.on('error', (error) => resolve(error.message)); });
      await client.connect();
      const { rows: [row] } = await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
      return { client, pid: row!.pid, ended };
    },
    /** One statement, or several, in a session of its own. */
    async run<Row = unknown>(sql: string, params?: unknown[]): Promise<Row[]> {
      const client = new pg.Client({ connectionString: db.url });
      await client.connect();
      try {
        return (await client.query(sql, params)).rows as Row[];
      } finally {
        await client.end();
      }
    },
    async makeOrders(rows = 3): Promise<void> {
      await watched.run(`CREATE TABLE orders (id int PRIMARY KEY, amount int NOT NULL);
        INSERT INTO orders SELECT n, n FROM generate_series(1, ${rows}) n`);
    },
    /** A transaction that has changed an order and does not go on. */
    async holdOrder(application_name: string, id = 1): Promise<Session> {
      const holder = await watched.session(application_name);
      await holder.client.query('BEGIN');
      await holder.client.query('UPDATE orders SET amount = amount WHERE id = $1', [id]);
      return holder;
    },
    /** Resolves once a session waits for the order; `written` resolves once it has it. */
    async waitForOrder(id = 1, application_name = 'shop-web'): Promise<{ session: Session; written: Promise<unknown> }> {
      const session = await watched.session(application_name);
      const written = session.client.query('UPDATE orders SET amount = amount + 1 WHERE id = $1', [id]);
      // Whoever awaits it sees its failure; nobody need to.
      written.catch(() => undefined);
      await watched.until('SELECT count(*) = 1 AS ok FROM pg_locks WHERE NOT granted AND pid = $1', [session.pid]);
      return { session, written };
    },
    /** Resolves once the statement gives `ok`. */
    async until(sql: string, params?: unknown[]): Promise<void> {
      while (!(await watched.run<{ ok: boolean }>(sql, params))[0]!.ok) await new Promise((resolve) => { setTimeout(resolve, 20); });
    },
    /**
     * Overwrites part of a page on the disk, as a failing disk does, and makes the server read it from there.
     * @param block counted from 0, which in an index holds no entries
     */
    async damagePage(relation: string, block: number): Promise<void> {
      await watched.run('CREATE EXTENSION IF NOT EXISTS pg_buffercache; CHECKPOINT');
      await watched.run('SELECT pg_buffercache_evict_relation($1::regclass)', [relation]);
      const [file] = await watched.run<{ path: string }>("SELECT current_setting('data_directory') || '/' || pg_relation_filepath($1::regclass) AS path", [relation]);
      await watched.run(`COPY (SELECT 'damaged') TO PROGRAM 'dd of=${file!.path} bs=1 seek=${block * 8_192 + 4_000} conv=notrunc status=none'`);
    },
    isAlive: async ({ pid }: Session): Promise<boolean> =>
      (await watched.run('SELECT 1 FROM pg_stat_activity WHERE pid = $1', [pid])).length === 1,
    async close(): Promise<void> {
      delete process.env[urlVariable];
      await Promise.all(sessions.map((client) => client.end().catch(() => undefined)));
      await db.drop();
    },
  };
  return watched;
}
