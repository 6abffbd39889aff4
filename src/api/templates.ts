/** Create bodies that are completed from a template, before anything of them is checked. */
import type { FastifyRequest } from 'fastify';
import { isObject, mergePackage } from '../domain/template.ts';
import { findKey } from '../store/idempotency.ts';
import { findTemplate } from '../store/templates.ts';
import type { ApiDeps } from './context.ts';
import { Problem } from './problem.ts';

export const templateNotFound = (id: string): Problem => new Problem(404, 'TEMPLATE_NOT_FOUND', `there is no template ${id}`, [{ path: 'template_id', message: 'not there' }]);

/**
 * The body, with what its template says under it; one without a template, or of no known shape, as it is.
 * @throws Problem TEMPLATE_NOT_FOUND, SIGNATURE_INVALID
 */
export async function completeFromTemplate({ database }: ApiDeps, request: FastifyRequest): Promise<unknown> {
  const { body, principal } = request;
  if (!isObject(body) || typeof body['template_id'] !== 'string') return body;
  const id = body['template_id'];
  if (body['crypto_signatures'] !== undefined) {
    throw new Problem(422, 'SIGNATURE_INVALID', 'a signature is over the whole package, and this one takes a part from a template; send it whole',
      [{ path: 'crypto_signatures', message: 'cannot go with template_id' }]);
  }
  const template = id.length > 200 || id.includes('\0') ? undefined : await findTemplate(database.query, id);
  if (template === undefined) throw templateNotFound(id);
  if (template.removed_at !== null) {
    // The mission of an earlier request with this key is still its mission.
    const key = request.headers['idempotency-key'];
    const known = typeof key === 'string' && key.length <= 255 ? await findKey(database.query, principal.id, key) : undefined;
    if (known === undefined) throw templateNotFound(id);
  }
  return mergePackage(template.package, body);
}
