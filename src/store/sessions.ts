/**
 * Browser sessions: a cookie that stands for an API key and dies with it. The cookie and the one-use codes that start a
 * session are random texts of 144 bits or more, stored as HMACs only.
 */
import { randomBytes } from 'node:crypto';
import { actorOf, type Principal, type PrincipalKind, type Role } from '../domain/actor.ts';
import { noSubject } from '../domain/event.ts';
import type { Database, Query } from './database.ts';
import { insertEvents, uuidv7 } from './events.ts';
import { hmacOf } from './keys.ts';

export interface Session {
  session_id: string;
  /** When it ends if it is not used until then. */
  expires_at: string;
}

/** A session begins with the only sight of its token. */
export interface NewSession extends Session {
  token: string;
  principal: Principal;
  /** When it ends however much it is used. */
  ends_at: string;
}

/** Twelve hours without a request end a session, and seven days end any. */
export const sessionIdleHours = 12;
export const sessionDays = 7;
export const codeMinutes = 10;

/** More than anybody needs: the oldest make room, so that no key fills the table. */
const sessionsPerKey = 50;
const codesPerKey = 20;

const keyIsUsable = 'k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > clock_timestamp())';
const tokenPattern = /^[\w-]{43}$/;
const codePattern = /^[\w-]{24}$/;

// Prefixed, so that no text of one kind can pass for another.
const tokenHmac = (pepper: Buffer, token: string): string => hmacOf(pepper, `session:${token}`);
const codeHmac = (pepper: Buffer, code: string): string => hmacOf(pepper, `sign-in code:${code}`);

/** A code that signs in once, as the holder of this key, within ten minutes. */
export async function addSignInCode(query: Query, pepper: Buffer, keyId: string): Promise<{ code: string; expires_at: string }> {
  const code = randomBytes(18).toString('base64url');
  await query(
    `DELETE FROM sign_in_codes WHERE expires_at < clock_timestamp() OR code_hmac IN (
       SELECT code_hmac FROM sign_in_codes WHERE key_id = $1 ORDER BY created_at DESC OFFSET $2)`, [keyId, codesPerKey - 1]);
  const [row] = await query<{ expires_at: string }>(
    `INSERT INTO sign_in_codes (code_hmac, key_id, expires_at)
     VALUES ($1, $2, clock_timestamp() + make_interval(mins => $3)) RETURNING expires_at`, [codeHmac(pepper, code), keyId, codeMinutes]);
  return { code, expires_at: row!.expires_at };
}

/** Spends the code. Of several at once one wins; undefined when it is unknown, spent, late, or its key is dead. */
export async function signInWithCode(database: Database, pepper: Buffer, code: string): Promise<NewSession | undefined> {
  if (!codePattern.test(code)) return undefined;
  return database.transaction(async (query) => {
    const [spent] = await query<{ key_id: string; in_time: boolean }>(
      'DELETE FROM sign_in_codes WHERE code_hmac = $1 RETURNING key_id, expires_at > clock_timestamp() AS in_time', [codeHmac(pepper, code)]);
    return spent?.in_time ? startSession(query, pepper, spent.key_id, 'code') : undefined;
  });
}

export const signInWithKey = (database: Database, pepper: Buffer, { key_id }: Principal): Promise<NewSession | undefined> =>
  database.transaction((query) => startSession(query, pepper, key_id, 'api_key'));

async function startSession(query: Query, pepper: Buffer, keyId: string, by: 'code' | 'api_key'): Promise<NewSession | undefined> {
  await query(
    `DELETE FROM sessions WHERE expires_at < clock_timestamp() OR token_hmac IN (
       SELECT token_hmac FROM sessions WHERE key_id = $1 ORDER BY created_at DESC OFFSET $2)`, [keyId, sessionsPerKey - 1]);
  const token = randomBytes(32).toString('base64url');
  const [row] = await query<HolderRow & { session_id: string; expires_at: string; ends_at: string }>(
    `WITH fresh AS (
       INSERT INTO sessions (token_hmac, session_id, key_id, expires_at, ends_at)
       SELECT $1, $2, k.key_id, clock_timestamp() + make_interval(hours => $4), clock_timestamp() + make_interval(days => $5)
         FROM api_keys k WHERE k.key_id = $3 AND ${keyIsUsable}
       RETURNING session_id, key_id, expires_at, ends_at)
     SELECT session_id, key_id, k.principal_id, k.kind, k.role, LEAST(fresh.expires_at, k.expires_at) AS expires_at, LEAST(ends_at, k.expires_at) AS ends_at
       FROM fresh JOIN api_keys k USING (key_id)`,
    [tokenHmac(pepper, token), uuidv7(), keyId, sessionIdleHours, sessionDays]);
  if (row === undefined) return undefined;
  const principal = holderOf(row);
  await insertEvents(query, [{
    type: 'session.started', actor: actorOf(principal), subject: noSubject, payload: { session_id: row.session_id, key_id: keyId, by },
    idempotency_key: `session:${row.session_id}:started`,
  }]);
  return { token, principal, session_id: row.session_id, expires_at: row.expires_at, ends_at: row.ends_at };
}

