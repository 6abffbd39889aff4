import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { missionStatuses, missionTypes, severities } from '../../domain/mission.ts';
import { createMissionSchema, type CreateMission } from '../../domain/schema/mission-package.ts';
import { text } from '../../domain/schema/text.ts';
import { timelineOf } from '../../store/events.ts';
import { listMissions, stagesOf } from '../../store/missions.ts';
import * as messages from '../../workflows/messages.ts';
import type { ApiDeps } from '../context.ts';
import { createMission } from '../create-mission.ts';
import { readCursor, writeCursor } from '../cursor.ts';
import { ensureStarted, update, validUntil } from '../engine.ts';
import { executeMission } from '../execute-mission.ts';
import { missionOf } from '../find-mission.ts';
import { detailOf, summaryOf } from '../mission-view.ts';
import { Problem } from '../problem.ts';
import {
  answers, evidenceSchema, limitQuery, listOf, missionDetailSchema, missionIdParams, missionPageSchema, moment, reasonBody,
  searchText, stageSchema, steerAnswerSchema,
} from '../schemas.ts';
import { requireRunning, steerMission } from '../steer-mission.ts';
import { completeFromTemplate } from '../templates.ts';

declare module 'fastify' {
  interface FastifyRequest { sentBody: unknown }
}

const idempotencyHeaders = z.object({ 'idempotency-key': z.string().min(1).max(255).optional() });

const listQuery = z.strictObject({
  status: z.enum(missionStatuses).optional(), severity: z.enum(severities).optional(),
  subsystem_id: text(200, 0).optional(), mission_type: z.enum(missionTypes).optional(),
  assigned_to: text(200, 0).optional(), label: text(200, 0).optional(), parent_mission_id: text(200, 0).optional(),
  created_after: moment.optional(), created_before: moment.optional(),
  q: searchText.optional(),
  limit: limitQuery, cursor: z.string().max(500).optional(),
});

