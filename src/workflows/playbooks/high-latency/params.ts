import { z } from 'zod';
import type { PlaybookContext } from '../playbook.ts';

const id = z.string().min(1).max(200);

export const paramsSchema = z.strictObject({
  /** What is measured, in this order: requests to `url`, the stored metric `latency_metric`, what the service declares, the database itself. */
  url: z.url({ protocol: /^https?$/ }).nullable().default(null),
  requests: z.number().int().min(5).max(500).default(20),
  concurrency: z.number().int().min(1).max(20).default(4),
  latency_metric: id.nullable().default(null),
  /** Less of it is better. */
  error_metric: id.nullable().default(null),
  /** A stored value older than this says nothing about now. */
  max_age_seconds: z.number().positive().max(86_400).default(120),
  /** p95 below this is well. A metric that the service declares has its target in the catalog. */
  target_ms: z.number().positive().default(500),
  /** Another address that must be well, too, afterwards. */
  independent_url: z.url({ protocol: /^https?$/ }).nullable().default(null),
  /** The service in front of a database that is slow, and the database behind a service that is. */
  service: id.nullable().default(null),
  database: id.nullable().default(null),
  /** Statistics are stale once this many rows changed since they were gathered, and this share of the table. */
  stale_rows: z.number().int().min(1).default(1_000),
  stale_share: z.number().positive().max(1).default(0.2),
  /** How long one transaction must block others, at every look, to count as stuck. */
  blocked_seconds: z.number().min(0.2).max(300).default(5),
  /** Cache entries that may be forgotten; never all of them. */
  cache_keys: z.array(z.string().min(1).max(1_000)).max(10_000).default([]),
  /** Spares that may be started at once. */
  max_scale: z.number().int().min(0).max(50).default(1),
  last_resort: z.enum(['restart', 'none']).default('restart'),
});

export type Params = z.output<typeof paramsSchema>;

export type Context = PlaybookContext<Params, 'postgres' | 'service'>;

/** The database and the service that a run is about: one is the run's own resource, the other may be named beside it. */
export function targetsOf({ resource, resource_id, params }: Pick<Context, 'resource' | 'resource_id' | 'params'>): { database: string | null; service: string | null } {
  return resource.kind === 'postgres' ? { database: resource_id, service: params.service } : { database: params.database, service: resource_id };
}
