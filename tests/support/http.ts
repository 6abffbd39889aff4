/** The api as a stranger meets it: raw requests, and what they leave behind. */
import { connect } from 'node:net';
import { expect } from 'vitest';
import { problemSchema } from '../../src/api/problem.ts';
import { systemActor, type PrincipalKind, type Role } from '../../src/domain/actor.ts';
import { sha256 } from '../../src/ledger/canonical.ts';
import type { Database } from '../../src/store/database.ts';
import { addKey, newKeyText, parseKey } from '../../src/store/keys.ts';

export interface Answer { status: number; headers: Headers; text: string; body: Record<string, unknown> }

export interface Call {
  method?: string;
  key?: string;
  headers?: Record<string, string>;
  /** Sent as JSON, with its content type. */
  json?: unknown;
  /** Sent as it is. */
  raw?: string | Uint8Array;
}

/** One request, whatever its answer. */
export async function call(url: string, path: string, { method, key, headers = {}, json, raw }: Call = {}): Promise<Answer> {
  const body = json === undefined ? raw : JSON.stringify(json);
  const response = await fetch(`${url}${path}`, {
    method: method ?? (body === undefined ? 'GET' : 'POST'), redirect: 'manual',
    headers: {
      ...(key === undefined ? {} : { authorization: `Bearer ${key}` }),
      ...(json === undefined ? {} : { 'content-type': 'application/json' }), ...headers,
    },
    ...(body === undefined ? {} : { body }),
  });
  const text = await response.text();
  return { status: response.status, headers: response.headers, text, body: parsed(text) };
}

function parsed(text: string): Record<string, unknown> {
  try {
    return JSON.parse(text) as Record<string, unknown>;
  } catch {
    return {};
  }
}

/** Bytes that no client library would send. Resolves with all that came back when the server has closed. */
export function rawExchange(url: string, bytes: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port: Number(new URL(url).port) });
    const answer: Buffer[] = [];
    socket.on('data', (chunk: Buffer) => answer.push(chunk));
    // The server may close while we are still writing.
    socket.on('error', (error: NodeJS.ErrnoException) => { if (!['ECONNRESET', 'EPIPE'].includes(error.code ?? '')) reject(error); });
    socket.on('close', () => resolve(Buffer.concat(answer).toString('latin1')));
    socket.write(bytes);
  });
}

/** What every refusal looks like: whole, and silent about our insides. */
export function expectProblem(answer: Pick<Answer, 'status' | 'headers' | 'text'>, status: number, code: string, path?: string): void {
  const said = answer.text.slice(0, 2_000);
  expect(answer.status, said).toBe(status);
  expect(answer.headers.get('content-type'), said).toMatch(/^application\/problem\+json/);
  const problem = problemSchema.strict().parse(JSON.parse(answer.text));
  expect(problem, said).toMatchObject({ status, code, type: `urn:mission-control:problem:${code.toLowerCase()}` });
  expect(problem.title).not.toBe('Error');
  expect(problem.detail).not.toBe('');
  expect(problem.request_id).toMatch(/^[0-9a-f-]{36}$/);
  if (path !== undefined) expect(problem.errors.map((error) => error.path), said).toContain(path);
  for (const secret of [/\n\s+at /, /node_modules/, /\bSELECT\b|\bINSERT\b/, /\.ts:\d/, /prisma/i, /mck_[0-9a-f]{16}_/]) {
    expect(answer.text).not.toMatch(secret);
  }
  expect(answer.text.length, 'a refusal is short').toBeLessThan(20_000);
}

/** Rows of every table. */
export async function rowCounts({ query }: Pick<Database, 'query'>): Promise<Record<string, number>> {
  const tables = await query<{ name: string }>(
    "SELECT tablename AS name FROM pg_tables WHERE schemaname = 'public' AND tablename <> '_prisma_migrations' ORDER BY 1");
  const counts: Record<string, number> = {};
  for (const { name } of tables) {
    const [row] = await query<{ n: number }>(`SELECT count(*) AS n FROM "${name}"`);
    counts[name] = row?.n ?? NaN;
  }
  return counts;
}

/** Runs `work` and shows that no table has a row more or less afterwards. */
export async function changingNothing<T>(database: Database, work: () => Promise<T>): Promise<T> {
  const before = await rowCounts(database);
  const result = await work();
  expect(await rowCounts(database)).toEqual(before);
  return result;
}

interface Place { db: { database: Database }; pepper: Buffer }

/** A key text of somebody's own. */
export async function keyFor(
  { db, pepper }: Place, id: string, role: Role, expires_at: string | null = null, kind: PrincipalKind = role === 'agent' ? 'agent' : 'person',
): Promise<string> {
  const key = newKeyText();
  await addKey(db.database, pepper, key, { principal_id: id, role, kind, name: 'test', expires_at }, systemActor('test'));
  return key;
}

/** What a stranger can make who knows how keys look: the form and the checksum are right, the secret is not. */
export function forgedKey(keyId: string): string {
  const secret = '0'.repeat(64);
  return `mck_${keyId}_${secret}${sha256(`${keyId}:${secret}`).slice(0, 8)}`;
}

export const keyIdOf = (key: string): string => parseKey(key)!.id;
