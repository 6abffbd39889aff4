import { ActivityFailure, CancellationScope } from '@temporalio/workflow';
import { delivery, record } from './activities.ts';

/** Run by a Schedule: makes messages of what happened and starts their deliveries. Its result says what keeps it from that. */
export async function dispatchNotifications(): Promise<string | null> {
  return record.dispatchNotifications();
}

/** One message to one channel, tried for hours, then given up with the reason. */
export async function deliverNotification(deliveryId: string): Promise<void> {
  try {
    await delivery.sendNotification(deliveryId);
  } catch (error) {
    const reason = error instanceof ActivityFailure ? error.cause?.message ?? error.message : String(error);
    await CancellationScope.nonCancellable(() => record.giveUpNotification({ delivery_id: deliveryId, reason }));
  }
}
