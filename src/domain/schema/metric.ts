import { z } from 'zod';
import { comparators, internalFigures, processFigures, type MetricSource } from '../metric.ts';
import { severities } from '../mission.ts';
import { aggregations } from '../observation.ts';
import { text } from './text.ts';

export const metricIdSchema = z.string().min(1).max(200).regex(/^[a-z0-9][a-z0-9_.:-]*$/i, 'letters, digits, _ . : -');

const pushSource = z.strictObject({ kind: z.literal('push') });
const pointer = z.string().max(1_000).regex(/^(\/.*)?$/, 'a JSON pointer: empty, or starting with /');

const day = 24 * 3_600;

/** What `PUT /mission-control/metrics/{metric_id}` takes: a pushed metric. */
export const metricDefinitionSchema = z.strictObject({
  source: pushSource.default({ kind: 'push' }),
  comparator: z.enum(comparators),
  target: z.number(),
  unit: text(40, 0).default(''),
  description: text(2_000, 0).optional(),
  subsystem_id: text(200, 0).optional(),
  aggregation: z.enum(aggregations).optional(),
  rolling_window_minutes: z.number().positive().max(7 * 24 * 60).optional(),
  interval_seconds: z.number().min(0.1).max(day).optional(),
  stale_after_seconds: z.number().positive().max(7 * day).optional(),
  for_seconds: z.number().min(0).max(day).optional(),
  severity: z.enum(severities).optional(),
  playbooks: z.array(text(100)).max(20).optional(),
});

const measuredSources = z.discriminatedUnion('kind', [
  pushSource,
  z.strictObject({ kind: z.literal('http_json'), url: z.url(), pointer }),
  z.strictObject({
    kind: z.literal('command'), argv: z.array(z.string().min(1)).min(1).max(200), pointer: pointer.optional(),
    timeout_seconds: z.number().positive().max(60).default(5),
  }),
  z.strictObject({ kind: z.literal('prometheus'), url: z.url() }),
  z.strictObject({
    kind: z.literal('postgres'), url_env: z.string().max(200).regex(/^[A-Z_][A-Z0-9_]*$/i, 'the name of an environment variable, not a URL'),
    timeout_seconds: z.number().positive().max(60).default(5),
  }),
  z.strictObject({ kind: z.literal('process'), pid_file: z.string().min(1).max(4_000), figure: z.enum(processFigures) }),
  z.strictObject({ kind: z.literal('internal'), figure: z.enum(internalFigures) }),
]);

/** One entry of `config/metrics_catalog.yaml`: there a metric may also be measured by us. */
export const fileMetricSchema = metricDefinitionSchema.extend({
  source: measuredSources.default({ kind: 'push' }),
  /** PromQL or SQL, for the sources that are asked something. */
  query: text(10_000).optional(),
}).check((context) => {
  const { source, query } = context.value;
  const asks = source.kind === 'prometheus' || source.kind === 'postgres';
  if (asks === (query !== undefined)) return;
  const message = asks ? `a ${source.kind} source needs a query` : `a ${source.kind} source is asked no query`;
  context.issues.push({ code: 'custom', message, path: asks ? ['source'] : ['query'], input: context.value });
}).transform(({ query, source, ...metric }) => ({ ...metric, source: withQuery(source, query ?? '') }));

function withQuery(source: z.infer<typeof measuredSources>, query: string): MetricSource {
  return source.kind === 'prometheus' || source.kind === 'postgres' ? { ...source, query } : source;
}

export type MetricDefinition = z.infer<typeof metricDefinitionSchema> | z.infer<typeof fileMetricSchema>;

/** One pushed observation. */
export const observationInputSchema = z.strictObject({
  value: z.number().refine(Number.isFinite, 'must be a finite number'),
  at: z.iso.datetime({ offset: true }).optional(),
  observed_revision: text(200).optional(),
});
export type ObservationInput = z.infer<typeof observationInputSchema>;
