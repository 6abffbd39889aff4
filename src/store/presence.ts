/**
 * Who is alive: every worker holds a shared advisory lock on a connection of its own. PostgreSQL drops it in the moment
 * the process dies, so there is no flag that outlives a process and no interval after which one is believed dead.
 */
import pg from 'pg';
import type { Logger } from '../log.ts';
import type { Query } from './database.ts';

const presenceClass = 7_205;
const workerPresence = 1;
/** Locks of this class are taken by a host's queue, hashed. */
const hostPresenceClass = 7_206;

export interface Presence { release(): Promise<void> }

/** Holds the presence of a worker, and of the host it works on, until released; takes it again whenever the database comes back. */
export function announceWorker(url: string, hostQueue: string, logger: Logger): Presence {
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
      else {
        await next.query(
          'SELECT pg_advisory_lock_shared($1, $2), pg_advisory_lock_shared($3, hashtext($4))',
          [presenceClass, workerPresence, hostPresenceClass, hostQueue]);
      }
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

/** Whether a worker takes the work of this host now. */
export async function hostAlive(query: Query, hostQueue: string): Promise<boolean> {
  const rows = await query(
    `SELECT 1 FROM pg_locks
      WHERE locktype = 'advisory' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
        AND classid = $1 AND objid = (hashtext($2)::bigint & 4294967295)::oid AND objsubid = 2 AND granted LIMIT 1`, [hostPresenceClass, hostQueue]);
  return rows.length > 0;
}
