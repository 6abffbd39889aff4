/**
 * Lets a mission's records into the database one at a time. It is what any session does that locks the mission's row: the
 * worker's next record waits behind it. The lock is handed on in the order of asking, so a second session of ours that
 * asks behind the worker has it again before the worker can come with another record.
 */
import pg from 'pg';
import type { StageName } from '../../src/domain/stages.ts';
import { eventually } from './launched.ts';

export interface Turnstile {
  /** Holds the row from now on; again after the database was away. */
  take(): Promise<void>;
  /** Lets records pass until `seen`. */
  until<T>(seen: () => Promise<T | undefined | false>): Promise<T>;
  /** Lets records pass until the stage runs; `missed` when it has ended by then. */
  untilStage(stage: StageName): Promise<'running' | 'missed'>;
  /** Lets everything pass. */
  release(): Promise<void>;
}

/** Started and not ended, as the events tell it. */
export async function stageState(url: string, missionId: string, stage: StageName): Promise<{ started: number; ended: number; ended_at: number | null }> {
  return withClient(url, async (client) => {
    const { rows } = await client.query<{ started: number; ended: number; ended_at: Date | null }>(
      `SELECT count(*) FILTER (WHERE type = 'stage.started')::int AS started, count(*) FILTER (WHERE type = 'stage.ended')::int AS ended,
              max(ts) FILTER (WHERE type = 'stage.ended') AS ended_at FROM events WHERE mission_id = $1 AND stage = $2`, [missionId, stage]);
    return { ...rows[0]!, ended_at: rows[0]!.ended_at?.getTime() ?? null };
  });
}

export async function withClient<T>(url: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = quiet(url);
  try {
    await client.connect();
    return await work(client);
  } finally {
    await client.end().catch(() => undefined);
  }
}

function quiet(url: string): pg.Client {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 2_000 });
  client.on('error', () => undefined);
  return client;
}

/** @param url asked whenever a connection is made: a server that was started again may have another port */
export function turnstile(url: () => string, missionId: string): Turnstile {
  let holder: Session | undefined;

  interface Session { client: pg.Client; pid: number }

  async function session(): Promise<Session> {
    const client = quiet(url());
    await client.connect();
    const { rows } = await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
    await client.query('BEGIN');
    return { client, pid: rows[0]!.pid };
  }
  const lock = ({ client }: Session): Promise<unknown> => client.query('SELECT FROM missions WHERE mission_id = $1 FOR NO KEY UPDATE', [missionId]);

  /** Whether somebody waits for the session's lock; for a session of ours: whether it waits itself. */
  const waiting = (behind: Session): Promise<boolean> => withClient(url(), async (client) => {
    const { rows } = await client.query<{ n: number }>('SELECT count(*)::int AS n FROM pg_stat_activity WHERE $1 = ANY(pg_blocking_pids(pid))', [behind.pid]);
    return rows[0]!.n > 0;
  });
  const waits = (who: Session): Promise<boolean> => withClient(url(), async (client) => {
    const { rows } = await client.query<{ n: number }>('SELECT cardinality(pg_blocking_pids($1)) AS n', [who.pid]);
    return rows[0]!.n > 0;
  });

  /** Lets the one through that waits, and holds again behind it. */
  async function pass(): Promise<void> {
    const before = holder!;
    const next = await session();
    const held = lock(next);
    await eventually(() => waits(next));
    await before.client.query('COMMIT');
    await before.client.end();
    await held;
    holder = next;
  }

  async function take(): Promise<void> {
    holder = await eventually(async () => {
      const mine = await session();
      await lock(mine);
      return mine;
    });
  }

  async function until<T>(seen: () => Promise<T | undefined | false>): Promise<T> {
    for (;;) {
      const found = await seen();
      if (found !== undefined && found !== false) return found;
      if (await waiting(holder!)) await pass();
      else await new Promise((resolve) => { setTimeout(resolve, 10); });
    }
  }

  return {
    take, until,
    untilStage: (stage) => until(async () => {
      const { started, ended } = await stageState(url(), missionId, stage);
      return started > ended ? 'running' : ended > 0 && 'missed';
    }),
    async release() {
      await holder?.client.query('COMMIT').catch(() => undefined);
      await holder?.client.end().catch(() => undefined);
      holder = undefined;
    },
  };
}
