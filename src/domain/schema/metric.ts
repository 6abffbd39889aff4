import { z } from 'zod';
import { comparators } from '../metric.ts';
import { text } from './text.ts';

export const metricIdSchema = z.string().min(1).max(200).regex(/^[a-z0-9][a-z0-9_.:-]*$/i, 'letters, digits, _ . : -');

const pushSource = z.strictObject({ kind: z.literal('push') });
const pointer = z.string().max(1_000).regex(/^(\/.*)?$/, 'a JSON pointer: empty, or starting with /');

/** What `PUT /mission-control/metrics/{metric_id}` takes: a pushed metric. */
export const metricDefinitionSchema = z.strictObject({
  source: pushSource.default({ kind: 'push' }),
  comparator: z.enum(comparators),
  target: z.number(),
  unit: text(40, 0).default(''),
  description: text(2_000, 0).optional(),
  subsystem_id: text(200, 0).optional(),
});

/** One entry of `config/metrics_catalog.yaml`: there a metric may also be measured by us. */
export const fileMetricSchema = metricDefinitionSchema.extend({
  source: z.discriminatedUnion('kind', [
    pushSource,
    z.strictObject({ kind: z.literal('http_json'), url: z.url(), pointer }),
    z.strictObject({
      kind: z.literal('command'), argv: z.array(z.string().min(1)).min(1).max(200), pointer: pointer.optional(),
      timeout_seconds: z.number().positive().max(60).default(5),
    }),
  ]).default({ kind: 'push' }),
});
export type MetricDefinition = z.infer<typeof metricDefinitionSchema> | z.infer<typeof fileMetricSchema>;

/** One pushed observation. */
export const observationInputSchema = z.strictObject({
  value: z.number().refine(Number.isFinite, 'must be a finite number'),
  at: z.iso.datetime({ offset: true }).optional(),
  observed_revision: text(200).optional(),
});
export type ObservationInput = z.infer<typeof observationInputSchema>;