export const missionRoutes = (deps: ApiDeps): FastifyPluginAsyncZod => async (app) => {
  const { database, config } = deps;

  async function detail(id: string) {
    const row = await missionOf(deps, id);
    return detailOf(row, await stagesOf(database.query, id), config);
  }

  app.post('/missions', {
    config: { permission: 'mission:create' },
    // Signatures are over the body as it was sent, before defaults are filled in.
    preValidation: async (request) => {
      request.sentBody = await completeFromTemplate(deps, request);
      request.body = request.sentBody as CreateMission;
    },
    schema: {
      tags: ['missions'], summary: 'Hand in a mission', body: createMissionSchema, headers: idempotencyHeaders,
      response: answers(201, missionDetailSchema),
    },
  }, async (request, reply) => {
    const mission = await createMission(deps, { body: request.body, sent: request.sentBody as object }, request.principal, request.headers['idempotency-key']);
    // A failed start is no failed create: the reconciler starts what is asked for and not started.
    // The row decides whether it may start: Temporal forgets ended workflows, and a key may be sent again after that.
    if (request.body.execute && (await missionOf(deps, mission.mission_id)).status === 'open') {
      await ensureStarted(deps, mission).catch((error: Error) =>
        request.log.warn({ event: 'mission.start_deferred', mission_id: mission.mission_id, reason: error.message }));
    }
    reply.code(201).header('location', `/mission-control/missions/${mission.mission_id}`);
    return detail(mission.mission_id);
  });

  app.get('/missions', {
    config: { permission: 'mission:read' },
    schema: { tags: ['missions'], summary: 'Missions, newest first', querystring: listQuery, response: answers(200, missionPageSchema) },
  }, async (request) => {
    const { limit, cursor, ...filter } = request.query;
    // A plan made once for all labels, or all words, would be one for the common ones.
    const rows = await listMissions(filter.label === undefined && filter.q === undefined ? database.prepared : database.query, filter, limit + 1, readCursor(cursor, deps.pepper));
    const page = rows.slice(0, limit);
    return {
      items: page.map((row) => summaryOf(row, config)),
      next_cursor: rows.length > limit ? writeCursor(page.at(-1)!.created_seq, deps.pepper) : null,
    };
  });

  app.get('/missions/:mission_id', {
    config: { permission: 'mission:read' },
    schema: { tags: ['missions'], summary: 'One mission with its eleven stages', params: missionIdParams, response: answers(200, missionDetailSchema) },
  }, async (request) => detail(request.params.mission_id));

  app.get('/missions/:mission_id/stages', {
    config: { permission: 'mission:read' },
    schema: { tags: ['missions'], summary: 'Every attempt of every stage', params: missionIdParams, response: answers(200, listOf(stageSchema)) },
  }, async (request) => {
    await missionOf(deps, request.params.mission_id);
    return { items: await stagesOf(database.query, request.params.mission_id), next_cursor: null };
  });

  app.get('/missions/:mission_id/timeline', {
    config: { permission: 'mission:read' },
    schema: {
      tags: ['missions'], summary: 'What happened, in order', params: missionIdParams,
      querystring: z.strictObject({ limit: z.coerce.number().int().min(1).max(5_000).default(1_000) }),
      response: answers(200, listOf(z.looseObject({ type: z.string(), ts: z.string() }))),
    },
  }, async (request) => {
    await missionOf(deps, request.params.mission_id);
    return { items: await timelineOf(database.query, request.params.mission_id, request.query.limit), next_cursor: null };
  });

  app.get('/missions/:mission_id/evidence', {
    config: { permission: 'mission:read' },
    schema: {
      tags: ['missions'], summary: 'Every artefact that the stages name', params: missionIdParams,
      response: answers(200, listOf(evidenceSchema.extend({ stage: z.string(), attempt: z.number() }))),
    },
  }, async (request) => {
    await missionOf(deps, request.params.mission_id);
    const stages = await stagesOf(database.query, request.params.mission_id);
    return {
      items: stages.flatMap((stage) => stage.evidence.map((item) => ({ ...item, stage: stage.name, attempt: stage.attempt }))),
      next_cursor: null,
    };
  });

  app.post('/missions/:mission_id/execute', {
    config: { permission: 'mission:execute' },
    schema: {
      tags: ['missions'], summary: 'Start it', params: missionIdParams,
      body: z.strictObject({ mission_type: z.enum(missionTypes).optional() }).nullish(), response: answers(202, missionDetailSchema),
    },
  }, async (request, reply) => {
    const { mission_id } = request.params;
    const row = await missionOf(deps, mission_id);
    const wanted = request.body?.mission_type;
    if (wanted !== undefined && wanted !== row.package.mission_type) {
      throw new Problem(409, 'MISSION_TYPE_CONFLICT', `${mission_id} is a ${row.package.mission_type} mission`, [{ path: 'mission_type', message: `is ${row.package.mission_type}` }]);
    }
    await executeMission(deps, mission_id, request.principal);
    reply.code(202);
    return detail(mission_id);
  });

  app.post('/missions/:mission_id/abort', {
    config: { permission: 'mission:steer' },
    schema: {
      tags: ['steering'], summary: 'End it', params: missionIdParams,
      body: z.strictObject({ reason: text(2_000) }), response: answers(202, steerAnswerSchema),
    },
  }, async (request, reply) => {
    reply.code(202);
    return steerMission(deps, request.params.mission_id, { verb: 'abort', reason: request.body.reason }, request.principal);
  });

  app.post('/missions/:mission_id/pause', {
    config: { permission: 'mission:steer' },
    schema: {
      tags: ['steering'], summary: 'Pause it at the next boundary, or now', params: missionIdParams,
      body: z.strictObject({ mode: z.enum(['boundary', 'now']).default('boundary'), reason: text(2_000).optional() }),
      response: answers(202, steerAnswerSchema),
    },
  }, async (request, reply) => {
    reply.code(202);
    const { mode, reason } = request.body;
    return steerMission(deps, request.params.mission_id, { verb: 'pause', mode, reason: reason ?? null }, request.principal);
  });

  for (const [verb, summary] of [['resume', 'Go on after a pause'], ['retry', 'Run the parked stage again']] as const) {
    app.post(`/missions/:mission_id/${verb}`, {
      config: { permission: 'mission:steer' },
      schema: { tags: ['steering'], summary, params: missionIdParams, body: reasonBody, response: answers(202, steerAnswerSchema) },
    }, async (request, reply) => {
      reply.code(202);
      return steerMission(deps, request.params.mission_id, { verb, reason: request.body?.reason ?? null }, request.principal);
    });
  }

  app.post('/missions/:mission_id/observation', {
    config: { permission: 'mission:observe' },
    schema: {
      tags: ['steering'], summary: 'Decide about its observation: resolve what is held, roll back at any time, or watch for one more window',
      params: missionIdParams, body: z.strictObject({ decision: z.enum(['resolve', 'rollback', 'extend']), reason: text(2_000) }),
      response: answers(202, steerAnswerSchema),
    },
  }, async (request, reply) => {
    const { mission_id } = request.params;
    await requireRunning(deps, mission_id);
    reply.code(202);
    return { mission_id, ...await update(deps, mission_id, messages.decideObservation, { ...request.body, principal: request.principal, valid_until: validUntil() }) };
  });
};
