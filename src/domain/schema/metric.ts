import { z } from 'zod';
import { comparators } from '../metric.ts';

export const metricIdSchema = z.string().min(1).max(200).regex(/^[a-z0-9][a-z0-9_.:-]*$/i, 'letters, digits, _ . : -');

/** One entry of the catalog, by file or by `PUT /mission-control/metrics/{metric_id}`. */
export const metricDefinitionSchema = z.strictObject({
  source: z.strictObject({ kind: z.literal('push') }).default({ kind: 'push' }),
  comparator: z.enum(comparators),
  target: z.number(),
  unit: z.string().max(40).default(''),
  description: z.string().max(2_000).optional(),
  subsystem_id: z.string().max(200).optional(),
});
export type MetricDefinition = z.infer<typeof metricDefinitionSchema>;

/** One pushed observation. */
export const observationInputSchema = z.strictObject({
  value: z.number().refine(Number.isFinite, 'must be a finite number'),
  at: z.iso.datetime({ offset: true }).optional(),
  observed_revision: z.string().min(1).max(200).optional(),
});
export type ObservationInput = z.infer<typeof observationInputSchema>;
