/** Whether an instance can take work, and waiting until it can. */
import { setTimeout as pause } from 'node:timers/promises';
import type { ServiceInstance } from '../../../domain/subsystem.ts';
import type { ProcessIdentity } from '../../../processes.mjs';
import { drift, refused } from '../action.ts';
import { fetchText } from '../../egress.ts';
import { findInstance, identityText } from './instance.ts';
import { egressOf, instancesOf, refuseForbidden, type Service } from './service.ts';

const lookEveryMs = 100;
/** A service that puts itself into the background is not to be seen for a moment. */
const goneForMs = 2_000;

/** A running instance's readiness; without an address to ask, being alive must do. */
export async function isReady(service: Service, instance: ServiceInstance): Promise<boolean> {
  if (instance.ready_url === null) return true;
  try {
    await fetchText(instance.ready_url, await egressOf(service));
    return true;
  } catch (error) {
    refuseForbidden(error);
    return false;
  }
}

/**
 * The process that the instance is, once it is ready.
 * @throws START_FAILED when it ends, NOT_READY when its time is over
 */
export async function whenReady(service: Service, instance: ServiceInstance): Promise<ProcessIdentity> {
  const { signal } = service.tools;
  const begun = performance.now();
  let seen = begun;
  for (;;) {
    const found = await findInstance(instance);
    if (found.kind === 'foreign') throw refused('FOREIGN_PROCESS', found.reason);
    if (found.kind === 'running') {
      if (await isReady(service, instance)) return found.process;
      seen = performance.now();
    }
    const now = performance.now();
    if (now - seen > goneForMs) throw refused('START_FAILED', `${instance.id} ended before it was ready; its log is in the data directory's services folder`);
    if (now - begun > service.resource.ready_timeout_seconds * 1_000) {
      throw refused('NOT_READY', `${instance.id} was not ready within ${service.resource.ready_timeout_seconds} s`);
    }
    await pause(lookEveryMs, undefined, { signal });
  }
}

/** Instances that are ready, this one not counted. */
export async function othersReady(service: Service, instance: ServiceInstance): Promise<string[]> {
  const others = (instancesOf(service) ?? []).filter((other) => other.id !== instance.id);
  const ready = await Promise.all(others.map(async (other) =>
    ((await findInstance(other)).kind === 'running' && await isReady(service, other) ? [other.id] : [])));
  return ready.flat();
}

/** @throws MIN_HEALTHY when taking this one down would leave too few */
export async function refuseTooFew(service: Service, instance: ServiceInstance): Promise<void> {
  const { min_healthy: needed } = service.resource;
  if (needed === 0) return;
  const ready = await othersReady(service, instance);
  if (ready.length < needed) {
    throw refused('MIN_HEALTHY', `${ready.length} other instances of ${service.id} are ready, ${needed} must be before ${instance.id} is taken down`);
  }
}

/** @throws drift when the instance is another process than the one planned with */
export function refuseAnother(instance: ServiceInstance, process: ProcessIdentity, expected: string | null): void {
  if (expected !== null && identityText(process) !== expected) {
    throw drift(`${instance.id} is process ${identityText(process)} now, ${expected} when it was planned`);
  }
}
