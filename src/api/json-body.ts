/** The one kind of body that is read: JSON in UTF-8. Everything else is 415 or 400, never a body nobody validated. */
import type { FastifyInstance } from 'fastify';
import { Problem } from './problem.ts';

/**
 * `__proto__` and `constructor` come through as the keys they are, so that the strict schemas name them as unknown
 * fields; a key given twice has its last value, as in every JSON parser we know.
 */
export function registerJsonBody(app: FastifyInstance): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('application/json', { parseAs: 'buffer' }, (_request, body: Buffer, done) => {
    try {
      done(null, parse(body));
    } catch (error) {
      done(error as Error);
    }
  });
}

function parse(body: Buffer): unknown {
  if (body.length === 0) throw new Problem(400, 'INVALID_JSON', 'the body is empty; send a JSON object');
  let text: string;
  try {
    // Fatal: a byte that is not UTF-8 must not quietly become another character of somebody's diff.
    text = new TextDecoder('utf-8', { fatal: true }).decode(body);
  } catch {
    throw new Problem(400, 'INVALID_JSON', 'the body is not UTF-8');
  }
  try {
    return JSON.parse(text);
  } catch {
    throw new Problem(400, 'INVALID_JSON', 'the body is not valid JSON');
  }
}
