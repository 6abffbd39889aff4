/** Takes an instance down: drain, SIGTERM, deadline, SIGKILL. Only ever the process that was identified. */
import { setTimeout as pause } from 'node:timers/promises';
import type { ServiceInstance } from '../../../domain/subsystem.ts';
import { isAlive, type ProcessIdentity } from '../../../processes.mjs';
import { refused } from '../action.ts';
import { postJson } from '../../egress.ts';
import { instanceVariable } from './instance.ts';
import { groupOf, processesWith } from './proc.ts';
import { egressOf, refuseForbidden, type Service } from './service.ts';

export type Stopped = {
  /** Null: it declares no address for that. */
  drained: boolean | null;
  /** It did not end by itself in time. */
  killed: boolean;
};

const lookEveryMs = 50;
/** The kernel ends what is killed as soon as it leaves a system call; a disk that does not answer can hold it there. */
const killedWithinMs = 10_000;

/**
 * As systemd does: the signals go to everything that the instance started, too.
 * @throws STOP_FAILED when it survives SIGKILL, NOT_PERMITTED when it is not ours to stop
 */
export async function stopInstance(service: Service, instance: ServiceInstance, main: ProcessIdentity): Promise<Stopped> {
  const { signal } = service.tools;
  const drained = await drain(service, instance);
  const all = await familyOf(instance, main);
  for (const one of all) send(instance, one, 'SIGTERM');
  const ended = await whenGone(all, service.resource.stop_timeout_seconds * 1_000, signal);
  await end(service, instance, [...all, ...await familyOf(instance, main)]);
  return { drained, killed: !ended };
}

/** What a dead instance left running, known by its mark: it may hold the port that the next one needs. */
export const endLeftovers = async (service: Service, instance: ServiceInstance): Promise<void> =>
  end(service, instance, await processesWith(instanceVariable, instance.pid_file));

async function end({ tools }: Service, instance: ServiceInstance, processes: readonly ProcessIdentity[]): Promise<void> {
  const rest = processes.filter(isAlive);
  for (const one of rest) send(instance, one, 'SIGKILL');
  if (!await whenGone(rest, killedWithinMs, tools.signal)) throw refused('STOP_FAILED', `${instance.id} survives SIGKILL`);
}

/** The process, the group that it leads, and whatever else carries the instance's mark; each once. */
async function familyOf(instance: ServiceInstance, main: ProcessIdentity): Promise<ProcessIdentity[]> {
  const group = isAlive(main) ? await groupOf(main.pid) : [];
  const marked = await processesWith(instanceVariable, instance.pid_file);
  return [...new Map([main, ...group, ...marked].map((one) => [one.pid, one])).values()];
}

/** Asked, not begged: an instance that cannot answer is taken down all the same. */
async function drain(service: Service, { drain_url: url }: ServiceInstance): Promise<boolean | null> {
  if (url === null) return null;
  try {
    await postJson(url, await egressOf(service), '{}', {});
    return true;
  } catch (error) {
    refuseForbidden(error);
    return false;
  }
}

function send(instance: ServiceInstance, target: ProcessIdentity, name: NodeJS.Signals): void {
  // Each process by its own number: many take a second SIGTERM, as one to the group as well would be, for "at once".
  if (!isAlive(target)) return;
  try {
    process.kill(target.pid, name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EPERM') throw refused('NOT_PERMITTED', `${instance.id} (process ${target.pid}) belongs to another user`);
  }
}

async function whenGone(processes: readonly ProcessIdentity[], withinMs: number, signal: AbortSignal): Promise<boolean> {
  for (const end = performance.now() + withinMs; performance.now() < end;) {
    if (!processes.some(isAlive)) return true;
    await pause(lookEveryMs, undefined, { signal });
  }
  return !processes.some(isAlive);
}
