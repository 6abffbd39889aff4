import type { Agent } from '../domain/agent.ts';
import { agentsSchema } from '../domain/schema/agents.ts';
import { readConfigFile } from './config-file.ts';

/** The registered agent with this id. Read afresh, so that registering one needs no restart. */
export async function findAgent(configFolder: string, id: string): Promise<Agent | undefined> {
  const { agents } = await readConfigFile(configFolder, 'agents.yaml', agentsSchema);
  const entry = Object.hasOwn(agents, id) ? agents[id] : undefined;
  return entry === undefined ? undefined : { id, ...entry };
}
