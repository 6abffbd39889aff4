import { hostUpkeep } from './activities.ts';

/** Run by a Schedule of each host: what is on its disk and nobody's goes away. */
export async function tidyWorkspaces(hostQueue: string): Promise<void> {
  await hostUpkeep(hostQueue).tidyWorkspaces();
}