/** Who holds this cookie, or undefined. Its end moves on with use; a revoked or expired key ends it at once. */
export async function findSession(query: Query, pepper: Buffer, token: string): Promise<{ principal: Principal; session: Session } | undefined> {
  if (!tokenPattern.test(token)) return undefined;
  const hmac = tokenHmac(pepper, token);
  const [row] = await query<HolderRow & Session & { due: boolean }>(
    `SELECT s.session_id, s.key_id, k.principal_id, k.kind, k.role, LEAST(s.expires_at, k.expires_at) AS expires_at,
            s.expires_at < LEAST(s.ends_at, clock_timestamp() + make_interval(hours => $2, mins => -5)) AS due
       FROM sessions s JOIN api_keys k USING (key_id)
      WHERE s.token_hmac = $1 AND s.expires_at > clock_timestamp() AND ${keyIsUsable}`, [hmac, sessionIdleHours]);
  if (row === undefined) return undefined;
  // Written every five minutes at most, not with every request.
  const [moved] = row.due ? await query<{ expires_at: string }>(
    `UPDATE sessions s SET expires_at = LEAST(s.ends_at, clock_timestamp() + make_interval(hours => $2)) FROM api_keys k
      WHERE s.token_hmac = $1 AND k.key_id = s.key_id RETURNING LEAST(s.expires_at, k.expires_at) AS expires_at`, [hmac, sessionIdleHours]) : [];
  return { principal: holderOf(row), session: { session_id: row.session_id, expires_at: moved?.expires_at ?? row.expires_at } };
}

/** @returns false when it was over already */
export async function endSession(database: Database, sessionId: string, principal: Principal): Promise<boolean> {
  return database.transaction(async (query) => {
    const ended = await query('DELETE FROM sessions WHERE session_id = $1 RETURNING session_id', [sessionId]);
    if (ended.length === 0) return false;
    await insertEvents(query, [{
      type: 'session.ended', actor: actorOf(principal), subject: noSubject, payload: { session_id: sessionId, key_id: principal.key_id },
      idempotency_key: `session:${sessionId}:ended`,
    }]);
    return true;
  });
}

/**
 * Which of these keys and sessions still hold: asked for connections that stay open. An open page is a session in use,
 * so its end moves on.
 */
export async function validSignIns(
  query: Query, signIns: readonly { key_id: string; session_id: string | null }[],
): Promise<{ keys: Set<string>; sessions: Set<string> }> {
  const sessions = [...new Set(signIns.flatMap(({ session_id }) => session_id ?? []))];
  const rows = await query<{ key_id: string | null; session_id: string | null }>(
    `WITH used AS (
       UPDATE sessions SET expires_at = LEAST(ends_at, clock_timestamp() + make_interval(hours => $3))
        WHERE session_id = ANY($2::uuid[]) AND expires_at > clock_timestamp()
          AND expires_at < LEAST(ends_at, clock_timestamp() + make_interval(hours => $3, mins => -5)))
     SELECT key_id, NULL::uuid AS session_id FROM api_keys k WHERE key_id = ANY($1) AND ${keyIsUsable}
     UNION ALL SELECT NULL, session_id FROM sessions WHERE session_id = ANY($2::uuid[]) AND expires_at > clock_timestamp()`,
    [[...new Set(signIns.map(({ key_id }) => key_id))], sessions, sessionIdleHours]);
  return { keys: new Set(rows.flatMap(({ key_id }) => key_id ?? [])), sessions: new Set(rows.flatMap(({ session_id }) => session_id ?? [])) };
}

interface HolderRow { key_id: string; principal_id: string; kind: PrincipalKind; role: Role }

const holderOf = ({ key_id, principal_id, kind, role }: HolderRow): Principal => ({ id: principal_id, kind, role, key_id });
