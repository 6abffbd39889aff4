/** Cursors of lists: opaque and signed, so that a forged one is refused instead of becoming a query. */
import { createHmac, timingSafeEqual } from 'node:crypto';
import { Problem } from './problem.ts';

const sign = (text: string, secret: Buffer): string => createHmac('sha256', secret).update(`cursor:${text}`).digest('base64url').slice(0, 22);

export function writeCursor(position: number, secret: Buffer): string {
  const text = String(position);
  return `${text}.${sign(text, secret)}`;
}

/** @throws Problem CURSOR_INVALID */
export function readCursor(cursor: string | undefined, secret: Buffer): number | null {
  if (cursor === undefined) return null;
  const [text = '', signature = ''] = cursor.split('.');
  const expected = Buffer.from(sign(text, secret));
  const given = Buffer.from(signature);
  if (given.length !== expected.length || !timingSafeEqual(given, expected)) {
    throw new Problem(400, 'CURSOR_INVALID', 'the cursor is not one of ours; start again without it', [{ path: 'cursor', message: 'not valid' }]);
  }
  return Number(text);
}
