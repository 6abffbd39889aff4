import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { actorOf } from '../../domain/actor.ts';
import { capaStates } from '../../domain/capa.ts';
import { trendsOf } from '../../domain/capa-trends.ts';
import { capaView, type CapaDetail } from '../../domain/capa-view.ts';
import { capaEditSchema, capaIdSchema, capaMissionSchema, evidenceListSchema } from '../../domain/schema/capa.ts';
import { text } from '../../domain/schema/text.ts';
import { digestOf } from '../../ledger/canonical.ts';
import { capaHistory, capasOpened, findCapa, listCapas, openCapa } from '../../store/capas.ts';
import { findMission, stagesOf } from '../../store/missions.ts';
import { missionForCapa } from '../capa-mission.ts';
import { capaDetailSchema, capaSchema, capaTrendsSchema } from '../capa-schemas.ts';
import { capaNotFound, editCapa, moveCapa, tell } from '../change-capa.ts';
import type { ApiDeps } from '../context.ts';
import { readCursor, writeCursor } from '../cursor.ts';
import { ensureStarted } from '../engine.ts';
import { detailOf } from '../mission-view.ts';
import { Problem } from '../problem.ts';
import { answers, idText, limitQuery, listOf, missionDetailSchema, moment } from '../schemas.ts';

const capaParams = z.strictObject({ capa_id: idText });
const versionSeen = z.number().int().min(1).max(2_147_483_647);
const historyLength = 500;
const trendRecords = 10_000;
const trendDays = 90;

