import { z } from 'zod';
import { comparators } from '../metric.ts';
import { aggregations } from '../observation.ts';
import { metricIdSchema } from './metric.ts';
import { text } from './text.ts';

const tolerance = {
  max_ratio: z.number().min(1).max(1_000_000),
  min_effect: z.number().min(0).default(0),
};
const baselineSchema = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('prechange'), ...tolerance, min_n: z.number().int().min(1).max(10_000).default(3) }),
  z.strictObject({
    kind: z.literal('peer'), peer_metric_id: metricIdSchema, ...tolerance, min_n: z.number().int().min(1).max(10_000).default(1),
  }),
]);

export const windowMetricSchema = z.strictObject({
  metric_id: metricIdSchema,
  aggregation: z.enum(aggregations).optional(),
  rolling_window_minutes: z.number().positive().max(1_440).optional(),
  comparator: z.enum(comparators),
  target: z.number().optional(),
  baseline: baselineSchema.optional(),
  role: z.enum(['gate', 'key', 'advisory']).default('gate'),
  failure_limit: z.number().int().min(0).max(10_000).default(0),
  inconclusive_limit: z.number().int().min(0).max(10_000).default(2),
  consecutive_error_limit: z.number().int().min(0).max(10_000).default(4),
  consecutive_success_limit: z.number().int().min(1).max(10_000).optional(),
  no_data: z.enum(['inconclusive', 'fail', 'error']).default('inconclusive'),
  stale_after_seconds: z.number().positive().max(86_400).optional(),
}).superRefine(({ metric_id: id, comparator, target, baseline }, context) => {
  const refuse = (path: string[], message: string): void => context.addIssue({ code: 'custom', path, message });
  if (target === undefined && baseline === undefined) refuse(['target'], 'give a target or a baseline');
  if (baseline !== undefined && comparator === '==') refuse(['comparator'], 'a baseline needs < <= > or >=, which say what is worse');
  if (baseline?.kind === 'peer' && baseline.peer_metric_id === id) refuse(['baseline', 'peer_metric_id'], 'a metric is no peer of its own');
});

export const observationWindowSchema = z.strictObject({
  subject: z.strictObject({ kind: z.enum(['commit', 'deployment']), revision: text(200) }).optional(),
  duration_minutes: z.number().positive().max(10_080).optional(),
  initial_delay_seconds: z.number().min(0).max(86_400).optional(),
  interval_seconds: z.number().positive().max(86_400).optional(),
  min_samples: z.number().int().min(1).max(10_000).default(3),
  min_coverage: z.number().gt(0).max(1).default(0.8),
  metrics: z.union([z.array(windowMetricSchema).min(1).max(200), z.literal('none')]).optional(),
  reason: text(2_000).optional(),
  on_inconclusive: z.enum(['hold', 'extend', 'rollback']).default('hold'),
  max_extensions: z.number().int().min(0).max(100).default(2),
  decision_deadline_minutes: z.number().positive().max(10_080).default(240),
  on_deadline: z.enum(['rollback', 'escalate']).default('rollback'),
  confounders: z.enum(['record', 'extend', 'block']).default('record'),
});
export type WindowMetricInput = z.infer<typeof windowMetricSchema>;
export type ObservationWindowInput = z.infer<typeof observationWindowSchema>;
