/**
 * Who is alive: every worker holds a shared advisory lock on a connection of its own. PostgreSQL drops it in the moment
 * the process dies, so there is no flag that outlives a process and no interval after which one is believed dead.
 */
import pg from 'pg';
import type { Logger } from '../log.ts';
import type { Query } from './database.ts';

const presenceClass = 7_205;
const workerPresence = 1;

export interface Presence { release(): Promise<void> }

/** Holds the worker's presence until released, taking it again whenever the database comes back. */
export function announceWorker(url: string, logger: Logger): Presence {
  let client: pg.Client | undefined;
  let timer: NodeJS.Timeout | undefined;
  let released = false;

  async function hold(): Promise<void> {
    const next = new pg.Client({ connectionString: url, connectionTimeoutMillis: 2_000, application_name: 'mission-control-presence' });
    let lost = false;
    const again = (): void => {
      if (lost || released) return;
      lost = true;
      void next.end().catch(() => undefined);
      timer = setTimeout(() => { holding = hold(); }, 200);
    };
    next.on('error', again);
    next.on('end', again);
    try {
      await next.connect();
      client = next;
      if (released) await next.end();
      else await next.query('SELECT pg_advisory_lock_shared($1, $2)', [presenceClass, workerPresence]);
    } catch (error) {
      logger.debug({ event: 'presence.retry', reason: (error as Error).message });
      again();
    }
  }
  let holding = hold();

  return {
    async release() {
      released = true;
      clearTimeout(timer);
      await holding;
      await client?.end().catch(() => undefined);
    },
  };
}

/** Workers alive now, on any host. */
export async function workersAlive(query: Query): Promise<number> {
  const [row] = await query<{ count: number }>(
    `SELECT count(*) AS count FROM pg_locks
      WHERE locktype = 'advisory' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
        AND classid = $1 AND objid = $2 AND objsubid = 2 AND granted`, [presenceClass, workerPresence]);
  return row!.count;
}
