/** Detection, run by Schedules: one for each interval, and one that keeps those as the configuration says. */
import { watching } from './activities.ts';
import type { SyncedWatches } from '../activities/watch-schedules.ts';
import type { WatchResult } from '../activities/watch.ts';

/** One look at everything that is watched at this interval. What it misses, the next one sees. */
export async function watch({ interval_seconds }: { interval_seconds: number }): Promise<WatchResult> {
  return watching.watchOnce({ interval_seconds, tick: Date.now() });
}

/** Makes, changes and removes the schedules of `watch`. */
export async function reconcileWatches(): Promise<SyncedWatches> {
  return watching.syncWatches();
}
