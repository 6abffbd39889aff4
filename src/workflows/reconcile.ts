import { record } from './activities.ts';

/** Run by a Schedule: starts missions that were asked for and, because something died in between, not started. */
export async function reconcileMissions(): Promise<number> {
  return record.startUnstarted();
}
