/** Signatures of webhooks: made with a shared secret over time and body, good for five minutes, each taken once. */
import { createHmac, timingSafeEqual } from 'node:crypto';
import { Readable } from 'node:stream';
import type { FastifyRequest, RequestPayload } from 'fastify';
import { maxSignalBytes } from '../domain/schema/signal.ts';
import type { SignalSource } from '../domain/signal.ts';
import { sha256 } from '../ledger/canonical.ts';
import { replayWindowSeconds } from '../store/signals.ts';
import { findSignalSource } from '../store/signal-sources.ts';
import type { ApiDeps } from './context.ts';
import { Problem } from './problem.ts';

export const signatureHeader = 'mission-control-signature';

declare module 'fastify' {
  interface FastifyRequest {
    /** Set where the body's signature was proved. */
    webhook: { source: SignalSource; signature_digest: string } | null;
  }
}

const header = /^t=(\d{1,12}),v1=([0-9a-f]{64})$/;

/** What a sender computes. */
export const signatureOf = (secret: string, time: string | number, body: Uint8Array | string): string =>
  createHmac('sha256', secret).update(`${time}.`).update(body).digest('hex');

/**
 * Reads the body, proves its signature and hands the same bytes on.
 * @throws Problem 401 SIGNATURE_INVALID or SIGNATURE_EXPIRED, 413
 */
export async function proveSignature({ config, logger }: ApiDeps, request: FastifyRequest, payload: RequestPayload): Promise<RequestPayload> {
  const body = await readAll(payload);
  const { source: id } = request.params as { source: string };
  const refused = (code: string, detail: string): Problem => new Problem(401, code, detail, [{ path: signatureHeader, message: detail }]);
  const [, time = '', given = ''] = header.exec(String(request.headers[signatureHeader])) ?? [];
  if (given === '') throw refused('SIGNATURE_INVALID', 'the signature has not the form t=<unix seconds>,v1=<hex hmac-sha256>');
  const source = await findSignalSource(config.configFolder, id);
  const secret = source === undefined ? undefined : process.env[source.secret_env];
  if (source !== undefined && !secret) logger.warn({ event: 'signals.secret_missing', source: id, variable: source.secret_env });
  // Computed also without a source, so that a stranger learns no names by the time an answer takes.
  const expected = Buffer.from(signatureOf(secret || 'there is none', time, body));
  if (!timingSafeEqual(Buffer.from(given), expected) || source === undefined || !secret) {
    throw refused('SIGNATURE_INVALID', 'the signature is not that of a source we know over this body');
  }
  if (Math.abs(Date.now() / 1_000 - Number(time)) > replayWindowSeconds) {
    throw refused('SIGNATURE_EXPIRED', `the signature's time is more than ${replayWindowSeconds} s from ours`);
  }
  request.webhook = { source, signature_digest: sha256(`${id}:${time}:${given}`) };
  return Object.assign(Readable.from([body], { objectMode: false }), { receivedEncodedLength: body.length });
}

async function readAll(payload: RequestPayload): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of payload as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > maxSignalBytes) throw new Problem(413, 'BODY_TOO_LARGE', `a message of signals has at most ${maxSignalBytes} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
