/** What playbooks may ask about a service. */
import { z } from 'zod';
import { meets } from '../../domain/metric.ts';
import { createCatalog } from '../../store/catalog.ts';
import { lastSample } from '../../store/metrics.ts';
import { readPolicy } from '../../store/policy.ts';
import { measure } from '../metric-sources.ts';
import { defineProbe, drift } from './action.ts';
import { memoryDuring } from './service/memory.ts';
import { serviceNamed } from './service/service.ts';
import { statusOf } from './service/status.ts';

const service = z.string().min(1).max(100);
/** A pushed value older than this says nothing about now. */
const staleAfterSeconds = 300;

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
    const { config, database } = tools.deps;
    const entry = await createCatalog(config.configFolder, database).find(id);
    if (entry === undefined) throw drift(`the metric ${id} of ${input.service} is not in the catalog`);
    const { comparator, target } = entry;
    const reading = (value: number | null, reason: string | null): MetricReading => ({ metric_id: id, value, met: meets(value, comparator, target), comparator, target, reason });
    if (entry.source.kind === 'push') {
      const now = Date.now();
      const sample = await lastSample(database.query, id, new Date(now).toISOString());
      const fresh = sample !== undefined && now - Date.parse(sample.at) <= staleAfterSeconds * 1_000;
      return fresh ? reading(sample.value, null) : reading(null, 'nothing was pushed of late');
    }
    try {
      const value = await measure(tools.deps, entry, (await readPolicy(config.configFolder)).egress, tools.key);
      return typeof value === 'number' && Number.isFinite(value) ? reading(value, null) : reading(null, 'what was measured is not a finite number');
    } catch (error) {
      return reading(null, (error as Error).message.split('\n')[0]!.slice(0, 300));
    }
  },
});

export const serviceProbes = { 'service.status': status, 'service.memory': memory, 'service.metric': metric };
