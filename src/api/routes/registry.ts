/** Repositories and keys: what missions refer to. */
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { actorOf, principalKinds, roles } from '../../domain/actor.ts';
import { createRepositorySchema } from '../../domain/schema/repository.ts';
import { text } from '../../domain/schema/text.ts';
import { addKey, listKeys, newKeyText, revokeKey } from '../../store/keys.ts';
import { listRepositories } from '../../store/repositories.ts';
import type { ApiDeps } from '../context.ts';
import { Problem } from '../problem.ts';
import { createRepository } from '../repositories.ts';
import { answers, idText, keySchema, listOf, moment, repositorySchema } from '../schemas.ts';

export const registryRoutes = (deps: ApiDeps): FastifyPluginAsyncZod => async (app) => {
  const { database, pepper } = deps;

  app.get('/repositories', {
    config: { permission: 'repository:read' },
    schema: { tags: ['repositories'], summary: 'Registered repositories', response: answers(200, listOf(repositorySchema)) },
  }, async () => ({ items: await listRepositories(database), next_cursor: null }));

  app.post('/repositories', {
    config: { permission: 'repository:write' },
    schema: { tags: ['repositories'], summary: 'Register a repository', body: createRepositorySchema, response: answers(201, repositorySchema) },
  }, async (request, reply) => {
    reply.code(201);
    return createRepository(deps, request.body, request.principal);
  });

  app.get('/keys', {
    config: { permission: 'key:manage' },
    schema: { tags: ['keys'], summary: 'API keys, without their secrets', response: answers(200, listOf(keySchema)) },
  }, async () => ({ items: await listKeys(database), next_cursor: null }));

  app.post('/keys', {
    config: { permission: 'key:manage' },
    schema: {
      tags: ['keys'], summary: 'Make an API key; it is shown this once',
      body: z.strictObject({
        principal_id: z.string().min(1).max(100).regex(/^[a-z0-9][a-z0-9_.@-]*$/i, 'letters, digits, _ . @ -'),
        kind: z.enum(principalKinds), role: z.enum(roles), name: text(200).default('api key'),
        expires_at: moment.optional(),
      }).refine((key) => (key.kind === 'agent') === (key.role === 'agent'), { path: ['role'], message: 'agents have the role agent, and nobody else' }),
      response: answers(201, keySchema.extend({ key: z.string() })),
    },
  }, async (request, reply) => {
    const keyText = newKeyText();
    const { expires_at = null, ...key } = request.body;
    const record = await addKey(database, pepper, keyText, { ...key, expires_at }, actorOf(request.principal));
    reply.code(201).header('cache-control', 'no-store');
    return { ...record, key: keyText };
  });

  app.delete('/keys/:key_id', {
    config: { permission: 'key:manage' },
    schema: { tags: ['keys'], summary: 'Revoke an API key at once; the last admin key stays', params: z.strictObject({ key_id: idText }), response: answers(200, keySchema) },
  }, async (request) => {
    const { key_id } = request.params;
    const key = await revokeKey(database, key_id, actorOf(request.principal));
    if (key === undefined) throw new Problem(404, 'KEY_NOT_FOUND', `there is no key ${key_id}`);
    if (key === 'last_admin_key') throw new Problem(409, 'LAST_ADMIN_KEY', `${key_id} is the last admin key: without it nobody could make another; add one first`);
    return key;
  });
};
