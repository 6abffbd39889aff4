/** One figure from a PostgreSQL database, which the query cannot change. */
import { Socket } from 'node:net';
import pg from 'pg';
import type { EgressPolicy } from '../../domain/egress.ts';
import type { MetricSource } from '../../domain/metric.ts';
import { guardedLookup } from '../egress.ts';

/** int2, int4, int8, float4, float8, numeric. */
const numericTypes = new Set([21, 23, 20, 700, 701, 1700]);
const connectMs = 5_000;

/** @throws Error when it is not one row with one number */
export async function queryPostgres(source: Extract<MetricSource, { kind: 'postgres' }>, egress: EgressPolicy): Promise<unknown> {
  const url = process.env[source.url_env];
  if (url === undefined || url === '') throw new Error(`the environment variable ${source.url_env} is not set`);
  const limit = Math.round(source.timeout_seconds * 1_000);
  const client = new pg.Client({
    connectionString: url, connectionTimeoutMillis: connectMs, statement_timeout: limit, query_timeout: limit + 1_000,
    application_name: 'mission-control-metric', stream: () => guardedSocket(egress),
  });
  // A connection that breaks while nothing is asked must not end the worker.
  client.on('error', () => undefined);
  try {
    await client.connect();
    await client.query('BEGIN TRANSACTION READ ONLY');
    // Inside of a SELECT there is neither another statement nor COPY; two rows are enough to see that it is not one.
    const { rows, fields } = await client.query<unknown[]>({
      text: `SELECT * FROM (\n${source.query.replace(/;\s*$/, '')}\n) AS figure LIMIT 2`, rowMode: 'array', queryMode: 'extended',
    } as pg.QueryArrayConfig);
    return oneNumber(rows, fields);
  } finally {
    await client.end().catch(() => undefined);
  }
}

function oneNumber(rows: readonly unknown[][], fields: readonly pg.FieldDef[]): unknown {
  const [field, ...more] = fields;
  if (field === undefined || more.length > 0) throw new Error(`the query gives ${fields.length} columns, not one`);
  if (rows.length !== 1) throw new Error(`the query gives ${rows.length === 0 ? 'no row' : 'more than one row'}`);
  const value = rows[0]![0];
  if (value === null) return null;
  if (!numericTypes.has(field.dataTypeID)) throw new Error(`the query gives a column ${field.name.slice(0, 50)} that is not numeric`);
  return Number(value);
}

/** Connects like any other request of ours: private addresses only where the policy lists them. */
function guardedSocket(egress: EgressPolicy): Socket {
  const socket = new Socket();
  const connect = socket.connect.bind(socket);
  return Object.assign(socket, {
    connect(target: number | string, host?: string): Socket {
      if (typeof target === 'string') return connect(target);
      try {
        const name = host ?? 'localhost';
        const { check, lookup } = guardedLookup(name, String(target), egress);
        check(name.replace(/^\[|\]$/g, ''));
        return connect({ port: target, host: name, lookup });
      } catch (error) {
        return socket.destroy(error as Error);
      }
    },
  });
}
