import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { text } from '../../domain/schema/text.ts';
import type { ApiDeps } from '../context.ts';
import { toProblem, type FieldError } from '../problem.ts';
import { answers, idText } from '../schemas.ts';
import { steerMission, steeringVerbs } from '../steer-mission.ts';

const batchBody = z.strictObject({
  mission_ids: z.array(idText).min(1).max(200), action: z.enum(steeringVerbs), reason: text(2_000).optional(),
}).superRefine(({ mission_ids: ids, action, reason }, context) => {
  ids.forEach((id, i) => {
    if (ids.indexOf(id) < i) context.addIssue({ code: 'custom', path: ['mission_ids', i], message: `${id} is named twice` });
  });
  if (action === 'abort' && reason === undefined) context.addIssue({ code: 'custom', path: ['reason'], message: 'an abort says why' });
});

const batchAnswer = z.object({
  results: z.array(z.object({
    mission_id: z.string(), ok: z.boolean(), takes_effect: z.string().optional(),
    problem: z.object({ status: z.number(), code: z.string(), detail: z.string(), errors: z.array(z.object({ path: z.string(), message: z.string() })) }).optional(),
  })),
});

interface Result { mission_id: string; ok: boolean; takes_effect?: string; problem?: { status: number; code: string; detail: string; errors: FieldError[] } }

/** Messages under way at a time: one that nobody takes costs 5 s. */
const atOnce = 16;
/** Problems of the system and not of a mission: the next mission would meet the same one, 5 s later. */
const ofTheSystem: readonly string[] = ['WORKER_UNAVAILABLE', 'ENGINE_UNAVAILABLE', 'DATABASE_UNAVAILABLE'];

export const batchRoutes = (deps: ApiDeps): FastifyPluginAsyncZod => async (app) => {
  app.post('/missions/batch', {
    config: { permission: 'mission:steer' },
    schema: {
      tags: ['steering'], summary: 'Pause, resume, abort or retry many missions, each as by its own route', body: batchBody, response: answers(200, batchAnswer),
    },
  }, async (request) => {
    const { mission_ids: ids, action, reason } = request.body;
    const results: Result[] = [];
    let down: Result['problem'];

    async function steer(mission_id: string): Promise<Result> {
      if (down !== undefined) return { mission_id, ok: false, problem: { ...down, detail: `not tried, because of another one: ${down.detail}` } };
      try {
        const { takes_effect } = await steerMission(deps, mission_id, { verb: action, reason: reason ?? null }, request.principal);
        return { mission_id, ok: true, takes_effect };
      } catch (error) {
        const { status, code, message, errors } = toProblem(error as Parameters<typeof toProblem>[0]);
        if (status === 500) request.log.error({ event: 'batch.failed', mission_id, err: error });
        const problem = { status, code, detail: message, errors };
        if (ofTheSystem.includes(code)) down ??= problem;
        return { mission_id, ok: false, problem };
      }
    }

    // Each takes the next id until none is left; the results keep the order of the request.
    const next = ids.entries();
    await Promise.all(Array.from({ length: atOnce }, async () => {
      for (const [i, id] of next) results[i] = await steer(id);
    }));
    return { results };
  });
};
