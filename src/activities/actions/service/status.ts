/** How each instance of a service does, in one form for every manager. */
import { restartTarget } from '../../../domain/restart-budget.ts';
import type { ServiceInstance } from '../../../domain/subsystem.ts';
import { recentRestarts } from '../../../store/restarts.ts';
import { findInstance, identityText } from './instance.ts';
import { argvOf, memoryOf, startTimeOf } from './proc.ts';
import { isReady } from './readiness.ts';
import { instancesOf, type Service } from './service.ts';
import { unitOf, unitStatus } from './unit.ts';

export type InstanceStatus = {
  /** Null: the service as a whole, which another manager runs. */
  instance: string | null;
  spare: boolean;
  /** `foreign`: the pid file names a process that is not the instance. */
  state: 'running' | 'stopped' | 'foreign' | 'unknown';
  identity: string | null;
  pid: number | null;
  uptime_seconds: number | null;
  ready: boolean;
  rss_bytes: number | null;
  /** What really runs. */
  argv: string[];
  /** Within the window of the restart budget. */
  restarts: number;
  reason: string | null;
};

const nothing = { identity: null, pid: null, uptime_seconds: null, ready: false, rss_bytes: null, argv: [] };

export async function statusOf(service: Service): Promise<InstanceStatus[]> {
  const unit = unitOf(service);
  if (unit === undefined) return Promise.all((instancesOf(service) ?? []).map((instance) => instanceStatus(service, instance)));
  const { pid, ...status } = await unitStatus(service, unit);
  const seen = pid === null ? { rss_bytes: null, argv: [] } : await seenAt(pid).catch(() => ({ rss_bytes: null, argv: [] }));
  return [{ ...nothing, instance: null, spare: false, pid, ...status, ...seen, restarts: await restartsOf(service, null) }];
}

async function instanceStatus(service: Service, instance: ServiceInstance): Promise<InstanceStatus> {
  const base = { ...nothing, instance: instance.id, spare: instance.spare, restarts: await restartsOf(service, instance.id) };
  const found = await findInstance(instance);
  if (found.kind === 'stopped') return { ...base, state: 'stopped', reason: null };
  if (found.kind === 'foreign') return { ...base, state: 'foreign', reason: found.reason };
  const { process } = found;
  try {
    return {
      ...base, state: 'running', identity: identityText(process), pid: process.pid, reason: null, ...await seenAt(process.pid),
      uptime_seconds: Math.max(0, Math.round((Date.now() - await startTimeOf(process)) / 1_000)), ready: await isReady(service, instance),
    };
  } catch (error) {
    // It ended while we looked.
    if ((await findInstance(instance)).kind === 'stopped') return { ...base, state: 'stopped', reason: null };
    throw error;
  }
}

const seenAt = async (pid: number) => ({ rss_bytes: (await memoryOf(pid)).rss_bytes, argv: await argvOf(pid) });

const restartsOf = ({ tools, id }: Service, instance: string | null): Promise<number> =>
  recentRestarts(tools.deps.database.query, restartTarget(tools.subsystem_id, id, instance));
