/** What playbooks may ask about a service. */
import { z } from 'zod';
import { isStale, meets } from '../../domain/metric.ts';
import { readPolicy } from '../../store/policy.ts';
import { readMetric } from '../metric-sources/read-metric.ts';
import { defineProbe, drift } from './action.ts';
import { memoryDuring } from './service/memory.ts';
import { serviceNamed } from './service/service.ts';
import { statusOf } from './service/status.ts';

const service = z.string().min(1).max(100);

const status = defineProbe({
  input: z.strictObject({ service }),
  async look(input, tools) {
    const found = await serviceNamed(tools, input.service);
    return { manager: found.resource.manager.kind, min_healthy: found.resource.min_healthy, instances: await statusOf(found) };
  },
});

const memory = defineProbe({
  input: z.strictObject({ service, seconds: z.number().positive().max(60), samples: z.number().int().min(1).max(600) }),
  look: async (input, tools) => ({ instances: await memoryDuring(await serviceNamed(tools, input.service), input.seconds, input.samples) }),
});

export type MetricReading = {
  metric_id: string;
  /** Null: not known now. */
  value: number | null;
  met: boolean;
  comparator: string;
  target: number;
  reason: string | null;
};

/** One of the metrics that the service is declared with. Null when it declares none. */
const metric = defineProbe({
  input: z.strictObject({ service, which: z.enum(['error', 'latency']) }),
  async look(input, tools): Promise<MetricReading | null> {
    const { resource } = await serviceNamed(tools, input.service);
    const id = input.which === 'error' ? resource.error_metric : resource.latency_metric;
    if (id === null) return null;
    const { config, catalog } = tools.deps;
    const entry = await catalog.find(id);
    if (entry === undefined) throw drift(`the metric ${id} of ${input.service} is not in the catalog`);
    const { comparator, target } = entry;
    const reading = (value: number | null, reason: string | null): MetricReading => ({ metric_id: id, value, met: meets(value, comparator, target), comparator, target, reason });
    const said = await readMetric(tools.deps, entry, (await readPolicy(config.configFolder)).egress, tools.key);
    if (said.kind === 'error') return reading(null, said.reason);
    if (said.kind === 'nothing') return reading(null, 'there is no data');
    if (isStale(entry, said.at, Date.now())) return reading(null, 'nothing was pushed of late');
    return typeof said.value === 'number' && Number.isFinite(said.value) ? reading(said.value, null) : reading(null, 'what was measured is not a finite number');
  },
});

export const serviceProbes = { 'service.status': status, 'service.memory': memory, 'service.metric': metric };
