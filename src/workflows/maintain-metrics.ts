import { upkeep } from './activities.ts';

/** Run by a Schedule: partitions ahead of time, roll-ups, and an end for what is too old. */
export async function maintainMetrics(): Promise<void> {
  await upkeep.maintainMetrics();
}
