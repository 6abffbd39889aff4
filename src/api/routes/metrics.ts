/** Metrics: the catalog and where each stands, its series, definitions and pushed observations. */
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { actorOf } from '../../domain/actor.ts';
import { noSubject } from '../../domain/event.ts';
import { metricStates } from '../../domain/metric.ts';
import { metricDefinitionSchema, metricIdSchema, observationInputSchema } from '../../domain/schema/metric.ts';
import { isProbeMetric } from '../../domain/subsystem.ts';
import { digestOf } from '../../ledger/canonical.ts';
import { insertEvents, uuidv7 } from '../../store/events.ts';
import { standings } from '../../store/metric-board.ts';
import { series } from '../../store/metric-series.ts';
import { fromDefinition, insertSamples, saveMetric } from '../../store/metrics.ts';
import type { ApiDeps } from '../context.ts';
import { Problem } from '../problem.ts';
import { answers, listOf, metricSchema, moment } from '../schemas.ts';
import { seriesRange } from '../series-range.ts';

const metricParams = z.strictObject({ metric_id: metricIdSchema });
const maxSampleAgeMs = 24 * 3_600_000;
const maxSampleLeadMs = 60_000;

const standingSchema = metricSchema.extend({
  value: z.number().nullable(), last_value: z.number().nullable(), last_at: z.iso.datetime().nullable(),
  age_seconds: z.number().nullable(), state: z.enum(metricStates),
});
const seriesSchema = z.object({
  metric_id: z.string(), unit: z.string(), from: z.iso.datetime(), to: z.iso.datetime(), step_seconds: z.number(),
  points: z.array(z.object({
    at: z.iso.datetime(), count: z.number().int(), min: z.number(), max: z.number(), avg: z.number(), p95: z.number(),
  })),
});

/** @throws Problem METRIC_OF_PROBE */
function refuseProbeMetric(metricId: string): void {
  if (isProbeMetric(metricId)) throw new Problem(409, 'METRIC_OF_PROBE', `${metricId} is a probe's own: ids that start with health. are measured by Mission Control alone`);
}

export const metricRoutes = (deps: ApiDeps): FastifyPluginAsyncZod => async (app) => {
  const { database, catalog } = deps;

  async function known(metricId: string) {
    const metric = await catalog.find(metricId);
    if (metric !== undefined) return metric;
    throw new Problem(404, 'METRIC_UNKNOWN', `${metricId} is not in the catalog; add it by PUT /mission-control/metrics/${metricId}`);
  }

  app.get('/metrics', {
    config: { permission: 'metric:read' },
    schema: {
      tags: ['metrics'], summary: 'The metrics catalog, and where each metric stands now',
      response: answers(200, listOf(standingSchema).extend({
        catalog_problem: z.string().nullable().describe('why the catalog file as it is now is not in force'),
      })),
    },
  }, async () => ({
    items: await standings(database.query, await catalog.all(), new Date()), next_cursor: null, catalog_problem: await catalog.problem(),
  }));

  app.get('/metrics/:metric_id/series', {
    config: { permission: 'metric:read' },
    schema: {
      tags: ['metrics'], summary: 'A metric over time: the steps that hold samples', params: metricParams,
      querystring: z.strictObject({ from: moment.optional(), to: moment.optional(), step: z.coerce.number().optional().describe('seconds') }),
      response: answers(200, seriesSchema),
    },
  }, async (request) => {
    const { metric_id } = request.params;
    const { unit } = await known(metric_id);
    const { from, to, stepMs } = seriesRange(request.query, Date.now());
    return {
      metric_id, unit, from: new Date(from).toISOString(), to: new Date(to).toISOString(), step_seconds: stepMs / 1_000,
      points: await series(database.query, metric_id, from, to, stepMs),
    };
  });

  app.put('/metrics/:metric_id', {
    config: { permission: 'metric:write' },
    schema: {
      tags: ['metrics'], summary: 'Define a pushed metric', params: metricParams, body: metricDefinitionSchema,
      response: { ...answers(200, metricSchema), ...answers(201, metricSchema) },
    },
  }, async (request, reply) => {
    const { metric_id } = request.params;
    refuseProbeMetric(metric_id);
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
    refuseProbeMetric(metric_id);
    await known(metric_id);
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
