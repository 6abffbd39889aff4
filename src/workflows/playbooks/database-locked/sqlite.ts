/**
 * database_locked in SQLite: a bounded wait, then the owner is asked, then a named and listed holder is ended; the WAL is emptied
 * and a write tried. No file is deleted or replaced.
 */
import { z } from 'zod';
import type { Check, Decline, Json, PlannedStep } from '../../../domain/healing.ts';
import { isKnown, type IntegrityClass, type LockHolder, type WriteCheck } from '../../../domain/sqlite.ts';
import { decline, step, type PlaybookContext, type VerifyContext } from '../playbook.ts';

export const sqliteLockedParams = {
  /** How long the holder may still end by itself. */
  sqlite_wait_seconds: z.number().min(0).max(300).default(10),
  /** How long a write may wait for its lock before it counts as locked. */
  sqlite_busy_timeout_ms: z.number().int().min(0).max(60_000).default(2_000),
  /** A WAL larger than this is a symptom too: a reader pins it, or nobody checkpoints. */
  sqlite_wal_limit_bytes: z.number().int().min(0).default(256 * 1024 ** 2),
  /** What the owner does on this signal is to let go. For Node, SIGUSR1 opens the debugger. */
  sqlite_ask_signal: z.enum(['SIGHUP', 'SIGUSR1', 'SIGUSR2', 'SIGWINCH']).nullable().default(null),
  /** POSTed to, for the owner to let go. */
  sqlite_release_url: z.url({ protocol: /^https?$/ }).nullable().default(null),
  sqlite_ask_seconds: z.number().min(0).max(300).default(10),
  /** Between SIGTERM and SIGKILL. */
  sqlite_terminate_seconds: z.number().min(0).max(300).default(10),
};

const shape = z.object(sqliteLockedParams);
type Params = z.output<typeof shape>;

type NamedHolder = { pid: number; started: string; executable: string; argv: string[]; roles: string[]; listed: boolean };

export type SqliteLockedFacts = {
  kind: 'sqlite';
  path: string;
  write: WriteCheck;
  wal_bytes: number;
  /** Who is in the way: of writing, or of emptying the WAL. */
  holders: NamedHolder[];
  /** Null where the lock keeps even readers out. */
  class: IntegrityClass | null;
  rows: Record<string, number | null>;
};

type Context = PlaybookContext<Params, 'sqlite'>;
type Verifying = VerifyContext<Params, SqliteLockedFacts, 'sqlite'>;

const busy = (write: WriteCheck): boolean => write.error === 'SQLITE_BUSY' || write.error === 'SQLITE_BUSY_RECOVERY';
const snapshot = (text: string): boolean => /BUSY_SNAPSHOT/.test(text);
const nameOf = ({ pid, executable }: Pick<LockHolder, 'pid' | 'executable'>): string => `${executable ?? 'an unknown program'} (pid ${pid ?? 'unknown'})`;

export async function planSqlite(context: Context): Promise<SqliteLockedFacts | Decline> {
  const { params } = context;
  const write = await context.probe('sqlite.write_check', { busy_timeout_ms: params.sqlite_busy_timeout_ms });
  if (snapshot(JSON.stringify(context.request.details)) || snapshot(write.error ?? '')) {
    return decline('mission', 'BUSY_SNAPSHOT', 'a read transaction that turns into a write after others wrote fails at once, whatever the timeout: the code must say BEGIN IMMEDIATE', write);
  }
  if (!write.ok && !busy(write)) return decline('not_applicable', 'NOT_A_LOCK', `a write fails for another reason: ${write.error ?? ''} ${write.message ?? ''}`, write);
  const { wal_bytes } = await context.probe('sqlite.wal', {});
  const { path } = await context.probe('sqlite.files', {});
  if (write.ok && wal_bytes <= params.sqlite_wal_limit_bytes) return decline('healthy', 'WRITABLE', `a write began after ${write.latency_ms} ms`, write);

  const holders = await holdersInTheWay(context, write.ok ? 'pins' : 'blockers');
  if (holders.length === 0 && !write.ok) return decline('refused', 'LOCK_HOLDER_UNKNOWN', `${path} is locked, and no process that can be seen here holds the lock`, write);
  const named: NamedHolder[] = [];
  for (const holder of holders) {
    if (!isKnown(holder)) return decline('refused', 'LOCK_HOLDER_UNKNOWN', `${path} is locked by ${nameOf(holder)}, of which too little can be seen`, holders);
    const { pid, started, executable, argv, roles } = holder;
    named.push({ pid, started, executable, argv, roles, listed: context.resource.allow_terminate.includes(executable) });
  }
  const canAsk = params.sqlite_ask_signal !== null || params.sqlite_release_url !== null;
  const foreign = named.find(({ listed }) => !listed);
  if (foreign !== undefined && !canAsk) {
    return decline('refused', 'HOLDER_NOT_ALLOWED', `${path} is locked by ${nameOf(foreign)}, which is not in allow_terminate, and there is no way to ask it`, named);
  }
  const state = await stateOf(context);
  if (state !== null && state.class !== 'ok') return decline('not_applicable', 'DATABASE_DAMAGED', `${path} is damaged (${state.class}): that comes before its locks`, state);
  return { kind: 'sqlite', path, write, wal_bytes, holders: named, class: state?.class ?? null, rows: state?.rows ?? {} };
}

