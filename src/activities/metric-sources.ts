/** Where a metric's value comes from when it is not pushed: an HTTP address with a JSON pointer, or a command. */
import { rm } from 'node:fs/promises';
import type { CatalogMetric } from '../domain/metric.ts';
import type { EgressPolicy } from '../domain/egress.ts';
import type { ActivityDeps } from './deps.ts';
import { fetchText } from './egress.ts';

/** @throws Error with a readable reason; a value that is no finite number is for the judge to refuse, not for us */
export async function measure(
  deps: Pick<ActivityDeps, 'processes' | 'config'>, metric: CatalogMetric, egress: EgressPolicy, marker: string,
): Promise<unknown> {
  const { source } = metric;
  switch (source.kind) {
    case 'push': throw new Error(`${metric.metric_id} is pushed, not measured`);
    case 'http_json': return atPointer(JSON.parse(await fetchText(source.url, egress)) as unknown, source.pointer);
    case 'command': {
      const run = await deps.processes.run({
        argv: source.argv, cwd: deps.config.home, marker, timeout_seconds: source.timeout_seconds, network: true,
      });
      await rm(run.output_file, { force: true });
      if (run.timed_out) throw new Error(`${source.argv[0]} ran into its time limit`);
      if (run.exit_code !== 0) throw new Error(`${source.argv[0]} ended with exit code ${run.exit_code}`);
      const text = run.stdout.trim();
      if (text === '') throw new Error(`${source.argv[0]} printed nothing`);
      return atPointer(JSON.parse(text) as unknown, source.pointer ?? '');
    }
  }
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
