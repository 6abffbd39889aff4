/** The service that an action is about, with what every part of it needs. */
import type { EgressPolicy } from '../../../domain/egress.ts';
import type { ServiceInstance, ServiceResource } from '../../../domain/subsystem.ts';
import { readPolicy } from '../../../store/policy.ts';
import { drift, refused, type ActionTools } from '../action.ts';

export interface Service {
  id: string;
  resource: ServiceResource;
  tools: ActionTools;
}

/** A service of the run's subsystem. @throws drift when it is declared as something else */
export async function serviceNamed(tools: ActionTools, id: string): Promise<Service> {
  const resource = await tools.sibling(id);
  if (resource.kind !== 'service') throw drift(`${id} is declared as ${resource.kind}, not service`);
  return { id, resource, tools };
}

/** The instances that we start and stop ourselves; undefined when another manager does. */
export const instancesOf = ({ resource }: Service): ServiceInstance[] | undefined =>
  (resource.manager.kind === 'process' ? resource.manager.instances : undefined);

/**
 * Declared instances by id; all that are meant to run when none is named. Another manager's service has one, which is null.
 * @throws drift when there is no such instance
 */
export function chosen(service: Service, ids: readonly string[] | null): ServiceInstance[] {
  const all = instancesOf(service) ?? [];
  if (ids === null) return all.filter((instance) => !instance.spare);
  return ids.map((id) => {
    const instance = all.find((one) => one.id === id);
    if (instance === undefined) throw drift(`${service.id} declares no instance ${id}`);
    return instance;
  });
}

/** Read only where there is an address to ask: without one, no policy is needed. */
export const egressOf = async ({ tools }: Service): Promise<EgressPolicy> => (await readPolicy(tools.deps.config.configFolder)).egress;

/** An address that the policy forbids will never answer: waiting for it would only hide why. */
export function refuseForbidden(error: unknown): void {
  const { message } = error as Error;
  if (message.startsWith('URL_FORBIDDEN')) throw refused('URL_FORBIDDEN', message.replace('URL_FORBIDDEN: ', ''));
}
