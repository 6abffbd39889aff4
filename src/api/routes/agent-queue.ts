/** The queue for agents elsewhere: what waits, who takes it, and for how long. */
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { leaseEnds, leaseSeconds } from '../../domain/agent-work.ts';
import type { SealedEvent } from '../../domain/event.ts';
import { severities } from '../../domain/mission.ts';
import { text } from '../../domain/schema/text.ts';
import { queueLines } from '../../store/agent-queue.ts';
import type { ApiDeps } from '../context.ts';
import { missionOf } from '../find-mission.ts';
import { lookUntil, waitQuery } from '../long-poll.ts';
import { summaryOf } from '../mission-view.ts';
import { answers, idText, limitQuery, listOf, missionIdParams, missionSchema } from '../schemas.ts';
import { claimMission, giveBack, keepLease, nextFor, trustScore } from '../take-mission.ts';

const agentId = text(200);
const seconds = z.number().min(leaseSeconds.min).max(leaseSeconds.max);
const time = z.iso.datetime();

export const leaseSchema = z.object({
  lease_id: z.string(), mission_id: z.string(), agent_id: z.string(), agent_role: z.string().nullable(), lease_seconds: z.number(),
  granted_at: time, expires_at: time, ended_at: time.nullable(), end_reason: z.enum(leaseEnds).nullable(),
});

const queueLineSchema = z.object({
  mission_id: z.string(), title: z.string(), severity: z.enum(severities), mission_type: z.string(), subsystem_id: z.string(), assigned_to: z.string().nullable(),
  state: z.enum(['held', 'offered', 'not_started']), since: time, lease_id: z.string().nullable(), agent_id: z.string().nullable(),
  granted_at: time.nullable(), expires_at: time.nullable(),
});

/** What may have put a mission into the queue, or made one of it ready. */
const movesQueue = ({ type, payload }: SealedEvent): boolean =>
  type === 'mission.created' || type === 'lease.lost' || type === 'mission.status_changed' || (type === 'mission.waiting' && payload['kind'] === 'agent');

export const agentQueueRoutes = (deps: ApiDeps): FastifyPluginAsyncZod => async (app) => {
  const { database, artifacts, config } = deps;

  app.get('/queue', {
    config: { permission: 'queue:read' },
    schema: {
      tags: ['queue'], summary: 'What agents hold, then what waits for one, the most urgent first',
      querystring: z.strictObject({ limit: limitQuery }), response: answers(200, listOf(queueLineSchema)),
    },
  }, async (request) => ({ items: await queueLines(database.query, request.query.limit), next_cursor: null }));

  app.get('/queue/next', {
    config: { permission: 'queue:read' },
    schema: {
      tags: ['queue'], summary: 'The most urgent mission this agent may take, or why there is none; waits for one when asked to',
      querystring: z.strictObject({
        agent_id: agentId, agent_role: text(200).optional(), wait: waitQuery,
        needs: z.enum(['patch', 'any']).default('any').describe('patch: only missions that a claim takes, not those that are only to be started'),
      }),
      response: answers(200, z.object({
        mission: missionSchema.nullable(), reason: z.string(), take: z.string().nullable().describe('where to POST to take it'), trust_score: z.number(),
        passed_over: z.array(z.object({ mission_id: z.string(), reason: z.string() })),
      })),
    },
  }, async (request, reply) => {
    const { agent_id: id, agent_role: role = null, wait, needs } = request.query;
    const agent = { id, role, score: await trustScore(deps, id) };
    let last = await nextFor(deps, agent, needs);
    if (last.mission_id === null && wait > 0) {
      await lookUntil(deps, request, reply, wait, async () => {
        last = await nextFor(deps, agent, needs);
        return last.mission_id ?? undefined;
      }, movesQueue);
    }
    const { mission_id, ...why } = last;
    return { mission: mission_id === null ? null : summaryOf(await missionOf(deps, mission_id), config), trust_score: agent.score, ...why };
  });

  app.post('/queue/:mission_id/claim', {
    config: { permission: 'queue:work' },
    schema: {
      tags: ['queue'], summary: 'Take a mission for a time; whoever holds it gets the same lease again', params: missionIdParams,
      body: z.strictObject({ agent_id: agentId, agent_role: text(200).optional(), lease_seconds: seconds.default(leaseSeconds.usual) }),
      response: answers(200, z.object({
        lease: leaseSchema, brief: z.string().describe('Markdown: what is to be done, and why earlier attempts failed'),
        base: z.object({ commit: z.string(), tree: z.string() }), attempt: z.number().int(), max_attempts: z.number().int(),
        memory_write_scope: z.string().describe('only what may persist lands'),
        links: z.object({ brief: z.string(), bundle: z.string(), archive: z.string(), patches: z.string(), lease: z.string() }),
      })),
    },
  }, async (request) => {
    const { mission_id: id } = request.params;
    const { agent_id, agent_role = null, lease_seconds } = request.body;
    const { lease, offer } = await claimMission(deps, id, { agent_id, agent_role, lease_seconds }, request.principal);
    const mission = `/mission-control/missions/${id}`;
    return {
      lease, brief: (await artifacts.read(offer.brief)).toString('utf8'), base: offer.base, attempt: offer.attempt, max_attempts: offer.max_attempts,
      memory_write_scope: (await missionOf(deps, id)).package.trust_requirements.memory_write_scope,
      links: { brief: `${mission}/brief`, bundle: `${mission}/base.bundle`, archive: `${mission}/base.tar.gz`, patches: `${mission}/patches`, lease: `/mission-control/queue/${id}/lease` },
    };
  });

  app.post('/queue/:mission_id/lease', {
    config: { permission: 'queue:work' },
    schema: {
      tags: ['queue'], summary: 'Keep a mission: its lease ends so many seconds from now', params: missionIdParams,
      body: z.strictObject({ lease_id: idText, lease_seconds: seconds.optional().describe('as before, when left out') }), response: answers(200, leaseSchema),
    },
  }, async (request) =>
    keepLease(deps, request.params.mission_id, request.body.lease_id, request.body.lease_seconds, request.principal));

  app.delete('/queue/:mission_id/lease', {
    config: { permission: 'queue:work' },
    schema: {
      tags: ['queue'], summary: 'Give a mission back to the queue', params: missionIdParams,
      querystring: z.strictObject({ lease_id: idText }), response: answers(200, leaseSchema),
    },
  }, async (request) => giveBack(deps, request.params.mission_id, request.query.lease_id, request.principal));
};
