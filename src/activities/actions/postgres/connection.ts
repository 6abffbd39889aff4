/** Connections of our own to a watched database: short-lived, named, limited in time, read-only unless an action writes. */
import pg from 'pg';
import type { PostgresResource } from '../../../domain/subsystem.ts';
import type { Query } from '../../../store/database.ts';
import { drift, refused, resourceOf, type ActionTools } from '../action.ts';

/** Our sessions say who they are, and no playbook ever cancels or ends one that says this. */
export const healingName = 'mission-control-healing';

export interface SessionLimits {
  mode: 'read_only' | 'read_write';
  statement_ms: number;
  /** How long a statement may wait for a lock: others queue behind it. */
  lock_ms?: number;
  /** `own`: whatever the role has, for statements that a person wrote. Otherwise nothing in the database can shadow a built-in. */
  search_path?: 'own';
}

const connectMs = 5_000;

/** The run's database, or a named one of the same subsystem. */
export async function postgresOf(tools: ActionTools, resourceId?: string): Promise<PostgresResource> {
  if (resourceId === undefined) return resourceOf(tools, 'postgres');
  const resource = await tools.sibling(resourceId);
  if (resource.kind !== 'postgres') throw drift(`${resourceId} is declared as ${resource.kind}, not postgres`);
  return resource;
}

/**
 * Runs `work` in a session of its own.
 * @throws CONNECTION_NOT_CONFIGURED; an Error with the reason's code only, since messages of a failed connection may hold parts of its URL
 */
export async function inSession<T>(
  { url_env }: PostgresResource, limits: SessionLimits, signal: AbortSignal, work: (query: Query, client: pg.Client) => Promise<T>,
): Promise<T> {
  const connectionString = process.env[url_env];
  if (connectionString === undefined || connectionString === '') {
    throw refused('CONNECTION_NOT_CONFIGURED', `the worker has no environment variable ${url_env}`);
  }
  signal.throwIfAborted();
  const client = connectionTo(connectionString, url_env, limits);
  // The server's last words come outside of any query; the query that then fails reports them.
  client.on('error', () => undefined);
  const onAbort = (): void => { void client.end().catch(() => undefined); };
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    await client.connect().catch((error: unknown) => { throw unreachable(url_env, error); });
    const query: Query = async <Row>(text: string, params: readonly unknown[] = []) => (await client.query(text, [...params])).rows as Row[];
    await begin(query, limits);
    return await work(query, client);
  } finally {
    signal.removeEventListener('abort', onAbort);
    await client.end().catch(() => undefined);
  }
}

function connectionTo(connectionString: string, name: string, { statement_ms }: SessionLimits): pg.Client {
  try {
    // A server that is gone without a word answers no statement timeout: the client has its own, a little longer.
    return new pg.Client({ connectionString, connectionTimeoutMillis: connectMs, query_timeout: statement_ms + 5_000 });
  } catch (error) {
    throw unreachable(name, error);
  }
}

const unreachable = (name: string, error: unknown): Error =>
  new Error(`cannot connect to the database of ${name}: ${(error as { code?: string }).code ?? 'no answer'}`);

/** Set by statements: a connection string may set the same as startup options, and poolers refuse those they do not know. */
async function begin(query: Query, { mode, statement_ms, lock_ms = 1_000, search_path }: SessionLimits): Promise<void> {
  const settings: Record<string, string> = {
    application_name: healingName, statement_timeout: String(statement_ms), lock_timeout: String(lock_ms),
    idle_in_transaction_session_timeout: String(statement_ms + 5_000),
    default_transaction_read_only: mode === 'read_only' ? 'on' : 'off',
    ...(search_path === 'own' ? {} : { search_path: 'pg_catalog' }),
  };
  await query('SELECT pg_catalog.set_config(key, value, false) FROM pg_catalog.jsonb_each_text($1::jsonb)', [JSON.stringify(settings)]);
}

/** The SQLSTATE of a failed statement; undefined for anything else. */
export const sqlState = (error: unknown): string | undefined => {
  const { code } = error as { code?: unknown };
  return typeof code === 'string' && /^[0-9A-Z]{5}$/.test(code) ? code : undefined;
};

/** `orders` or `sales.orders`, as spelled in the catalogue, ready for SQL; without a schema it is one of `public`. */
export function qualified(name: string): string {
  const dot = name.indexOf('.');
  return dot < 0 ? quoted('public', name) : quoted(name.slice(0, dot), name.slice(dot + 1));
}

export const quoted = (schema: string, name: string): string => `${pg.escapeIdentifier(schema)}.${pg.escapeIdentifier(name)}`;

/** A moment with all its microseconds, the same text every time: what tells one backend from a later one with its pid. */
export const exactly = (column: string): string => `to_char(${column} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')`;
