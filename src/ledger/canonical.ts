/** Canonical bytes (RFC 8785) and digests over them: what gets signed, compared and chained. */
import { createHash, randomBytes } from 'node:crypto';
import canonicalizeModule from 'canonicalize';

// The package's CommonJS default export shows up as a namespace under nodenext.
const canonicalize = canonicalizeModule as unknown as (value: unknown) => string | undefined;

/**
 * RFC 8785 text of a JSON value.
 * @throws TypeError for what JSON cannot say (undefined, functions, NaN)
 */
export function canonical(value: unknown): string {
  const text = canonicalize(value);
  if (text === undefined) throw new TypeError('not a JSON value');
  return text;
}

/** Hex sha256 of bytes or UTF-8 text. */
export const sha256 = (data: string | Uint8Array): string => createHash('sha256').update(data).digest('hex');

/** Hex sha256 over the canonical form of a JSON value. */
export const digestOf = (value: unknown): string => sha256(canonical(value));

/** Digest of an event's payload; the salt keeps a redacted small payload from being guessed. */
export const saltedDigest = (salt: string, payload: unknown): string => sha256(`${salt}\n${canonical(payload)}`);

export const newSalt = (): string => randomBytes(16).toString('hex');
