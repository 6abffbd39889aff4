import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { healthStates } from '../../domain/subsystem.ts';
import type { ApiDeps } from '../context.ts';
import { Problem } from '../problem.ts';
import { answers, idText, listOf } from '../schemas.ts';
import { subsystemsNow } from '../subsystems.ts';

const state = z.enum(healthStates);
const time = z.iso.datetime();
const subsystemSchema = z.object({
  id: z.string(), name: z.string(), owner: z.string().nullable(), built_in: z.boolean(), state, reason: z.string().nullable(),
  since: time.nullable(), measured_at: time.nullable(), age_seconds: z.number().nullable(), duration_ms: z.number().nullable(),
  inhibited_by: z.string().nullable(), depends_on: z.array(z.string()),
  probes: z.array(z.object({
    id: z.string(), state, reason: z.string().nullable(), value: z.number().nullable(), measured_at: time, age_seconds: z.number(),
    stale: z.boolean(), duration_ms: z.number(), interval_seconds: z.number(),
  })),
  open_findings: z.array(z.object({ finding_id: z.string(), state: z.string(), severity: z.string(), title: z.string(), first_seen_at: time })),
});

export const subsystemRoutes = (deps: ApiDeps): FastifyPluginAsyncZod => async (app) => {
  app.get('/subsystems', {
    config: { permission: 'status:read' },
    schema: { tags: ['status'], summary: 'Every part and watched subsystem: its health, since when, and how old that knowledge is', response: answers(200, listOf(subsystemSchema)) },
  }, async () => ({ items: await subsystemsNow(deps), next_cursor: null }));

  app.get('/subsystems/:subsystem_id', {
    config: { permission: 'status:read' },
    schema: { tags: ['status'], summary: 'One subsystem', params: z.strictObject({ subsystem_id: idText }), response: answers(200, subsystemSchema) },
  }, async (request) => {
    const { subsystem_id: id } = request.params;
    const found = (await subsystemsNow(deps)).find((one) => one.id === id);
    if (found === undefined) throw new Problem(404, 'SUBSYSTEM_NOT_FOUND', `there is no subsystem ${id}`);
    return found;
  });
};
