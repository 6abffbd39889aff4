/** Durable schedules, made by whichever worker comes first. */
import { ScheduleAlreadyRunning, ScheduleOverlapPolicy, type Client } from '@temporalio/client';
import type { Duration } from '@temporalio/common';
import { taskQueue } from '../engine/client.ts';

/**
 * Makes sure that a workflow runs again and again, one run at a time, and once now. Turns that nobody ran are made
 * up for within `catchupWindow`.
 */
export async function ensureSchedule(temporal: Client, scheduleId: string, workflowType: string, every: Duration, catchupWindow: Duration = '1m', args: readonly string[] = []): Promise<void> {
  try {
    await temporal.schedule.create({
      scheduleId,
      spec: { intervals: [{ every }] },
      policies: { overlap: ScheduleOverlapPolicy.SKIP, catchupWindow },
      action: { type: 'startWorkflow', workflowType, taskQueue, args: [...args], workflowTaskTimeout: '3s' },
      state: { triggerImmediately: true },
    });
  } catch (error) {
    if (!(error instanceof ScheduleAlreadyRunning)) throw error;
    await temporal.schedule.getHandle(scheduleId).trigger();
  }
}
