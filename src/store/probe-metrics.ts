/** The metrics that probes' results are stored under: in the catalog like any other, measured by nobody but us. */
import type { CatalogMetric } from '../domain/metric.ts';
import { ownProbe, watchedOwnParts } from '../domain/own-subsystems.ts';
import { probeMetric } from '../domain/subsystem.ts';
import { fromDefinition } from './metrics.ts';
import { readSubsystems } from './subsystems.ts';

/** Subsystems that cannot be read have no probes now; that they cannot be read is told by `governance`. */
export async function probeMetrics(configFolder: string): Promise<CatalogMetric[]> {
  const declared = await readSubsystems(configFolder).catch(() => []);
  const probes = [
    ...watchedOwnParts.map((part) => [part, ownProbe] as const),
    ...declared.flatMap(({ subsystem_id, probes }) => probes.map((probe) => [subsystem_id, probe.id] as const)),
  ];
  return probes.map(([subsystem_id, probe]) => fromDefinition(probeMetric(subsystem_id, probe), {
    source: { kind: 'push' }, comparator: '==', target: 1, unit: '', description: `1 while the probe ${probe} of ${subsystem_id} is well`, subsystem_id,
  }, 'file'));
}
