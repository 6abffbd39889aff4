import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { actorOf } from '../../domain/actor.ts';
import { noSubject } from '../../domain/event.ts';
import { createTemplateSchema } from '../../domain/schema/template.ts';
import { digestOf } from '../../ledger/canonical.ts';
import { isUniqueViolation } from '../../store/database.ts';
import { insertEvents } from '../../store/events.ts';
import { insertTemplate, listTemplates, removeTemplate } from '../../store/templates.ts';
import type { ApiDeps } from '../context.ts';
import { readCursor, writeCursor } from '../cursor.ts';
import { Problem } from '../problem.ts';
import { answers, idText, limitQuery, listOf } from '../schemas.ts';
import { templateNotFound } from '../templates.ts';

const templateSchema = z.object({
  template_id: z.string(), name: z.string(), description: z.string().nullable(), package: z.record(z.string(), z.unknown()),
  created_by: z.string(), created_at: z.iso.datetime(),
}).describe('A part of a mission package, under a name');

export const templateRoutes = (deps: ApiDeps): FastifyPluginAsyncZod => async (app) => {
  const { database, pepper } = deps;

  app.get('/templates', {
    config: { permission: 'mission:read' },
    schema: {
      tags: ['missions'], summary: 'Templates of missions, newest first',
      querystring: z.strictObject({ limit: limitQuery, cursor: z.string().max(500).optional() }), response: answers(200, listOf(templateSchema)),
    },
  }, async (request) => {
    const { limit, cursor } = request.query;
    const rows = await listTemplates(database.query, limit + 1, readCursor(cursor, pepper));
    const page = rows.slice(0, limit);
    return {
      items: page.map(({ created_seq: _seq, ...template }) => template),
      next_cursor: rows.length > limit ? writeCursor(page.at(-1)!.created_seq, pepper) : null,
    };
  });

  app.post('/templates', {
    config: { permission: 'template:write' },
    // Kept as it was sent: defaults belong to the mission that is made of it.
    preValidation: async (request) => { request.sentBody = request.body; },
    schema: { tags: ['missions'], summary: 'Keep a part of a mission package for later', body: createTemplateSchema, response: answers(201, templateSchema) },
  }, async (request, reply) => {
    const { name, description } = request.body;
    const { package: sent } = request.sentBody as { package: Record<string, unknown> };
    try {
      const template = await database.transaction(async (query) => {
        const made = await insertTemplate(query, { name, description: description ?? null, package: sent, created_by: request.principal.id });
        await insertEvents(query, [{
          type: 'template.added', actor: actorOf(request.principal), subject: noSubject, idempotency_key: `${made.template_id}:added`,
          payload: { template_id: made.template_id, name, package_digest: digestOf(sent) },
        }]);
        return made;
      });
      reply.code(201);
      return template;
    } catch (error) {
      if (isUniqueViolation(error)) throw new Problem(409, 'TEMPLATE_EXISTS', `there is a template ${name}; remove it first`, [{ path: 'name', message: 'is taken' }]);
      throw error;
    }
  });

  app.delete('/templates/:template_id', {
    config: { permission: 'template:write' },
    schema: {
      tags: ['missions'], summary: 'Remove a template; missions made of it stay', params: z.strictObject({ template_id: idText }), response: answers(200, templateSchema),
    },
  }, async (request) => {
    const { template_id } = request.params;
    return database.transaction(async (query) => {
      const removed = await removeTemplate(query, template_id);
      if (removed === undefined) throw templateNotFound(template_id);
      await insertEvents(query, [{
        type: 'template.removed', actor: actorOf(request.principal), subject: noSubject, payload: { template_id, name: removed.name },
        idempotency_key: `${template_id}:removed`,
      }]);
      return removed;
    });
  });
};
