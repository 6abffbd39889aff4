/** Connections to PostgreSQL: raw `pg` for the hot paths, Prisma for the registry. */
import { PrismaPg } from '@prisma/adapter-pg';
import pg from 'pg';
import { wireTypes } from '../ledger/pg-types.ts';
import type { Logger } from '../log.ts';
import { PrismaClient } from './prisma/client.ts';

/** Runs one parameterised statement and gives its rows. */
export type Query = <Row>(text: string, params?: readonly unknown[]) => Promise<Row[]>;

export interface Database {
  query: Query;
  /** The same, parsed and planned once for each connection: for the few statements that every request runs. */
  prepared: Query;
  /** One transaction; rolled back when `work` throws. Serialization failures and deadlocks are tried again. */
  transaction<T>(work: (query: Query) => Promise<T>): Promise<T>;
  registry: PrismaClient;
  pool: pg.Pool;
  close(): Promise<void>;
}

/** A connection of its own, not yet open: for advisory locks and LISTEN, which belong to one connection. */
export const connectionTo = (url: string, name: string): pg.Client =>
  new pg.Client({ connectionString: url, types: wireTypes, connectionTimeoutMillis: 2_000, keepAlive: true, application_name: name });

/**
 * A server that has said nothing for this long is gone without telling: without a limit its connections, and whoever waits
 * for them, would be lost until the kernel gives up, which takes hours. The longest statement of ours takes seconds.
 */
const longestSilenceMs = 120_000;

export function createDatabase(url: string, logger: Logger, size = 10, silenceMs = longestSilenceMs): Database {
  const limits = { max: size, connectionTimeoutMillis: 3_000, idleTimeoutMillis: 30_000, query_timeout: silenceMs };
  const pool = new pg.Pool({ connectionString: url, types: wireTypes, ...limits });
  // Without a listener, an idle connection that the server drops ends the process.
  pool.on('error', (error) => logger.warn({ event: 'postgres.connection_lost', reason: error.message }));
  const adapter = new PrismaPg({ connectionString: url, ...limits, max: 4 }, {
    onPoolError: (error) => logger.warn({ event: 'postgres.connection_lost', reason: error.message }),
    onConnectionError: (error) => logger.warn({ event: 'postgres.connection_lost', reason: error.message }),
  });
  const registry = new PrismaClient({ adapter });
  return {
    pool,
    registry,
    query: queryOf(pool),
    prepared: async <Row>(text: string, params: readonly unknown[] = []) => (await pool.query({ name: nameOf(text), text, values: [...params] })).rows as Row[],
    async transaction(work) {
      for (let attempt = 1; ; attempt += 1) {
        try {
          return await once(pool, work);
        } catch (error) {
          if (attempt >= 5 || !isConflict(error)) throw error;
          // Apart, so that the same two do not meet again: up to 20, 40, 80, 160 ms.
          await new Promise((resolve) => { setTimeout(resolve, Math.random() * 10 * 2 ** attempt); });
        }
      }
    },
    async close() {
      await registry.$disconnect();
      await pool.end();
    },
  };
}

const names = new Map<string, string>();

/** A statement's name is its place among those that were prepared: the same text has the same name on every connection. */
function nameOf(text: string): string {
  const name = names.get(text) ?? `prepared_${names.size}`;
  names.set(text, name);
  return name;
}

const queryOf = (client: pg.Pool | pg.PoolClient): Query =>
  async <Row>(text: string, params: readonly unknown[] = []) => (await client.query(text, [...params])).rows as Row[];

async function once<T>(pool: pg.Pool, work: (query: Query) => Promise<T>): Promise<T> {
  const client = await pool.connect();
  let broken: Error | undefined;
  // A checked-out client that loses its server emits 'error' outside of any query.
  const onError = (error: Error): void => { broken ??= error; };
  client.on('error', onError);
  try {
    await client.query('BEGIN');
    const result = await work(queryOf(client));
    // PostgreSQL answers COMMIT with ROLLBACK when a statement failed and `work` went on: nothing was written then.
    const { command } = await client.query('COMMIT');
    if (command !== 'COMMIT') throw new Error('the transaction was rolled back: a statement in it had failed');
    return result;
  } catch (error) {
    // What ended the connection says more than the statements that then found it unusable.
    const lost = broken;
    // A statement that nobody answered is still under way: nothing can be said behind it.
    if (isSilence(error)) broken ??= error as Error;
    else await client.query('ROLLBACK').catch((rollback: Error) => { broken ??= rollback; });
    throw lost ?? error;
  } finally {
    client.off('error', onError);
    client.release(broken);
  }
}

/** SQLSTATE 40001 serialization_failure, 40P01 deadlock_detected. */
const isConflict = (error: unknown): boolean => ['40001', '40P01'].includes((error as { code?: string }).code ?? '');

const isSilence = (error: unknown): boolean => error instanceof Error && error.message === 'Query read timeout';

/** SQLSTATE 23505. */
export const isUniqueViolation = (error: unknown): boolean => (error as { code?: string }).code === '23505';
