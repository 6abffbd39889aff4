/** One durable schedule for each interval at which something is watched, kept as the configuration says. */
import { ScheduleAlreadyRunning, ScheduleNotFoundError, ScheduleOverlapPolicy, type ScheduleOptions } from '@temporalio/client';
import { ownIntervalSeconds } from '../domain/own-subsystems.ts';
import { taskQueue } from '../engine/client.ts';
import type { ActivityDeps } from './deps.ts';
import { intervalsOf, readWatched } from './watching/measure-due.ts';

const idOf = (seconds: number): string => `watch-${seconds}s`;
const secondsOf = (id: string): number | undefined => {
  const digits = /^watch-(\d{1,5})s$/.exec(id)?.[1];
  return digits === undefined ? undefined : Number(digits);
};

/** Raised with every change of `optionsOf`: schedules that an older version made are then brought up to date. */
const madeBy = 1;

const optionsOf = (seconds: number) => ({
  scheduleId: idOf(seconds),
  spec: { intervals: [{ every: seconds * 1_000 }] },
  // A look that takes longer than its interval is not run twice at once; what was missed while nobody was there stays missed.
  policies: { overlap: ScheduleOverlapPolicy.SKIP, catchupWindow: '10s' },
  action: { type: 'startWorkflow', workflowType: 'watch', workflowId: idOf(seconds), taskQueue, args: [{ interval_seconds: seconds }], workflowTaskTimeout: '3s' },
  memo: { made_by: madeBy },
} satisfies ScheduleOptions);

export interface SyncedWatches { created: string[]; updated: string[]; deleted: string[] }

export const watchScheduleActivities = (deps: ActivityDeps) => ({
  /** Safe to repeat, by any number of workers at once: what is there is left, what is gone is gone. */
  async syncWatches(): Promise<SyncedWatches> {
    const { schedule } = deps.temporal;
    const watched = await readWatched(deps);
    const wanted = watched.problem === null ? intervalsOf(watched) : [ownIntervalSeconds];
    const there = new Map<number, unknown>();
    for await (const { scheduleId, memo } of schedule.list()) {
      const seconds = secondsOf(scheduleId);
      if (seconds !== undefined) there.set(seconds, memo?.['made_by']);
    }
    const synced: SyncedWatches = { created: [], updated: [], deleted: [] };
    for (const seconds of wanted) {
      const options = optionsOf(seconds);
      if (there.get(seconds) === madeBy) continue;
      try {
        await schedule.create(options);
        synced.created.push(options.scheduleId);
      } catch (error) {
        if (!(error instanceof ScheduleAlreadyRunning)) throw error;
        // Lists show a new schedule a moment late: then there is nothing to change.
        if (!there.has(seconds)) continue;
        // A memo cannot be changed. Death in between leaves none, and the next sync makes it.
        await schedule.getHandle(options.scheduleId).delete();
        await schedule.create(options);
        synced.updated.push(options.scheduleId);
      }
    }
    // A configuration that cannot be read says nothing of what is no longer wanted.
    for (const seconds of watched.problem === null ? there.keys() : []) {
      if (wanted.includes(seconds)) continue;
      await schedule.getHandle(idOf(seconds)).delete().catch((error: unknown) => {
        if (!(error instanceof ScheduleNotFoundError)) throw error;
      });
      synced.deleted.push(idOf(seconds));
    }
    if (Object.values(synced).some((ids) => ids.length > 0)) deps.logger.info({ event: 'watches.synced', ...synced });
    return synced;
  },
});
