/** Whether a service is no worse off than before: what every playbook that restarts something must show. */
import type { Check } from '../../../domain/healing.ts';
import type { MetricReading } from '../../../activities/actions/service-probes.ts';
import type { InstanceStatus } from '../../../activities/actions/service/status.ts';
import type { PlaybookContext } from '../playbook.ts';

type ServiceContext = Pick<PlaybookContext<unknown, 'service'>, 'resource_id' | 'probe'>;

/** As facts name an instance; a service that another manager runs as a whole has none. */
export const nameOf = (instance: string | null, service: string): string => instance ?? service;

export const isUp = ({ state, ready }: Pick<InstanceStatus, 'state' | 'ready'>): boolean => state === 'running' && ready;

/**
 * All of these are ready, and the error metric, where one is declared, is met or no worse than before. A metric without a value
 * is not fine.
 */
export async function stillWell(context: ServiceContext, ready: readonly (string | null)[], errorsBefore: MetricReading | null): Promise<Check> {
  const service = context.resource_id;
  const { instances } = await context.probe('service.status', { service });
  const down = ready.filter((name) => !instances.some((one) => one.instance === name && isUp(one)));
  const errors = await context.probe('service.metric', { service, which: 'error' });
  const measured = { down: down.map((name) => nameOf(name, service)), errors };
  if (down.length > 0) return { ok: false, found: `not ready: ${measured.down.join(', ')}`, measured };
  if (errors === null) return { ok: true, found: `all of ${ready.length} that should be ready are`, measured };
  const ok = errors.met || noWorse(errors, errorsBefore);
  return { ok, found: `all of ${ready.length} that should be ready are; ${errors.metric_id} is ${errors.value ?? `unknown (${errors.reason})`}, ${errors.comparator} ${errors.target} is wanted`, measured };
}

function noWorse(now: MetricReading, before: MetricReading | null): boolean {
  if (now.value === null || before === null || before.value === null || now.metric_id !== before.metric_id) return false;
  return now.comparator.startsWith('<') ? now.value <= before.value : now.comparator.startsWith('>') ? now.value >= before.value : now.value === before.value;
}
