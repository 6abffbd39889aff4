/** Durable schedules, made by whichever worker comes first. */
import { ScheduleAlreadyRunning, ScheduleNotFoundError, ScheduleOverlapPolicy, type Client } from '@temporalio/client';
import type { Duration } from '@temporalio/common';
import { taskQueue } from '../engine/client.ts';
import type { Logger } from '../log.ts';
import { tellAllAgain } from '../store/capa-workflows.ts';
import type { Query } from '../store/database.ts';

interface Host { hostId: string; hostQueue: string }

/** Of the system, and of each host's own files. */
const schedulesOf = ({ hostId, hostQueue }: Host): [id: string, workflow: string, every: Duration, catchup?: Duration, args?: string[]][] => [
  ['reconcile-missions', 'reconcileMissions', '30s'],
  ['reconcile-watches', 'reconcileWatches', '30s'],
  ['dispatch-notifications', 'dispatchNotifications', '5s'],
  ['maintain-metrics', 'maintainMetrics', '1h', '1h'],
  [`tidy-workspaces-${hostId}`, 'tidyWorkspaces', '10m', '1m', [hostQueue]],
];

/** How soon the schedules of an engine that lost its state are made again. */
const lookEveryMs = 15_000;

/**
 * Makes the schedules, and makes them again when the engine has lost them with everything else: nothing inside of it could
 * notice. Records whose workflows went with them are told anew.
 */
export async function keepSchedules(temporal: Client, query: Query, host: Host, logger: Logger): Promise<{ stop(): void }> {
  const schedules = schedulesOf(host);
  for (const schedule of schedules) await ensureSchedule(temporal, ...schedule);
  const isLost = (id: string): Promise<boolean> =>
    temporal.schedule.getHandle(id).describe().then(() => false, (error: unknown) => error instanceof ScheduleNotFoundError);
  const look = async (): Promise<void> => {
    const gone = await Promise.all(schedules.map(([id]) => isLost(id)));
    const lost = schedules.filter((_, i) => gone[i]);
    if (lost.length === 0) return;
    const capas = await tellAllAgain(query);
    for (const schedule of lost) await ensureSchedule(temporal, ...schedule);
    logger.error({ event: 'engine.state_lost', schedules: lost.length, capas });
  };
  const timer = setInterval(() => {
    // An engine or a database that is away is asked again; until it answers nothing is known to be lost.
    look().catch((error: Error) => { logger.warn({ event: 'schedules.unseen', reason: error.message }); });
  }, lookEveryMs);
  return { stop: () => { clearInterval(timer); } };
}

/**
 * Makes sure that a workflow runs again and again, one run at a time, and once now. Turns that nobody ran are made
 * up for within `catchupWindow`.
 */
async function ensureSchedule(temporal: Client, scheduleId: string, workflowType: string, every: Duration, catchupWindow: Duration = '1m', args: readonly string[] = []): Promise<void> {
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