/** A holder may let go between the write and the look: a few looks, so that nobody at all means nobody to be seen. */
async function holdersInTheWay(context: Context, which: 'blockers' | 'pins'): Promise<LockHolder[]> {
  for (let look = 0; look < 3; look += 1) {
    const found = await context.probe('sqlite.locks', {});
    if (found[which].length > 0) return found[which];
    await context.sleep(300);
  }
  return [];
}

/** Null when the lock keeps readers out as well. */
async function stateOf(context: Context): Promise<{ class: IntegrityClass; rows: Record<string, number | null> } | null> {
  try {
    const found = await context.probe('sqlite.integrity', {});
    const canaries = context.resource.canary_tables;
    const counted = found.tables.filter(({ name }) => canaries.length === 0 || canaries.includes(name));
    return { class: found.class, rows: Object.fromEntries(counted.map(({ name, rows }) => [name, rows])) };
  } catch (error) {
    if (causes(error).some((text) => text.includes('database is locked'))) return null;
    throw error;
  }
}

function causes(error: unknown): string[] {
  return error instanceof Error ? [error.message, ...causes(error.cause)] : [];
}

export function sqliteSteps({ facts, params }: { facts: SqliteLockedFacts; params: Params }): PlannedStep[] {
  const { path, holders } = facts;
  const identities = holders.map(({ pid, started }) => ({ pid, started }));
  const rung = { run: 'while_symptom', on_failure: 'next' } as const;
  const { sqlite_ask_signal: signal, sqlite_release_url: release_url } = params;
  const steps: PlannedStep[] = [];
  if (holders.length > 0) {
    steps.push(step({
      ...rung, id: 'wait', action: 'sqlite.wait_for_lock', with: { path, holders: identities, seconds: params.sqlite_wait_seconds },
      effect: `waits up to ${params.sqlite_wait_seconds} s for ${holders.map(nameOf).join(', ')} to let go`, reversibility: 'reversible',
      timeout_seconds: params.sqlite_wait_seconds + 60,
    }));
  }
  if (signal !== null || release_url !== null) {
    for (const { listed: _, roles: __, ...holder } of holders) {
      steps.push(step({
        ...rung, id: `ask_${holder.pid}`, action: 'sqlite.ask_owner', with: { path, ...holder, signal, release_url, seconds: params.sqlite_ask_seconds },
        effect: `asks ${nameOf(holder)} to let go by ${[signal, release_url].filter((way) => way !== null).join(' and ')}`,
        timeout_seconds: params.sqlite_ask_seconds + 60,
      }));
    }
  }
  for (const { listed, roles: _, ...holder } of holders) {
    if (!listed) continue;
    steps.push(step({
      ...rung, id: `terminate_${holder.pid}`, action: 'sqlite.terminate_holder', with: { path, ...holder, deadline_seconds: params.sqlite_terminate_seconds },
      effect: `ends ${nameOf(holder)}: SIGTERM, SIGKILL after ${params.sqlite_terminate_seconds} s; its open transaction is rolled back`,
      timeout_seconds: params.sqlite_terminate_seconds + 60,
    }));
  }
  if (facts.wal_bytes > 0) {
    steps.push(step({
      id: 'checkpoint', action: 'sqlite.checkpoint', with: { path }, on_failure: 'next',
      effect: `moves ${facts.wal_bytes} bytes of WAL into ${path} and empties it; the WAL is not deleted`, reversibility: 'reversible', timeout_seconds: 180,
    }));
  }
  return steps;
}

export const verifySqlite = {
  async symptom(context: Verifying): Promise<Check> {
    const write = await context.probe('sqlite.write_check', { busy_timeout_ms: context.params.sqlite_busy_timeout_ms });
    const { wal_bytes } = await context.probe('sqlite.wal', {});
    const small = wal_bytes <= context.params.sqlite_wal_limit_bytes;
    return {
      ok: write.ok && small, measured: { write, wal_bytes },
      found: `${write.ok ? `a write began after ${write.latency_ms} ms` : `no write can begin: ${write.error ?? 'for no reason that is known'}`}; the WAL has ${wal_bytes} bytes`,
    };
  },
  /** The kernel's word, not SQLite's: of those that were in the way, none holds a lock that is. */
  async independent(context: Verifying): Promise<Check> {
    const { blockers, pins } = await context.probe('sqlite.locks', {});
    const still = context.facts.holders.filter((before) =>
      [...blockers, ...pins].some((now) => now.pid === before.pid && now.started === before.started));
    return {
      ok: still.length === 0, measured: [...blockers, ...pins] as Json,
      found: still.length === 0 ? 'no process of the plan holds a lock that is in the way' : `still in the way: ${still.map(nameOf).join(', ')}`,
    };
  },
  async must_not_regress(context: Verifying): Promise<Check> {
    const state = await stateOf(context);
    if (state === null) return { ok: false, found: 'it is locked: its rows cannot be counted', measured: null };
    const fewer = Object.entries(context.facts.rows).filter(([table, before]) => before !== null && !((state.rows[table] ?? -1) >= before));
    const missing = context.resource.canary_tables.filter((table) => typeof state.rows[table] !== 'number');
    const ok = state.class === 'ok' && fewer.length === 0 && missing.length === 0;
    const bad = [...fewer.map(([table, before]) => `${table} has ${state.rows[table] ?? 'no'} rows, ${before} before`), ...missing.map((table) => `${table} cannot be counted`)];
    return { ok, found: ok ? 'it is sound, and no canary table has fewer rows' : [`integrity: ${state.class}`, ...bad].join('; '), measured: state };
  },
};
