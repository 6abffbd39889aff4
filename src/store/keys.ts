/**
 * API keys `mck_<id>_<secret><checksum>`: shown once, stored as an HMAC whose pepper is outside the database.
 * The secret has 256 random bits, so a keyed hash is enough; scrypt would cost 16,000 times more per request.
 */
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import type { Actor, Principal, PrincipalKind, Role } from '../domain/actor.ts';
import { noSubject } from '../domain/event.ts';
import { sha256 } from '../ledger/canonical.ts';
import type { Database } from './database.ts';
import { insertEvents } from './events.ts';

export interface KeyRecord {
  key_id: string;
  principal_id: string;
  kind: PrincipalKind;
  role: Role;
  name: string;
  created_by: string;
  created_at: string;
  expires_at: string | null;
  revoked_at: string | null;
}

export interface NewKey {
  principal_id: string;
  kind: PrincipalKind;
  role: Role;
  name: string;
  expires_at: string | null;
}

const keyPattern = /^mck_([0-9a-f]{16})_([0-9a-f]{64})([0-9a-f]{8})$/;

/** A fresh key text. The checksum lets a mistyped key be told from a wrong one without asking the database. */
export function newKeyText(): string {
  const id = randomBytes(8).toString('hex');
  const secret = randomBytes(32).toString('hex');
  return `mck_${id}_${secret}${checksum(id, secret)}`;
}

const checksum = (id: string, secret: string): string => sha256(`${id}:${secret}`).slice(0, 8);

/** Parts of a well-formed key, or undefined. */
export function parseKey(text: string): { id: string; secret: string } | undefined {
  const match = keyPattern.exec(text);
  if (match === null) return undefined;
  const [, id, secret, sum] = match as unknown as [string, string, string, string];
  return sum === checksum(id, secret) ? { id, secret } : undefined;
}

export const hmacOf = (pepper: Buffer, secret: string): string => createHmac('sha256', pepper).update(secret).digest('hex');

/** Stores a key; a key text that is stored already stays as it is. */
export async function addKey(database: Database, pepper: Buffer, keyText: string, key: NewKey, actor: Actor): Promise<KeyRecord> {
  const parts = parseKey(keyText);
  if (parts === undefined) throw new Error('not a key of ours');
  return database.registry.$transaction(async (tx) => {
    // Not upsert: without an update it reads, then inserts, and of two processes that start at once one fails.
    await tx.api_keys.createMany({
      data: [{ key_id: parts.id, secret_hmac: hmacOf(pepper, parts.secret), created_by: actor.id, ...key }], skipDuplicates: true,
    });
    const row = await tx.api_keys.findUniqueOrThrow({ where: { key_id: parts.id } });
    await insertEvents((text, params = []) => tx.$queryRawUnsafe(text, ...params), [{
      type: 'key.added', actor, subject: noSubject,
      payload: { key_id: row.key_id, principal_id: row.principal_id, kind: row.kind, role: row.role },
      idempotency_key: `key:${row.key_id}:added`,
    }]);
    return fromRow(row);
  });
}

/** Who this key text is, or undefined: unknown, expired and revoked look the same to the caller. */
export async function authenticate(database: Database, pepper: Buffer, keyText: string): Promise<Principal | undefined> {
  const parts = parseKey(keyText);
  if (parts === undefined) return undefined;
  const [row] = await database.prepared<{
    key_id: string; principal_id: string; kind: PrincipalKind; role: Role; secret_hmac: string; usable: boolean;
  }>(
    `SELECT key_id, principal_id, kind, role, secret_hmac,
            revoked_at IS NULL AND (expires_at IS NULL OR expires_at > clock_timestamp()) AS usable
       FROM api_keys WHERE key_id = $1`, [parts.id]);
  const given = Buffer.from(hmacOf(pepper, parts.secret));
  // Compared also when there is no such row, so that both take the same time.
  const expected = Buffer.from(row?.secret_hmac ?? '0'.repeat(given.length));
  if (!timingSafeEqual(given, expected) || row === undefined || !row.usable) return undefined;
  return { id: row.principal_id, kind: row.kind, role: row.role, key_id: row.key_id };
}

export async function listKeys(database: Database): Promise<KeyRecord[]> {
  const rows = await database.registry.api_keys.findMany({ orderBy: { created_at: 'desc' } });
  return rows.map(fromRow);
}

export async function keyById(database: Database, keyId: string): Promise<KeyRecord | undefined> {
  const row = await database.registry.api_keys.findUnique({ where: { key_id: keyId } });
  return row === null ? undefined : fromRow(row);
}

/**
 * Revokes a key, unless nobody could make another after that.
 * @returns undefined when there is no such key; revoking twice keeps the first time
 */
export async function revokeKey(database: Database, keyId: string, actor: Actor): Promise<KeyRecord | 'last_admin_key' | undefined> {
  return database.registry.$transaction(async (tx) => {
    // Locked, so that of two admins who revoke each other at once the second finds itself alone.
    const admins = await tx.$queryRaw<{ key_id: string }[]>`
      SELECT key_id FROM api_keys WHERE role = 'admin' AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > clock_timestamp())
       ORDER BY key_id FOR UPDATE`;
    if (admins.length === 1 && admins[0]!.key_id === keyId) return 'last_admin_key';
    await tx.api_keys.updateMany({ where: { key_id: keyId, revoked_at: null }, data: { revoked_at: new Date() } });
    const row = await tx.api_keys.findUnique({ where: { key_id: keyId } });
    if (row === null) return undefined;
    await insertEvents((text, params = []) => tx.$queryRawUnsafe(text, ...params), [{
      type: 'key.revoked', actor, subject: noSubject, payload: { key_id: keyId },
      idempotency_key: `key:${keyId}:revoked`,
    }]);
    return fromRow(row);
  });
}

type Row = Awaited<ReturnType<Database['registry']['api_keys']['findMany']>>[number];

function fromRow({ secret_hmac: _, ...row }: Row): KeyRecord {
  return {
    ...row, kind: row.kind as PrincipalKind, role: row.role as Role,
    created_at: row.created_at.toISOString(),
    expires_at: row.expires_at?.toISOString() ?? null,
    revoked_at: row.revoked_at?.toISOString() ?? null,
  };
}
