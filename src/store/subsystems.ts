import type { Resource, Subsystem } from '../domain/subsystem.ts';
import { subsystemsSchema } from '../domain/schema/subsystem.ts';
import { readConfigFile } from './config-file.ts';

/** `config/subsystems.yaml`: what is declared there; the built-in subsystems are measured beside it. */
export async function readSubsystems(configFolder: string): Promise<Subsystem[]> {
  const { subsystems } = await readConfigFile(configFolder, 'subsystems.yaml', subsystemsSchema);
  return Object.entries(subsystems).map(([subsystem_id, rest]) => ({ subsystem_id, ...rest }));
}

/** @returns undefined when there is no such subsystem or resource */
export async function findResource(configFolder: string, subsystemId: string, resourceId: string): Promise<Resource | undefined> {
  const subsystem = (await readSubsystems(configFolder)).find((one) => one.subsystem_id === subsystemId);
  return subsystem !== undefined && Object.hasOwn(subsystem.resources, resourceId) ? subsystem.resources[resourceId] : undefined;
}
