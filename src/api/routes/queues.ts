/** Merge queues: what lands, what waits, and stopping one. */
import { WithStartWorkflowOperation } from '@temporalio/client';
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { branchRule, isBranchName } from '../../domain/branch.ts';
import { mergeQueueId } from '../../domain/landing.ts';
import { severities } from '../../domain/mission.ts';
import { text } from '../../domain/schema/text.ts';
import { mergeQueueStart } from '../../engine/merge-queue.ts';
import { listQueues } from '../../store/merge-queues.ts';
import { findRepository } from '../../store/repositories.ts';
import * as messages from '../../workflows/messages.ts';
import type { ApiDeps } from '../context.ts';
import { engineProblem, update, updateDeadlineMs, validUntil } from '../engine.ts';
import { Problem } from '../problem.ts';
import { answers, idText, limitQuery, listOf, nullable } from '../schemas.ts';

const freezeSchema = z.object({
  code: z.enum(['violation', 'revert_conflict', 'operator']), reason: z.string(), by: z.string(), since: z.string(), mission_id: nullable(z.string()),
});
const kind = z.enum(['land', 'revert']);
const queueSchema = z.object({
  repository_id: z.string(), repository: z.string(), target_branch: z.string(),
  current: nullable(z.object({ mission_id: z.string(), kind, since: z.string() })),
  frozen: nullable(freezeSchema),
  waiting: z.array(z.object({ mission_id: z.string(), kind, severity: z.enum(severities), since: z.string() })),
  updated_at: z.string(),
});
const wordSchema = z.strictObject({
  target_branch: z.string().refine(isBranchName, branchRule), reason: text(10_000),
});
interface Branch { repository_id: string; target_branch: string }
const answerSchema = z.object({ repository_id: z.string(), target_branch: z.string(), frozen: nullable(freezeSchema) });

export const queueRoutes = (deps: ApiDeps): FastifyPluginAsyncZod => async (app) => {
  const { database, temporal } = deps;

  app.get('/queues', {
    config: { permission: 'queue:read' },
    schema: {
      tags: ['queues'], summary: 'Merge queues: frozen ones first, then those that land something now',
      querystring: z.strictObject({ limit: limitQuery }), response: answers(200, listOf(queueSchema)),
    },
  }, async (request) => ({ items: await listQueues(database.query, request.query.limit), next_cursor: null }));

  /** A word to a merge queue, as an Update of its workflow. */
  function word(verb: 'freeze' | 'unfreeze', summary: string, tell: (branch: Branch, input: messages.QueueWord) => Promise<messages.QueueAnswer>): void {
    app.post(`/queues/:repository_id/${verb}`, {
      config: { permission: 'queue:steer' },
      schema: { tags: ['queues'], summary, params: z.strictObject({ repository_id: idText }), body: wordSchema, response: answers(202, answerSchema) },
    }, async (request, reply) => {
      const { repository_id } = request.params;
      const { target_branch, reason } = request.body;
      if (await findRepository(database, repository_id) === undefined) throw new Problem(404, 'REPOSITORY_NOT_FOUND', `there is no repository ${repository_id}`);
      const answer = await tell({ repository_id, target_branch }, { principal: request.principal, reason, valid_until: validUntil() });
      reply.code(202);
      return { repository_id, target_branch, ...answer };
    });
  }

  word('freeze', 'Let nothing but reverts land on a branch until it is unfrozen; what lands now is brought to its end', async ({ repository_id, target_branch }, input) => {
    try {
      return await temporal.withDeadline(Date.now() + updateDeadlineMs, () => temporal.workflow.executeUpdateWithStart(messages.freezeQueue, {
        args: [input],
        startWorkflowOperation: new WithStartWorkflowOperation('mergeQueue', { ...mergeQueueStart(repository_id, target_branch), workflowIdConflictPolicy: 'USE_EXISTING' }),
      }));
    } catch (error) {
      throw engineProblem(error, mergeQueueId(repository_id, target_branch));
    }
  });

  word('unfreeze', 'Let missions land on the branch again', async ({ repository_id, target_branch }, input) => {
    try {
      return await update(deps, mergeQueueId(repository_id, target_branch), messages.unfreezeQueue, input);
    } catch (error) {
      // A queue in which nothing waits and nothing is frozen does not run.
      if (error instanceof Problem && error.code === 'MISSION_NOT_RUNNING') throw new Problem(409, 'QUEUE_NOT_FROZEN', `the queue of ${target_branch} is not frozen`);
      throw error;
    }
  });
};
