/** Where a metric's value comes from when it is not pushed: one entry, one file for each kind that needs more than a line. */
import { rm } from 'node:fs/promises';
import type { EgressPolicy } from '../../domain/egress.ts';
import type { CatalogMetric, MetricSource } from '../../domain/metric.ts';
import { sha256 } from '../../ledger/canonical.ts';
import type { ActivityDeps } from '../deps.ts';
import { fetchText } from '../egress.ts';
import { measureInternal } from './internal.ts';
import { queryPostgres } from './postgres.ts';
import { measureProcess } from './process.ts';
import { queryPrometheus } from './prometheus.ts';

export type SourceDeps = Pick<ActivityDeps, 'processes' | 'config' | 'database'>;

/** What a source said. `at` is the sample's own time where the source tells it, milliseconds since the epoch. */
export interface Measured {
  value: unknown;
  at: number;
  /** sha256 of the whole answer, where there was more to it than the value. */
  raw_digest: string | null;
}

/**
 * @returns undefined when the source works and has no data
 * @throws Error with a readable reason; a value that is no finite number is for whoever asked to refuse, not for us
 */
export async function measure(deps: SourceDeps, metric: CatalogMetric, egress: EgressPolicy, marker: string): Promise<Measured | undefined> {
  const { source } = metric;
  const now = (value: unknown): Measured => ({ value, at: Date.now(), raw_digest: null });
  switch (source.kind) {
    case 'push': throw new Error(`${metric.metric_id} is pushed, not measured`);
    case 'http_json': return fromJson(await fetchText(source.url, egress), source.pointer);
    case 'command': return fromJson(await outputOf(deps, source, marker), source.pointer ?? '');
    case 'prometheus': return queryPrometheus(source, egress);
    case 'postgres': return now(await queryPostgres(source, egress));
    case 'process': return now(await measureProcess(source.pid_file, source.figure));
    case 'internal': {
      const value = await measureInternal(deps.database.query, source.figure);
      return value === undefined ? undefined : now(value);
    }
  }
}

const fromJson = (text: string, pointer: string): Measured =>
  ({ value: atPointer(JSON.parse(text) as unknown, pointer), at: Date.now(), raw_digest: sha256(text) });

async function outputOf(deps: SourceDeps, source: Extract<MetricSource, { kind: 'command' }>, marker: string): Promise<string> {
  const run = await deps.processes.run({
    argv: source.argv, cwd: deps.config.home, marker, timeout_seconds: source.timeout_seconds, network: true,
  });
  await rm(run.output_file, { force: true });
  if (run.timed_out) throw new Error(`${source.argv[0]} ran into its time limit`);
  if (run.exit_code !== 0) throw new Error(`${source.argv[0]} ended with exit code ${run.exit_code}`);
  const text = run.stdout.trim();
  if (text === '') throw new Error(`${source.argv[0]} printed nothing`);
  return text;
}

/** The value at a JSON pointer (RFC 6901). @throws Error when there is none */
export function atPointer(document: unknown, pointer: string): unknown {
  let value = document;
  for (const part of pointer === '' ? [] : pointer.slice(1).split('/')) {
    const key = part.replaceAll('~1', '/').replaceAll('~0', '~');
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) throw new Error(`there is nothing at ${pointer}`);
    value = (value as Record<string, unknown>)[key];
  }
  return value;
}
