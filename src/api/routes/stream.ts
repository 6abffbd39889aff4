/** The ledger live: a WebSocket for pages, a long poll for scripts, and the overview that both start from. */
import websocket from '@fastify/websocket';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { eventTypes } from '../../domain/event.ts';
import { text } from '../../domain/schema/text.ts';
import { eventsAfter, latestSeq } from '../../store/ledger.ts';
import type { ApiDeps } from '../context.ts';
import { requireRoom, waiting, waitQuery } from '../long-poll.ts';
import { Problem } from '../problem.ts';
import { answers, idText, missionLineSchema, sealedEventSchema, streamMetricsSchema } from '../schemas.ts';
import { isSameOrigin } from '../session-cookie.ts';

/** Clients say little: a subscription. */
const maxFrameBytes = 64 * 1024;

/** Upgrades go through the same hooks as requests: whoever may not, is answered in HTTP. */
export async function registerWebSocket(app: FastifyInstance, { stream, logger }: Pick<ApiDeps, 'stream' | 'logger'>): Promise<void> {
  await app.register(websocket, {
    options: { maxPayload: maxFrameBytes, perMessageDeflate: false },
    // A frame that is too big or no frame at all: ws itself closes with the code for it.
    errorHandler: (error) => { logger.debug({ event: 'stream.client_failed', reason: error.message }); },
    preClose: () => stream.closeClients(),
  });
  app.addHook('onClose', () => stream.stop());
}

export const streamRoutes = (deps: ApiDeps): FastifyPluginAsyncZod => async (app) => {
  const { config, database, stream } = deps;
  /** A page of another origin could ride on a cookie; a program with a key has no origin. @throws Problem ORIGIN_REFUSED */
  function requireKnownOrigin(request: FastifyRequest): void {
    const { origin, host } = request.headers;
    if (origin === undefined && request.session === null) return;
    if (isSameOrigin(origin, host) || (origin !== undefined && config.corsOrigins.includes(origin))) return;
    throw new Problem(403, 'ORIGIN_REFUSED', 'the live stream is for pages of this address, and for programs with an API key');
  }

  app.get('/overview', {
    config: { permission: 'ledger:read' },
    schema: {
      tags: ['events'], summary: 'Missions that run and ended lately, and the figures of the overview, as of one place in the ledger',
      response: answers(200, z.object({ seq: z.number().int(), metrics: streamMetricsSchema, missions: z.array(missionLineSchema) })),
    },
  }, () => stream.overview());

  app.get('/events', {
    config: { permission: 'ledger:read' },
    schema: {
      tags: ['events'], summary: 'Events of the ledger after a cursor; waits for the next ones when asked to',
      querystring: z.strictObject({
        after: z.coerce.number().int().min(0).max(Number.MAX_SAFE_INTEGER).default(0)
          .describe('the `next_after` of the answer before; 0 begins with the first event'),
        wait: waitQuery,
        limit: z.coerce.number().int().min(1).max(500).default(100), mission_id: idText.optional(), subsystem_id: text(200).optional(),
        types: z.string().max(4_000).transform((list) => list.split(',')).pipe(z.array(z.enum(eventTypes)).max(100)).optional().describe('event types, separated by commas'),
      }),
      response: answers(200, z.object({ items: z.array(sealedEventSchema), next_after: z.number().int(), latest_seq: z.number().int() })),
    },
  }, async (request, reply) => {
    const { wait, limit, after, ...filter } = request.query;
    reply.header('cache-control', 'no-store');
    if (wait === 0) return eventPage(after);
    return waiting(deps, request, reply, wait, async (over) => {
      for (let from = after; ;) {
        const page = await eventPage(from);
        if (page.items.length > 0 || over.aborted) return page;
        from = page.next_after;
        await stream.tail.movedPast(page.latest_seq, over);
      }
    });

    async function eventPage(from: number) {
      const latest_seq = await latestSeq(database.query);
      if (from > latest_seq) throw new Problem(409, 'CURSOR_AHEAD', `the ledger ends at ${latest_seq}, before ${from}: it is not the one that the cursor is of`, [{ path: 'after', message: `above ${latest_seq}` }]);
      const items = await eventsAfter(database.query, { after: from, limit, ...filter });
      // A page that is not full has looked at everything up to the end that was read before it.
      const next_after = items.length === limit ? items.at(-1)!.seq : Math.max(latest_seq, items.at(-1)?.seq ?? 0);
      return { items, next_after, latest_seq: Math.max(latest_seq, next_after) };
    }
  });

  app.route({
    method: 'GET', url: '/ws', config: { permission: 'ledger:read' }, schema: { hide: true },
    preHandler: async (request) => {
      if (!request.ws) return;
      requireKnownOrigin(request);
      requireRoom(deps, request);
    },
    handler: () => { throw new Problem(426, 'UPGRADE_REQUIRED', 'this is the live stream: open it as a WebSocket, or poll /mission-control/events', [], { upgrade: 'websocket', connection: 'upgrade' }); },
    wsHandler: (socket, request) => {
      // Nothing was awaited since the upgrade: no message of the client comes before its reader.
      stream.join(socket, { principal: request.principal, session_id: request.session?.session_id ?? null });
    },
  });
};
