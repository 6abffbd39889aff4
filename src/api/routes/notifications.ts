import { randomUUID } from 'node:crypto';
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { actorOf } from '../../domain/actor.ts';
import { noSubject } from '../../domain/event.ts';
import { deliveryKinds } from '../../domain/notification.ts';
import type { Channel, NotificationConfig } from '../../domain/notification-routing.ts';
import { insertEvents } from '../../store/events.ts';
import { readNotificationConfig } from '../../store/notification-config.ts';
import { deliveryIdOf } from '../../store/notification-id.ts';
import { listDeliveries } from '../../store/notifications.ts';
import type { ApiDeps } from '../context.ts';
import { Problem } from '../problem.ts';
import { answers, idText, limitQuery, listOf } from '../schemas.ts';

const states = ['pending', 'delivered', 'failed'] as const;
const channelKinds = ['webhook', 'slack', 'email'] as const satisfies readonly Channel['kind'][];
const time = z.iso.datetime();

const deliverySchema = z.object({
  delivery_id: z.string(), channel: z.string(), kind: z.enum(deliveryKinds), subsystem_id: z.string().nullable(), state: z.enum(states),
  attempts: z.number().int(), last_error: z.string().nullable(), notifications: z.number().int(), title: z.string(),
  at: time, sealed_at: time.nullable(), ended_at: time.nullable(),
}).describe('One message on one channel; sealed_at: when it was closed for sending');

export const notificationRoutes = ({ config, database }: ApiDeps): FastifyPluginAsyncZod => async (app) => {
  app.get('/notifications', {
    config: { permission: 'notification:read' },
    schema: {
      tags: ['notifications'], summary: 'Messages to people, newest first',
      querystring: z.strictObject({ state: z.enum(states).optional(), channel: idText.optional(), limit: limitQuery }),
      response: answers(200, listOf(deliverySchema).extend({
        channels: z.array(z.object({ channel: z.string(), kind: z.enum(channelKinds) })).describe('Those of config/notifications.yaml; none while it is refused'),
        config_problem: z.string().nullable().describe('Why config/notifications.yaml is refused: until it is mended nothing is sent, and nothing is lost'),
      })),
    },
  }, async (request) => {
    const { limit, ...filter } = request.query;
    const [items, { channels, config_problem }] = await Promise.all([
      listDeliveries(database.query, filter, limit),
      readNotificationConfig(config.configFolder).then(
        (read) => ({ channels: Object.entries(read.channels).map(([channel, { kind }]) => ({ channel, kind })), config_problem: null }),
        (error: Error) => ({ channels: [], config_problem: error.message })),
    ]);
    return { items, next_cursor: null, channels, config_problem };
  });

  app.post('/notifications/test', {
    config: { permission: 'notification:test' },
    schema: {
      tags: ['notifications'], summary: 'Send a test message the way every other one goes',
      body: z.strictObject({ channel: idText }),
      response: answers(202, z.object({ delivery_id: z.string(), channel: z.string() })),
    },
  }, async (request, reply) => {
    const { channel } = request.body;
    const { channels } = await settings(config.configFolder);
    if (!Object.hasOwn(channels, channel)) {
      throw new Problem(422, 'CHANNEL_NOT_FOUND', `there is no channel ${channel} in config/notifications.yaml`, [{ path: 'channel', message: 'not there' }]);
    }
    const key = `notification-test:${randomUUID()}`;
    await database.transaction((query) => insertEvents(query, [{
      type: 'notification.test_requested', actor: actorOf(request.principal), subject: noSubject,
      payload: { channel, title: channel, message: `asked for by ${request.principal.id}` }, idempotency_key: key,
    }]));
    reply.code(202);
    return { delivery_id: deliveryIdOf(channel, key), channel };
  });
};

/** @throws Problem with the file's own faults */
async function settings(folder: string): Promise<NotificationConfig> {
  try {
    return await readNotificationConfig(folder);
  } catch (error) {
    throw new Problem(422, 'NOTIFICATIONS_CONFIG_INVALID', (error as Error).message);
  }
}
