/** Making one named backend let go of its locks: by cancelling its statement, or by ending it. */
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import type { Query } from '../../../store/database.ts';
import { defineAction, refused, type ActionTools } from '../action.ts';
import { refusalFor } from './allowed.ts';
import { exactly, healingName, inSession, postgresOf, sqlState } from './connection.ts';

const target = z.strictObject({
  resource: z.string().optional(),
  pid: z.number().int().positive(),
  /** As `postgres.blockers` gives it, microseconds and all. */
  backend_start: z.string().min(1),
  /** The transaction that blocked when it was planned: a later one of the same backend is not meant. Null: there was none. */
  xact_start: z.string().min(1).nullable(),
  wait_seconds: z.number().positive().max(60).default(5),
});
type Target = z.output<typeof target>;

/** `signalled` is null when an earlier try died: whether its signal or something else ended the wait is not known. */
type Release = { pid: number; released: true; signalled: boolean | null };

interface Backend { pid: number; backend_start: string; application_name: string | null; backend_type: string | null; state: string | null }

const pollMs = 50;

const letGo = (signalFunction: 'pg_cancel_backend' | 'pg_terminate_backend') => defineAction({
  input: target,
  async guard(input, tools) {
    const backend = await inDatabase(tools, input, (query) => stillBlocking(query, input));
    const refusal = backend === undefined ? null : refusalFor(await postgresOf(tools, input.resource), backend);
    if (refusal !== null) throw refused(refusal.code, refusal.reason);
  },
  async before(input, tools) {
    const backend = await inDatabase(tools, input, (query) => stillBlocking(query, input));
    return { state: backend?.state ?? null };
  },
  async done(input, _before, tools): Promise<Release | undefined> {
    const backend = await inDatabase(tools, input, (query) => stillBlocking(query, input));
    return backend === undefined ? { pid: input.pid, released: true, signalled: null } : undefined;
  },
  async act(input, _before, tools): Promise<Release> {
    const { allow_terminate } = await postgresOf(tools, input.resource);
    return inDatabase(tools, input, async (query) => {
      if ((await stillBlocking(query, input)) === undefined) return { pid: input.pid, released: true, signalled: false };
      await send(query, signalFunction, input, allow_terminate);
      const deadline = performance.now() + input.wait_seconds * 1_000;
      while ((await stillBlocking(query, input)) !== undefined) {
        if (performance.now() > deadline) throw refused('STILL_BLOCKING', `backend ${input.pid} still blocks others ${input.wait_seconds} s after ${signalFunction}`);
        await sleep(pollMs, undefined, { signal: tools.signal });
      }
      return { pid: input.pid, released: true, signalled: true };
    });
  },
});

export const cancelBackend = letGo('pg_cancel_backend');
export const terminateBackend = letGo('pg_terminate_backend');

/** Sent by the statement that looks once more: between a look and a signal of its own, the pid could pass to another backend. */
async function send(query: Query, signalFunction: string, { pid, backend_start }: Target, allowed: readonly string[]): Promise<void> {
  try {
    await query(
      `SELECT ${signalFunction}(pid) FROM pg_stat_activity
        WHERE pid = $1 AND backend_start = $2::timestamptz AND application_name = ANY($3::text[]) AND application_name <> $4
          AND backend_type = 'client backend'`, [pid, backend_start, allowed, healingName]);
  } catch (error) {
    if (sqlState(error) === '42501') throw refused('NOT_PERMITTED', `our role may not signal backend ${pid}: it needs pg_signal_backend`);
    throw error;
  }
}

/** The named backend while it is in the planned transaction and somebody waits for it; undefined once that is over. */
async function stillBlocking(query: Query, { pid, backend_start, xact_start }: Target): Promise<Backend | undefined> {
  const [backend] = await query<Omit<Backend, 'backend_start'> & { backend_start: string | null; xact_start: string | null }>(
    `SELECT pid, application_name, backend_type, state, ${exactly('backend_start')} AS backend_start, ${exactly('xact_start')} AS xact_start
       FROM pg_stat_activity
      WHERE pid = $1 AND EXISTS (SELECT 1 FROM pg_locks WHERE NOT granted AND pid IS NOT NULL AND $1 = ANY(pg_blocking_pids(pg_locks.pid)))`, [pid]);
  if (backend === undefined) return undefined;
  if (backend.backend_start === null) throw refused('LOCK_HOLDER_UNKNOWN', `our role may no longer see which backend ${pid} is`);
  if (backend.backend_start !== backend_start) return undefined;
  if (xact_start !== null && backend.xact_start !== xact_start) return undefined;
  return { ...backend, backend_start };
}

const inDatabase = async <T>(tools: ActionTools, { resource, wait_seconds }: Target, work: (query: Query) => Promise<T>): Promise<T> =>
  inSession(await postgresOf(tools, resource), { mode: 'read_only', statement_ms: 5_000 + wait_seconds * 1_000 }, tools.signal, work);
