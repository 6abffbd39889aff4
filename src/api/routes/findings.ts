/** Findings and silences. */
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { findingStates } from '../../domain/finding.ts';
import { severities } from '../../domain/mission.ts';
import { text } from '../../domain/schema/text.ts';
import { earlierOf, findFinding, historyOf, listFindings } from '../../store/finding-list.ts';
import { addSilence, listSilences, removeSilence } from '../../store/silences.ts';
import type { ApiDeps } from '../context.ts';
import { readCursor, writeCursor } from '../cursor.ts';
import { Problem } from '../problem.ts';
import { answers, idText, limitQuery, listOf, moment } from '../schemas.ts';

const time = z.iso.datetime();
const findingSchema = z.looseObject({
  finding_id: z.string(), fingerprint: z.string(), rule_id: z.string(), source: z.string(), subsystem_id: z.string(), resource_id: z.string().nullable(),
  symptom: z.string().nullable(), severity: z.enum(severities), title: z.string(), attributes: z.record(z.string(), z.string()),
  condition: z.string(), state: z.enum(findingStates), state_since: time, reason: z.string(), value: z.number().nullable(), occurrences: z.number().int(),
  inhibited_by: z.string().nullable(), silence_id: z.string().nullable(), healing_mission_id: z.string().nullable(),
  first_seen_at: time, fired_at: time.nullable(), last_seen_at: time, resolved_at: time.nullable(),
});
const findingPage = findingSchema.extend({
  history: z.array(z.object({
    at: time, type: z.string(), from: z.string().nullable(), state: z.string(), reason: z.string(), value: z.number().nullable(),
  })),
  earlier: z.array(z.object({ finding_id: z.string(), first_seen_at: time, resolved_at: time.nullable() })),
});
const silenceSchema = z.object({
  silence_id: z.string(), matchers: z.object({ subsystem_id: z.string().optional(), rule_id: z.string().optional(), fingerprint: z.string().optional() }),
  reason: z.string(), created_by: z.string(), created_at: time, until: time, removed_at: time.nullable(),
});

const maxSilenceMs = 90 * 24 * 3_600_000;
const tags = ['findings'];

export const findingRoutes = (deps: ApiDeps): FastifyPluginAsyncZod => async (app) => {
  const { database, pepper } = deps;

  app.get('/findings', {
    config: { permission: 'finding:read' },
    schema: {
      tags, summary: 'Findings, newest first',
      querystring: z.strictObject({
        state: z.enum(findingStates).optional(), subsystem_id: text(200).optional(),
        open: z.enum(['true', 'false']).transform((word) => word === 'true').optional(),
        limit: limitQuery, cursor: z.string().max(500).optional(),
      }),
      response: answers(200, listOf(findingSchema)),
    },
  }, async (request) => {
    const { limit, cursor, ...filter } = request.query;
    const rows = await listFindings(database.query, filter, limit + 1, readCursor(cursor, pepper));
    const page = rows.slice(0, limit);
    return { items: page, next_cursor: rows.length > limit ? writeCursor(page.at(-1)!.created_seq, pepper) : null };
  });

  app.get('/findings/:finding_id', {
    config: { permission: 'finding:read' },
    schema: { tags, summary: 'One finding with its history', params: z.strictObject({ finding_id: idText }), response: answers(200, findingPage) },
  }, async (request) => {
    const finding = await findFinding(database.query, request.params.finding_id);
    if (finding === undefined) throw new Problem(404, 'FINDING_NOT_FOUND', `there is no finding ${request.params.finding_id}`);
    return { ...finding, history: await historyOf(database.query, finding.finding_id), earlier: await earlierOf(database.query, finding) };
  });

  app.get('/silences', {
    config: { permission: 'finding:read' },
    schema: { tags, summary: 'Silences, newest first', querystring: z.strictObject({ limit: limitQuery }), response: answers(200, listOf(silenceSchema)) },
  }, async (request) => ({ items: await listSilences(database.query, request.query.limit), next_cursor: null }));

  app.post('/silences', {
    config: { permission: 'finding:silence' },
    schema: {
      tags, summary: 'No effects and no words for findings that match, until a moment and for a reason',
      body: z.strictObject({
        matchers: z.strictObject({ subsystem_id: text(200).optional(), rule_id: text(500).optional(), fingerprint: z.string().regex(/^[0-9a-f]{64}$/, 'a hex sha256').optional() })
          .refine((matchers) => Object.values(matchers).some((value) => value !== undefined), 'name at least one: subsystem_id, rule_id or fingerprint'),
        reason: text(2_000), until: moment,
      }),
      response: answers(201, silenceSchema),
    },
  }, async (request, reply) => {
    const ahead = Date.parse(request.body.until) - Date.now();
    if (ahead <= 0 || ahead > maxSilenceMs) {
      throw new Problem(422, 'SILENCE_TIME', 'a silence ends in the future, and within 90 days', [{ path: 'until', message: 'out of range' }]);
    }
    reply.code(201);
    return addSilence(database, request.body, request.principal);
  });

  app.delete('/silences/:silence_id', {
    config: { permission: 'finding:silence' },
    schema: { tags, summary: 'End a silence now', params: z.strictObject({ silence_id: idText }), response: answers(200, silenceSchema) },
  }, async (request) => {
    const silence = await removeSilence(database, request.params.silence_id, request.principal);
    if (silence === undefined) throw new Problem(404, 'SILENCE_NOT_FOUND', `there is no silence ${request.params.silence_id}`);
    return silence;
  });
};
