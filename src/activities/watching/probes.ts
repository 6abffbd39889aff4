/** Runs one probe within its time limit. */
import type { EgressPolicy } from '../../domain/egress.ts';
import type { Probe, Subsystem } from '../../domain/subsystem.ts';
import type { ProbeReading } from '../../domain/subsystem-health.ts';
import type { ActivityDeps } from '../deps.ts';
import { command, service } from './commands.ts';
import { metricNow } from './metric.ts';
import { http, postgres, tcp, temporal } from './network.ts';
import { reasonOf, unknown, type Found } from './reading.ts';
import { sqlite } from './sqlite.ts';

/** Probes end themselves at their limit and say so; this is for one that cannot. */
const graceMs = 3_000;

/** The reading of whatever `look` finds; what throws or does not end could not measure. */
export async function within(seconds: number, look: () => Promise<Found>, onError: (reason: string) => Found = unknown): Promise<ProbeReading> {
  const measured_at = Date.now();
  const started = performance.now();
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<Found>((resolve) => {
    timer = setTimeout(() => resolve(onError(`not measured within ${seconds} s`)), seconds * 1_000 + graceMs);
  });
  try {
    const found = await Promise.race([look().catch((error: unknown) => onError(reasonOf(error))), late]);
    return { ...found, measured_at, duration_ms: Math.round(performance.now() - started) };
  } finally {
    clearTimeout(timer);
  }
}

export const runProbe = (probe: Probe, subsystem: Subsystem, deps: ActivityDeps, egress: EgressPolicy): Promise<ProbeReading> =>
  within(probe.timeout_seconds, () => look(probe, subsystem, deps, egress));

async function look(probe: Probe, subsystem: Subsystem, deps: ActivityDeps, egress: EgressPolicy): Promise<Found> {
  const marker = `watch:${subsystem.subsystem_id}.${probe.id}`;
  switch (probe.kind) {
    case 'http': return http(probe, egress);
    case 'tcp': return tcp(probe, egress);
    case 'postgres': return postgres(probe);
    case 'temporal': return temporal(probe, deps.temporal);
    case 'command': return command(probe, deps, marker);
    case 'process': return service(probe, subsystem, deps, egress, marker);
    case 'sqlite': return sqlite(probe, subsystem, deps, marker);
    case 'metric': {
      const metric = await deps.catalog.find(probe.metric_id);
      if (metric === undefined) return unknown(`${probe.metric_id} is not in the catalog`);
      return await metricNow(metric, deps, egress, marker) ?? unknown(`${probe.metric_id} has no sample`);
    }
  }
}
