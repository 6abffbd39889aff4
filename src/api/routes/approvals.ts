import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { approvalStatuses, type Approval } from '../../domain/approval.ts';
import { text } from '../../domain/schema/text.ts';
import { findApproval, listApprovals } from '../../store/approvals.ts';
import * as messages from '../../workflows/messages.ts';
import type { ApiDeps } from '../context.ts';
import { update, validUntil } from '../engine.ts';
import { Problem } from '../problem.ts';
import { answers, approvalDigestsSchema, approvalSchema, idText, limitQuery, listOf } from '../schemas.ts';

// The digests that the approver was shown; left out, they are those of this approval id.
const approveBody = z.strictObject({ reason: text(2_000), digests: approvalDigestsSchema.optional() });
// Sent back, the reason is told to the mission's agent, or the next given candidate has its turn.
const rejectBody = approveBody.extend({ send_back: z.boolean().default(false) });

export const approvalRoutes = (deps: ApiDeps): FastifyPluginAsyncZod => async (app) => {
  const { query } = deps.database;

  app.get('/approvals', {
    config: { permission: 'approval:read' },
    schema: {
      tags: ['approvals'], summary: 'Approvals, newest first',
      querystring: z.strictObject({
        status: z.enum(approvalStatuses).optional(), mission_id: idText.optional(), limit: limitQuery,
      }),
      response: answers(200, listOf(approvalSchema)),
    },
  }, async (request) => {
    const { limit, ...filter } = request.query;
    return { items: await listApprovals(query, filter, limit), next_cursor: null };
  });

  app.get('/approvals/:approval_id', {
    config: { permission: 'approval:read' },
    schema: { tags: ['approvals'], summary: 'One approval with its digests and decisions', params: z.strictObject({ approval_id: idText }), response: answers(200, approvalSchema) },
  }, async (request) => approvalOf(request.params.approval_id));

  async function approvalOf(id: string): Promise<Approval> {
    const approval = await findApproval(query, id);
    if (approval === undefined) throw new Problem(404, 'APPROVAL_NOT_FOUND', `there is no approval ${id}`);
    return approval;
  }

  for (const decision of ['approve', 'reject'] as const) {
    app.post(`/approvals/:approval_id/${decision}`, {
      config: { permission: 'approval:decide' },
      schema: {
        tags: ['approvals'],
        summary: decision === 'approve' ? 'Agree to exactly this tree and evidence' : 'Refuse this change',
        params: z.strictObject({ approval_id: idText }),
        body: decision === 'approve' ? approveBody : rejectBody,
        response: answers(200, z.object({ approval_id: z.string(), status: z.enum(approvalStatuses) })),
      },
    }, async (request) => {
      const { approval_id } = request.params;
      const approval = await approvalOf(approval_id);
      if (approval.status === 'superseded') {
        throw new Problem(409, 'APPROVAL_STALE', `${approval_id} was for another tree or evidence`);
      }
      if (approval.status !== 'waiting') {
        const last = approval.decisions.at(-1);
        throw new Problem(409, 'APPROVAL_DECIDED', `${approval_id} is ${approval.status}${last === undefined ? '' : `, decided by ${last.by.id} at ${last.at}`}`);
      }
      return update(deps, approval.mission_id, messages.decide, {
        approval_id, digests: request.body.digests ?? approval.digests, decision, reason: request.body.reason,
        ...('send_back' in request.body ? { send_back: request.body.send_back } : {}),
        principal: request.principal, valid_until: validUntil(),
      });
    });
  }
};
