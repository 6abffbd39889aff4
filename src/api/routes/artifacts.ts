import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { maxDiffBytes } from '../../domain/schema/mission-package.ts';
import type { ApiDeps } from '../context.ts';
import { Problem } from '../problem.ts';
import { answers } from '../schemas.ts';

const maxBundleBytes = 64 * 1024 * 1024;
const takenTypes = { 'text/x-diff': maxDiffBytes, 'application/x-git-bundle': maxBundleBytes } as const;

export const artifactRoutes = (deps: ApiDeps): FastifyPluginAsyncZod => async (app) => {
  for (const [type, bodyLimit] of Object.entries(takenTypes)) {
    app.addContentTypeParser(type, { parseAs: 'buffer', bodyLimit }, (_request, body, done) => { done(null, body); });
  }

  app.post('/artifacts', {
    // No limit of the route's own: it would replace those of the types.
    config: { permission: 'artifact:write' },
    schema: {
      tags: ['missions'], summary: `Store a patch: ${Object.keys(takenTypes).join(' or ')}, named by its sha256 in patch_candidates`,
      response: answers(201, z.object({ sha256: z.string(), size_bytes: z.number().int(), media_type: z.string() })),
    },
  }, async (request, reply) => {
    if (!Buffer.isBuffer(request.body) || request.body.length === 0) {
      throw new Problem(415, 'UNSUPPORTED_MEDIA_TYPE', `send the bytes as ${Object.keys(takenTypes).join(' or ')}`);
    }
    reply.code(201);
    return deps.artifacts.put(request.body, request.headers['content-type']!.split(';')[0]!.trim().toLowerCase());
  });

  app.get('/artifacts/:sha256', {
    config: { permission: 'mission:read' },
    schema: {
      tags: ['missions'], summary: 'The bytes of one artefact', response: answers(200, z.string().describe('as they were stored, with their media type')),
      params: z.strictObject({ sha256: z.string().regex(/^[0-9a-f]{64}$/, 'a hex sha256') }),
    },
  }, async (request, reply) => {
    const { sha256 } = request.params;
    const known = await deps.artifacts.describe(sha256);
    if (known === undefined) throw new Problem(404, 'ARTIFACT_NOT_FOUND', `there is no artefact ${sha256}`);
    // What a repository's tests printed is never a page of ours.
    reply.header('content-security-policy', "default-src 'none'; sandbox").header('x-content-type-options', 'nosniff');
    reply.header('content-disposition', `attachment; filename="${sha256.slice(0, 16)}"`);
    reply.type(known.media_type);
    return reply.serializer((bytes: unknown) => bytes as string).send(await deps.artifacts.read(sha256));
  });
};
