/** Repositories, keys and metrics: what missions refer to. */
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { actorOf, principalKinds, roles } from '../../domain/actor.ts';
import { noSubject } from '../../domain/event.ts';
import { metricDefinitionSchema, metricIdSchema, observationInputSchema } from '../../domain/schema/metric.ts';
import { createRepositorySchema } from '../../domain/schema/repository.ts';
import { text } from '../../domain/schema/text.ts';
import { digestOf } from '../../ledger/canonical.ts';
import { insertEvents, uuidv7 } from '../../store/events.ts';
import { addKey, listKeys, newKeyText, revokeKey } from '../../store/keys.ts';
import { fromDefinition, insertSamples, saveMetric } from '../../store/metrics.ts';
import { listRepositories } from '../../store/repositories.ts';
import type { ApiDeps } from '../context.ts';
import { Problem } from '../problem.ts';
import { createRepository } from '../repositories.ts';
import { answers, idText, keySchema, listOf, metricSchema, moment, repositorySchema } from '../schemas.ts';

const metricParams = z.strictObject({ metric_id: metricIdSchema });
const maxSampleAgeMs = 24 * 3_600_000;
const maxSampleLeadMs = 60_000;

export const registryRoutes = (deps: ApiDeps): FastifyPluginAsyncZod => async (app) => {
  const { database, catalog, pepper } = deps;

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
    schema: { tags: ['keys'], summary: 'Revoke an API key at once', params: z.strictObject({ key_id: idText }), response: answers(200, keySchema) },
  }, async (request) => {
    const key = await revokeKey(database, request.params.key_id, actorOf(request.principal));
    if (key === undefined) throw new Problem(404, 'KEY_NOT_FOUND', `there is no key ${request.params.key_id}`);
    return key;
  });

  app.get('/metrics', {
    config: { permission: 'metric:read' },
    schema: { tags: ['metrics'], summary: 'The metrics catalog', response: answers(200, listOf(metricSchema)) },
  }, async () => ({ items: await catalog.all(), next_cursor: null }));

  app.put('/metrics/:metric_id', {
    config: { permission: 'metric:write' },
    schema: {
      tags: ['metrics'], summary: 'Define a pushed metric', params: metricParams, body: metricDefinitionSchema,
      response: { ...answers(200, metricSchema), ...answers(201, metricSchema) },
    },
  }, async (request, reply) => {
    const { metric_id } = request.params;
    if ((await catalog.fromFile()).some((metric) => metric.metric_id === metric_id)) {
      throw new Problem(409, 'METRIC_IN_FILE', `${metric_id} is defined by config/metrics_catalog.yaml`);
    }
    const saved = await database.transaction(async (query) => {
      const result = await saveMetric(query, metric_id, request.body, request.principal.id);
      await insertEvents(query, [{
        type: 'metric.defined', actor: actorOf(request.principal), subject: noSubject,
        payload: { metric_id, definition_digest: digestOf(request.body) }, idempotency_key: `metric:${metric_id}:${uuidv7()}`,
      }]);
      return result;
    });
    reply.code(saved === 'created' ? 201 : 200);
    return fromDefinition(metric_id, request.body, 'api');
  });

  app.post('/metrics/:metric_id/observations', {
    config: { permission: 'metric:push' },
    schema: {
      tags: ['metrics'], summary: 'Push one observation, or up to 1,000', params: metricParams,
      body: z.union([observationInputSchema, z.array(observationInputSchema).min(1).max(1_000)]),
      response: answers(202, z.object({ accepted: z.number().int() })),
    },
  }, async (request, reply) => {
    const { metric_id } = request.params;
    if ((await catalog.find(metric_id)) === undefined) {
      throw new Problem(404, 'METRIC_UNKNOWN', `${metric_id} is not in the catalog; add it by PUT /mission-control/metrics/${metric_id}`);
    }
    const now = new Date();
    const samples = [request.body].flat().map((sample, i) => {
      const at = sample.at === undefined ? now : new Date(sample.at);
      if (at.getTime() > now.getTime() + maxSampleLeadMs || at.getTime() < now.getTime() - maxSampleAgeMs) {
        throw new Problem(422, 'SAMPLE_TIME', 'a sample may be at most 24 h old and 1 min ahead', [{ path: Array.isArray(request.body) ? `${i}.at` : 'at', message: 'out of range' }]);
      }
      return { value: sample.value, at: at.toISOString(), observed_revision: sample.observed_revision ?? null };
    });
    await insertSamples(database.query, metric_id, samples, request.principal);
    reply.code(202);
    return { accepted: samples.length };
  });
};
