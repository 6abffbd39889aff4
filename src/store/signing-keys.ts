import { createPublicKey, randomBytes } from 'node:crypto';
import { actorOf, type Principal } from '../domain/actor.ts';
import { noSubject } from '../domain/event.ts';
import type { Database } from './database.ts';
import { insertEvents } from './events.ts';

export interface SigningKey {
  key_id: string;
  principal_id: string;
  /** SPKI, PEM. */
  public_key: string;
  created_at: string;
}

/** The key as SPKI PEM, or undefined when it is no Ed25519 public key. */
export function ed25519Key(text: string): string | undefined {
  try {
    // A private key would be taken too, and it should not have been sent.
    if (text.includes('PRIVATE KEY')) return undefined;
    const key = createPublicKey(text);
    return key.asymmetricKeyType === 'ed25519' ? key.export({ type: 'spki', format: 'pem' }).toString() : undefined;
  } catch {
    return undefined;
  }
}

/** @throws a unique violation when the key is registered */
export async function addSigningKey(database: Database, principalId: string, publicKey: string, by: Principal): Promise<SigningKey> {
  return database.transaction(async (query) => {
    const [row] = await query<SigningKey>(
      `INSERT INTO signing_keys (key_id, principal_id, public_key, created_by) VALUES ($1, $2, $3, $4)
       RETURNING key_id, principal_id, public_key, created_at`,
      [`sk_${randomBytes(6).toString('hex')}`, principalId, publicKey, by.id]);
    await insertEvents(query, [{
      type: 'signing_key.added', actor: actorOf(by), subject: noSubject, idempotency_key: `signing_key:${row!.key_id}`,
      payload: { key_id: row!.key_id, principal_id: principalId },
    }]);
    return row!;
  });
}

/** Newest first; revoked ones are no longer keys. */
export const listSigningKeys = (database: Database): Promise<SigningKey[]> =>
  database.query<SigningKey>('SELECT key_id, principal_id, public_key, created_at FROM signing_keys WHERE revoked_at IS NULL ORDER BY created_at DESC, key_id');

export async function findSigningKey(database: Database, keyId: string): Promise<SigningKey | undefined> {
  const [row] = await database.query<SigningKey>(
    'SELECT key_id, principal_id, public_key, created_at FROM signing_keys WHERE key_id = $1 AND revoked_at IS NULL', [keyId]);
  return row;
}
