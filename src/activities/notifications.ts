/** Notifications: collected from events, grouped, handed to one workflow per message, sent. */
import { Context } from '@temporalio/activity';
import { WorkflowExecutionAlreadyStartedError } from '@temporalio/client';
import picomatch from 'picomatch';
import { group, planSending } from '../domain/notification-groups.ts';
import { notificationFor } from '../domain/notification.ts';
import { routesOf, type NotificationConfig } from '../domain/notification-routing.ts';
import { failure } from '../engine/failure.ts';
import { taskQueue } from '../engine/client.ts';
import type { Query } from '../store/database.ts';
import { deliveryIdOf } from '../store/notification-id.ts';
import { readNotificationConfig } from '../store/notification-config.ts';
import * as store from '../store/notifications.ts';
import { readPolicy } from '../store/policy.ts';
import type { ActivityDeps } from './deps.ts';
import { sendTo } from './notification-channels.ts';

/** How many events are grouped, and how many messages handed over, in one run; the next run goes on. */
const batch = 200;

/** The channel's limit when the channel is gone: its messages fail, and that is told. */
const noLimit = 10_000;

export const notificationActivities = ({ config, database, temporal, logger }: ActivityDeps) => ({
  /**
   * Groups new events into messages, seals what is due and starts its delivery. Safe to repeat and to die anywhere: an
   * event leaves the outbox in the transaction that puts it into a message; a start is repeated under the same id.
   * @returns what keeps notifications from being sent, or null
   */
  async dispatchNotifications(): Promise<string | null> {
    let settings: NotificationConfig;
    try {
      settings = await readNotificationConfig(config.configFolder);
    } catch (error) {
      const { message } = error as Error;
      logger.warn({ event: 'notifications.config_refused', reason: message });
      return message;
    }
    await database.transaction((query) => collect(query, settings, Date.now()));
    for (const id of await store.unstartedDeliveries(database.query, batch)) {
      try {
        await temporal.workflow.start('deliverNotification', {
          workflowId: `notification:${id}`, taskQueue, args: [id], workflowTaskTimeout: '3s',
          workflowIdReusePolicy: 'REJECT_DUPLICATE', workflowIdConflictPolicy: 'FAIL',
        });
      } catch (error) {
        if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
      }
      await store.markStarted(database.query, id);
    }
    return null;
  },

  /**
   * One attempt. A message that was sent and not yet recorded is sent again under the same id, for its receiver to know.
   * @throws NOTIFICATION_REFUSED, or any Error worth another attempt
   */
  async sendNotification(deliveryId: string): Promise<void> {
    const delivery = await store.findDelivery(database.query, deliveryId);
    if (delivery === undefined || delivery.state !== 'pending') return;
    const { attempt } = Context.current().info;
    try {
      const [settings, policy] = await Promise.all([readNotificationConfig(config.configFolder), readPolicy(config.configFolder)]);
      const channel = Object.hasOwn(settings.channels, delivery.channel) ? settings.channels[delivery.channel] : undefined;
      if (channel === undefined) throw failure('NOTIFICATION_REFUSED', `there is no channel ${delivery.channel} in notifications.yaml`);
      await sendTo(channel, { ...delivery, at: delivery.sealed_at!, notifications: delivery.items }, {
        egress: policy.egress, linkBase: settings.link_base, environment: process.env,
      });
    } catch (error) {
      await store.noteAttempt(database.query, deliveryId, attempt, (error as Error).message);
      throw error;
    }
    await database.transaction((query) => store.endDelivery(query, { delivery_id: deliveryId, attempts: attempt, reason: null }));
  },

  /** Gives a message up, with the reason, as an event that findings are made of. */
  async giveUpNotification(input: { delivery_id: string; reason: string }): Promise<void> {
    await database.transaction((query) => store.endDelivery(query, { ...input, attempts: 0 }));
    logger.warn({ event: 'notification.failed', ...input });
  },
});

async function collect(query: Query, settings: NotificationConfig, now: number): Promise<void> {
  await store.lockDispatch(query);
  const keys = new Map<string, string>();
  const routed = (await store.takeUnnotified(query, batch)).flatMap(({ event, mission }) => {
    const notification = notificationFor(event, mission);
    if (notification === null) return [];
    keys.set(event.event_id, event.idempotency_key);
    const tried = event.type === 'notification.test_requested' ? String(event.payload['channel']) : null;
    return routesOf(settings, notification, tried, (globs, text) => picomatch.isMatch(text, [...globs], { dot: true }));
  });
  if (routed.length > 0) {
    await store.saveGrouping(query, group(await store.openDeliveries(query), routed, now, (channel, eventId) => deliveryIdOf(channel, keys.get(eventId)!)));
  }
  for (const { channel, due, sent } of await store.dueByChannel(query, now)) {
    const perHour = Object.hasOwn(settings.channels, channel) ? settings.channels[channel]!.per_hour : noLimit;
    const sending = planSending(due, sent, perHour);
    await store.seal(query, channel, sending, deliveryIdOf(channel, sending.digest.join(' ')), now);
  }
}