export const capaRoutes = (deps: ApiDeps): FastifyPluginAsyncZod => async (app) => {
  const { database, config, pepper } = deps;

  async function detail(id: string): Promise<CapaDetail> {
    const capa = await findCapa(database.query, id);
    if (capa === undefined) throw capaNotFound(id);
    return { ...capaView(capa, Date.now()), history: await capaHistory(database.query, id, historyLength) };
  }

  app.get('/capa', {
    config: { permission: 'capa:read' },
    schema: {
      tags: ['capa'], summary: 'CAPA records, newest first',
      querystring: z.strictObject({
        state: z.enum(capaStates).optional(), subsystem_id: text(200).optional(), overdue: z.enum(['yes', 'no']).optional(),
        open: z.enum(['true', 'false']).transform((word) => word === 'true').optional(),
        limit: limitQuery, cursor: z.string().max(500).optional(),
      }),
      response: answers(200, listOf(capaSchema)),
    },
  }, async (request) => {
    const { limit, cursor, ...filter } = request.query;
    const rows = await listCapas(database.query, limit + 1, filter, readCursor(cursor, pepper));
    const page = rows.slice(0, limit);
    return {
      items: page.map(({ created_seq: _seq, ...capa }) => capaView(capa, Date.now())),
      next_cursor: rows.length > limit ? writeCursor(page.at(-1)!.created_seq, pepper) : null,
    };
  });

  app.get('/capa/trends', {
    config: { permission: 'capa:read' },
    schema: {
      tags: ['capa'], summary: 'Recurrence, time in state, ineffective plans, and where most problems come from',
      description: `Of the records that were opened in a period; without one, of the last ${trendDays} days.`,
      querystring: z.strictObject({ from: moment.optional(), until: moment.optional(), subsystem_id: text(200).optional() }),
      response: answers(200, capaTrendsSchema),
    },
  }, async (request) => {
    const now = Date.now();
    const until = request.query.until ?? new Date(now).toISOString();
    const from = request.query.from ?? new Date(Date.parse(until) - trendDays * 86_400_000).toISOString();
    const records = await capasOpened(database.query, from, until, request.query.subsystem_id ?? null, trendRecords + 1);
    if (records.length > trendRecords) {
      throw new Problem(422, 'TOO_MANY', `more than ${trendRecords} records were opened in this period; name a shorter one`, [{ path: 'from', message: 'too early' }]);
    }
    return { from, until, ...trendsOf(records, now) };
  });

  app.get('/capa/:capa_id', {
    config: { permission: 'capa:read' },
    schema: { tags: ['capa'], summary: 'One CAPA record with its history', params: capaParams, response: answers(200, capaDetailSchema) },
  }, async (request) => detail(request.params.capa_id));

  app.post('/capa', {
    config: { permission: 'capa:create' },
    schema: {
      tags: ['capa'], summary: 'Open a CAPA record by hand',
      body: z.strictObject({
        subsystem_id: text(200), problem_statement: text(10_000), mission_id: idText.optional(), evidence: evidenceListSchema.default([]),
      }),
      response: answers(201, capaDetailSchema),
    },
  }, async (request, reply) => {
    const { mission_id = null, ...input } = request.body;
    if (mission_id !== null && (await findMission(database.query, mission_id)) === undefined) {
      throw new Problem(422, 'MISSION_NOT_FOUND', `there is no mission ${mission_id}`, [{ path: 'mission_id', message: 'not there' }]);
    }
    const id = await database.transaction((query) => openCapa(query, {
      ...input, mission_id, source: 'manual', fingerprint: `manual:${input.subsystem_id}:${digestOf(input.problem_statement)}`,
      actor: actorOf(request.principal),
    }));
    await tell(deps, id);
    reply.code(201).header('location', `/mission-control/capa/${id}`);
    return detail(id);
  });

  app.patch('/capa/:capa_id', {
    config: { permission: 'capa:edit' },
    schema: {
      tags: ['capa'], summary: 'Fill in fields of a CAPA record', params: capaParams,
      description: 'Names the version that was seen. From the proposal of the plan on, the plan and what it rests on stand still.',
      body: capaEditSchema.extend({ version: versionSeen, reason: text(2_000).optional() }), response: answers(200, capaDetailSchema),
    },
  }, async (request) => {
    const { version, reason = null, ...edit } = request.body;
    if (Object.keys(edit).length === 0) throw new Problem(422, 'CAPA_INCOMPLETE', 'nothing is to be changed: name a field', [{ path: '', message: 'no field is given' }]);
    await editCapa(deps, request.params.capa_id, { version, reason, edit }, request.principal);
    return detail(request.params.capa_id);
  });

  app.post('/capa/:capa_id/transitions', {
    config: { permission: 'capa:edit' },
    schema: {
      tags: ['capa'], summary: 'Move a CAPA record to another state', params: capaParams,
      description: 'Agents draft and propose. Rejecting, voiding, approving a plan and closing need `capa:decide` and a person; who proposed, owns or approved is not who decides next.',
      body: z.strictObject({ to: z.enum(capaStates), version: versionSeen, reason: text(2_000).optional(), duplicate_of: capaIdSchema.optional() })
        .refine(({ to, duplicate_of }) => to === 'VOIDED' || duplicate_of === undefined, { path: ['duplicate_of'], message: 'is for VOIDED only' }),
      response: answers(200, capaDetailSchema),
    },
  }, async (request) => {
    const { to, version, reason = null, duplicate_of = null } = request.body;
    await moveCapa(deps, request.params.capa_id, { to, version, reason, duplicate_of }, request.principal);
    return detail(request.params.capa_id);
  });

  app.post('/capa/:capa_id/mission', {
    config: { permission: 'mission:create' },
    schema: {
      tags: ['capa'], summary: 'Start a coding mission for an action of an approved plan', params: capaParams,
      description: 'Its symptoms and metric targets are those of the record. The mission is linked to the action.',
      headers: z.object({ 'idempotency-key': z.string().min(1).max(100).optional() }),
      body: capaMissionSchema, response: answers(201, missionDetailSchema),
    },
  }, async (request, reply) => {
    const mission = await missionForCapa(deps, request.params.capa_id, request.body, request.principal, request.headers['idempotency-key']);
    const row = (await findMission(database.query, mission.mission_id))!;
    // A failed start is no failed create: the reconciler starts what is asked for and not started.
    if (request.body.execute && row.status === 'open') {
      await ensureStarted(deps, mission).catch((error: Error) =>
        request.log.warn({ event: 'mission.start_deferred', mission_id: mission.mission_id, reason: error.message }));
    }
    reply.code(201).header('location', `/mission-control/missions/${mission.mission_id}`);
    return detailOf(row, await stagesOf(database.query, mission.mission_id), config);
  });
};
