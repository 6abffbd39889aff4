/** Signatures on mission packages: Ed25519 by a registered key over the RFC 8785 bytes of the body as it was sent. */
import { createPublicKey, verify } from 'node:crypto';
import type { CreateMission } from '../domain/schema/mission-package.ts';
import { canonical } from '../ledger/canonical.ts';
import { findSigningKey } from '../store/signing-keys.ts';
import type { ApiDeps } from './context.ts';
import { Problem } from './problem.ts';

/**
 * @param sent the parsed body before defaults were filled in
 * @throws Problem SIGNATURE_INVALID naming the signature
 */
export async function requireSignatures(deps: ApiDeps, signatures: CreateMission['crypto_signatures'], sent: object): Promise<void> {
  const { crypto_signatures: _, ...signed } = sent as Record<string, unknown>;
  const bytes = Buffer.from(canonical(signed));
  for (const [i, { key_id, signature }] of signatures.entries()) {
    const key = await findSigningKey(deps.database, key_id);
    const refuse = (why: string): Problem =>
      new Problem(422, 'SIGNATURE_INVALID', `the signature of ${key_id} is refused: ${why}`, [{ path: `crypto_signatures.${i}`, message: why }]);
    if (key === undefined) throw refuse('the key is not registered');
    const given = Buffer.from(signature, 'base64');
    if (given.length !== 64 || !verify(null, bytes, createPublicKey(key.public_key), given)) throw refuse('it does not match the body');
  }
}
