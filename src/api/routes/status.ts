import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { worst } from '../../domain/subsystem-health.ts';
import { workflowsUrl } from '../../engine/ui.ts';
import { digestOf } from '../../ledger/canonical.ts';
import { projectRoot, version } from '../../project.ts';
import { countByStatus } from '../../store/missions.ts';
import { readPolicy } from '../../store/policy.ts';
import type { ApiDeps } from '../context.ts';
import { measureHealth, overall } from '../health.ts';
import { answers } from '../schemas.ts';
import { subsystemsNow } from '../subsystems.ts';

const healthState = z.enum(['healthy', 'degraded', 'unhealthy', 'unknown']);
const subsystemSchema = z.object({
  id: z.string(), state: healthState, reason: z.string().nullable(), measured_at: z.string(), duration_ms: z.number(),
});

const readySchema = z.object({ status: z.enum(['ready', 'not_ready']), not_ready: z.array(z.string()) });

export const statusRoutes = (deps: ApiDeps): FastifyPluginAsyncZod => async (app) => {
  app.get('/status', {
    config: { permission: 'status:read' },
    schema: {
      tags: ['status'], summary: 'The system at a glance; every health is measured now',
      response: answers(200, z.looseObject({
        git_sha: z.string().nullable(), git_branch: z.string().nullable(), version: z.string(), environment: z.string(),
        config_hash: z.string(), temporal_ui_url: z.string().nullable(), total_missions: z.number(), overall_health: healthState, subsystems: z.array(subsystemSchema),
      })),
    },
  }, async () => {
    const [git, counts, subsystems, configHash] = await Promise.all([
      ownCommit(), countByStatus(deps.database.query), subsystemsNow(deps), configDigest(deps),
    ]);
    const of = (status: string): number => counts[status] ?? 0;
    return {
      ...git, version, environment: deps.config.environment, config_hash: `sha256:${configHash}`,
      temporal_ui_url: workflowsUrl(deps.config.temporal),
      total_missions: Object.values(counts).reduce((sum, count) => sum + count, 0),
      open_missions: of('open'), in_progress_missions: of('in_progress'), observing_missions: of('observing'),
      resolved_missions: of('resolved'), escalated_missions: of('escalated'), aborted_missions: of('aborted'),
      subsystems: subsystems.flatMap(({ id, state, reason, measured_at, duration_ms }) =>
        (measured_at === null ? [] : [{ id, state, reason, measured_at, duration_ms: duration_ms ?? 0 }])),
      // A declared subsystem that nobody measures is unknown, and unknown is not ok; a part of ours that is not there yet is no part.
      overall_health: worst(subsystems.filter((one) => !one.built_in || one.measured_at !== null).map((one) => one.state)),
    };
  });
};

/** Process-level routes: no key, no detail. */
export const healthRoutes = (deps: ApiDeps): FastifyPluginAsyncZod => async (app) => {
  app.get('/health/live', {
    config: { permission: 'public' },
    schema: { tags: ['status'], summary: 'The process answers', response: { 200: z.object({ status: z.literal('live') }) } },
  }, async () => ({ status: 'live' as const }));

  app.get('/health/ready', {
    config: { permission: 'public' },
    schema: { tags: ['status'], summary: '200 only when a mission could start now', response: { 200: readySchema, 503: readySchema } },
  }, async (_request, reply) => {
    const subsystems = await measureHealth(deps);
    const ready = overall(subsystems) === 'healthy';
    reply.code(ready ? 200 : 503);
    return { status: ready ? 'ready' as const : 'not_ready' as const, not_ready: subsystems.filter((s) => s.state !== 'healthy').map((s) => s.id) };
  });
};

/** Commit and branch that this installation runs, read from its own `.git`; null when it is not a checkout. */
async function ownCommit(): Promise<{ git_sha: string | null; git_branch: string | null }> {
  const read = (path: string): Promise<string | null> => readFile(join(projectRoot, '.git', path), 'utf8').then((text) => text.trim(), () => null);
  const head = await read('HEAD');
  const ref = head?.startsWith('ref: ') ? head.slice(5) : null;
  if (ref === null) return { git_sha: head, git_branch: null };
  const packed = (await read('packed-refs'))?.split('\n').find((line) => line.endsWith(` ${ref}`))?.split(' ')[0] ?? null;
  return { git_sha: (await read(ref)) ?? packed, git_branch: ref.replace(/^refs\/heads\//, '') };
}

const configDigest = async (deps: ApiDeps): Promise<string> =>
  digestOf({ policy: await readPolicy(deps.config.configFolder), catalog: await deps.catalog.fromFile() });
