/** DSSE envelopes (github.com/secure-systems-lab/dsse, protocol v1) around in-toto statements. */
import { verify } from 'node:crypto';
import type { Verifier } from './note.ts';

export const inTotoType = 'application/vnd.in-toto+json';

export interface Envelope {
  payloadType: string;
  /** Base64. */
  payload: string;
  signatures: { keyid: string; sig: string }[];
}

/** What is signed: the type cannot be swapped under a signature, because its length and itself come first. */
export function preAuthEncoding(type: string, body: Uint8Array): Buffer {
  const typeBytes = Buffer.from(type);
  return Buffer.concat([Buffer.from(`DSSEv1 ${typeBytes.length} `), typeBytes, Buffer.from(` ${body.length} `), body]);
}

/** @param sign Ed25519 over the given bytes */
export const envelop = (statement: unknown, keyid: string, sign: (bytes: Buffer) => Buffer): Envelope => {
  const body = Buffer.from(JSON.stringify(statement));
  return { payloadType: inTotoType, payload: body.toString('base64'), signatures: [{ keyid, sig: sign(preAuthEncoding(inTotoType, body)).toString('base64') }] };
};

/** The statement inside when one of the keys signed it. */
export function openEnvelope(envelope: Envelope, verifiers: readonly Verifier[]): unknown {
  const body = Buffer.from(envelope.payload, 'base64');
  const signed = preAuthEncoding(envelope.payloadType, body);
  const good = envelope.signatures.some(({ keyid, sig }) => verifiers.some((one) =>
    one.key_id === keyid && verify(null, signed, one.key, Buffer.from(sig, 'base64'))));
  return good ? JSON.parse(body.toString('utf8')) as unknown : undefined;
}
