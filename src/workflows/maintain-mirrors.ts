import { hostUpkeep } from './activities.ts';

/** Run by a Schedule of each host: the mirrors in its data directory. A host that is away is tended when it is back. */
export async function maintainMirrors(hostQueue: string): Promise<void> {
  await hostUpkeep(hostQueue).maintainMirrors();
}
