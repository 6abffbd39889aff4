/** What the hosts hold of the repositories they work on, who waits for it, and what their janitors removed. */
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { removableKinds } from '../../domain/workspaces.ts';
import { listWorkBundles, listWorkspaces } from '../../store/workspaces.ts';
import type { ApiDeps } from '../context.ts';
import { answers, limitQuery, listOf } from '../schemas.ts';

const time = z.iso.datetime();
const count = z.number().int();

const reportSchema = z.object({
  removed: z.array(z.object({ kind: z.enum(removableKinds), name: z.string(), bytes: z.number(), problem: z.string().nullable() })).describe('The first of them, what failed before the rest'),
  count, failed: count, bytes: z.number(), bundled: count, duration_ms: z.number(),
}).describe('The last turn of the janitor');

const hostSchema = z.object({
  host_id: z.string(),
  worktrees: z.array(z.object({ repository_id: z.string(), slot: count, holder: z.string().nullable(), used_at: time, broken_reason: z.string().nullable() })),
  waiting: z.array(z.object({ repository_id: z.string(), holder: z.string(), asked_at: time })).describe('First come, first served'),
  caches: z.object({ count, bytes: z.number() }).describe('What setup commands made'),
  tidied_at: time.nullable(), report: reportSchema.nullable(),
});

const bundleSchema = z.object({
  mission_id: z.string(), repository_id: z.string(), ref: z.string(), commit: z.string(), sha256: z.string(), size_bytes: z.number(), kept_at: time,
}).describe('A commit that landed nowhere, kept as a git bundle in the artefact store');

export const workspaceRoutes = ({ database }: ApiDeps): FastifyPluginAsyncZod => async (app) => {
  app.get('/workspaces', {
    config: { permission: 'workspace:read' },
    schema: { tags: ['repositories'], summary: 'Worktrees and caches of each host, who waits for them, and what was removed', response: answers(200, listOf(hostSchema)) },
  }, async () => ({ items: await listWorkspaces(database.query), next_cursor: null }));

  app.get('/workspaces/bundles', {
    config: { permission: 'workspace:read' },
    schema: { tags: ['repositories'], summary: 'Work of ended missions that landed nowhere, newest first', querystring: z.strictObject({ limit: limitQuery }), response: answers(200, listOf(bundleSchema)) },
  }, async (request) => ({ items: await listWorkBundles(database.query, request.query.limit), next_cursor: null }));
};
