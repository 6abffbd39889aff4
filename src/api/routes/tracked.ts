/** The paths of the original mission dashboard: the same missions, in its words. */
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { severities } from '../../domain/mission.ts';
import {
  cancelSchema, completeSchema, createTrackedSchema, failSchema, progressSchema, startTrackedSchema,
} from '../../domain/schema/tracked.ts';
import { statusesOf, trackedStatuses } from '../../domain/tracked.ts';
import { dashboardMetrics, metricsHistory } from '../../store/dashboard-metrics.ts';
import { listMissions } from '../../store/missions.ts';
import type { ApiDeps } from '../context.ts';
import { createMission } from '../create-mission.ts';
import { fromDashboard } from '../create-tracked.ts';
import { readCursor, writeCursor } from '../cursor.ts';
import { ensureStarted } from '../engine.ts';
import { missionOf } from '../find-mission.ts';
import { measureHealth, overall } from '../health.ts';
import { report, startTracked, trackedView, whenRunning, type ReportRequest } from '../report-mission.ts';
import { answers, limitQuery, missionIdParams, moment, searchText } from '../schemas.ts';
import { historyMoments } from '../series-range.ts';
import { dashboardMetricsSchema, metricsAtSchema, trackedSchema, trackedViews } from '../tracked-view.ts';

const headers = z.object({ 'idempotency-key': z.string().min(1).max(255).optional() });
const page = z.strictObject({ missions: z.array(trackedSchema), count: z.number().int(), next_cursor: z.string().nullable() });
const healthSchema = z.strictObject({
  status: z.enum(['healthy', 'unhealthy']), timestamp: z.iso.datetime(),
  parts: z.array(z.strictObject({ id: z.string(), state: z.string() })).describe('What a mission needs in order to run, measured now'),
});

export const trackedRoutes = (deps: ApiDeps): FastifyPluginAsyncZod => async (app) => {
  const { database: { query }, pepper } = deps;

  app.get('/missions', {
    config: { permission: 'mission:read' },
    schema: {
      tags: ['tracked'], summary: 'Every mission, newest first; those that run here are read-only',
      querystring: z.strictObject({
        status: z.enum(trackedStatuses).optional(), priority: z.enum(severities).optional(),
        search: searchText.optional(),
        limit: limitQuery, cursor: z.string().max(500).optional(),
      }),
      response: answers(200, page),
    },
  }, async (request) => {
    const { status, priority, search, limit, cursor } = request.query;
    const filter = { statuses: status === undefined ? undefined : statusesOf(status), severity: priority, q: search };
    const rows = await listMissions(query, filter, limit + 1, readCursor(cursor, pepper));
    const shown = rows.slice(0, limit);
    return {
      missions: await trackedViews(query, shown), count: shown.length,
      next_cursor: rows.length > limit ? writeCursor(shown.at(-1)!.created_seq, pepper) : null,
    };
  });

  app.post('/missions', {
    config: { permission: 'mission:create' },
    schema: {
      tags: ['tracked'], summary: 'Hand in a mission that is worked on elsewhere', body: createTrackedSchema, headers, response: answers(201, trackedSchema),
    },
  }, async (request, reply) => {
    const body = fromDashboard(request.body);
    const { mission_id } = await createMission(deps, { body, sent: {} }, request.principal, request.headers['idempotency-key']);
    if (body.execute) {
      const row = await missionOf(deps, mission_id);
      // What cannot be started now the reconciler starts.
      if (row.status === 'open') await ensureStarted(deps, row.package).then(() => whenRunning(deps, mission_id, request.principal), (error: Error) =>
        request.log.warn({ event: 'mission.start_deferred', mission_id, reason: error.message }));
    }
    reply.code(201).header('location', `/api/missions/${mission_id}`);
    return trackedView(deps, mission_id);
  });

  app.get('/missions/:mission_id', {
    config: { permission: 'mission:read' },
    schema: { tags: ['tracked'], summary: 'One mission', params: missionIdParams, response: answers(200, trackedSchema) },
  }, async (request) => trackedView(deps, request.params.mission_id));

  const reporting = { config: { permission: 'mission:report' as const } };
  const schemaOf = <T extends z.ZodType>(summary: string, body: T) =>
    ({ tags: ['tracked'], summary, params: missionIdParams, body, headers, response: answers(200, trackedSchema) });
  const asked = (request: { params: { mission_id: string }; principal: ReportRequest['principal']; headers: { 'idempotency-key'?: string | undefined } }): ReportRequest =>
    ({ missionId: request.params.mission_id, principal: request.principal, key: request.headers['idempotency-key'] });

  app.post('/missions/:mission_id/start', { ...reporting, schema: schemaOf('Begin the work', startTrackedSchema.nullish()) },
    async (request) => startTracked(deps, asked(request), request.body ?? {}));

  app.post('/missions/:mission_id/progress', { ...reporting, schema: schemaOf('Say how far it is', progressSchema) },
    async (request) => report(deps, asked(request), 'progress', request.body, null));

  app.post('/missions/:mission_id/complete', { ...reporting, schema: schemaOf('End it well', completeSchema.nullish()) },
    async (request) => report(deps, asked(request), 'complete', request.body ?? {}, null));

  app.post('/missions/:mission_id/fail', { ...reporting, schema: schemaOf('End it as failed', failSchema.nullish()) },
    async (request) => {
      const { error_message, ...body } = request.body ?? {};
      return report(deps, asked(request), 'fail', body, error_message ?? null);
    });

  app.post('/missions/:mission_id/cancel', { ...reporting, schema: schemaOf('End it undone', cancelSchema.nullish()) },
    async (request) => report(deps, asked(request), 'cancel', {}, request.body?.reason ?? null));

  app.get('/metrics', {
    config: { permission: 'status:read' },
    schema: { tags: ['tracked'], summary: 'Figures over all missions', response: answers(200, dashboardMetricsSchema) },
  }, async () => dashboardMetrics(query));

  app.get('/metrics/history', {
    config: { permission: 'status:read' },
    schema: {
      tags: ['tracked'], summary: 'The same figures at moments of the past',
      querystring: z.strictObject({
        from: moment.optional(), to: moment.optional(), points: z.coerce.number().int().min(2).max(500).default(60),
      }).describe('The last 24 hours, unless a range is given'),
      response: answers(200, z.strictObject({ items: z.array(metricsAtSchema), next_cursor: z.null() })),
    },
  }, async (request) => ({ items: await metricsHistory(query, historyMoments(request.query, Date.now())), next_cursor: null }));

  app.get('/running', {
    config: { permission: 'mission:read' },
    schema: {
      tags: ['tracked'], summary: 'What runs now, newest first, 200 at most',
      response: answers(200, z.strictObject({ missions: z.array(trackedSchema), count: z.number().int() })),
    },
  }, async () => {
    const missions = await trackedViews(query, await listMissions(query, { statuses: statusesOf('running') }, 200, null));
    return { missions, count: missions.length };
  });

  app.get('/health', {
    config: { permission: 'public' },
    schema: { tags: ['tracked'], summary: '200 only when a mission could start now', response: { 200: healthSchema, 503: healthSchema } },
  }, async (_request, reply) => {
    const parts = await measureHealth(deps);
    const healthy = overall(parts) === 'healthy';
    reply.code(healthy ? 200 : 503);
    return { status: healthy ? 'healthy' as const : 'unhealthy' as const, timestamp: new Date().toISOString(), parts: parts.map(({ id, state }) => ({ id, state })) };
  });
};
