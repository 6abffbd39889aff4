/** `metric`: the catalog that targets refer to, and observations pushed by hand or from a script. */
import { Command } from 'commander';
import type { CatalogMetric } from '../../../domain/metric.ts';
import { apiPath, show, withJson, type OutputOptions } from '../answer.ts';
import { filled, id, number, target, type Target } from '../arguments.ts';
import { connect } from '../connection.ts';
import { safe } from '../safe-text.ts';
import { short, table } from '../terminal.ts';

export const metricCommand = (): Command => new Command('metric')
  .description('the metrics that missions set targets on')
  .addCommand(set())
  .addCommand(push())
  .addCommand(withJson(new Command('list').description('the catalog'))
    .action(async (output: OutputOptions) =>
      show(output, await connect().send<{ items: CatalogMetric[] }>('GET', apiPath('metrics')), metricTable)));

const set = (): Command => withJson(new Command('set')
  .description('define a pushed metric, or change it')
  .argument('<METRIC<VALUE>', "its id and when it is well, quoted: 'shop.errors<1'", target)
  .option('--unit <unit>', 'such as ms', filled)
  .option('--description <text>', 'what it measures', filled)
  .option('--subsystem <id>', 'what it is of', filled))
  .action(async (wanted: Target, { unit, description, subsystem, ...output }: OutputOptions & { unit?: string; description?: string; subsystem?: string }) => {
    const { metric_id, ...well } = wanted;
    const body = {
      source: { kind: 'push' }, ...well, ...(unit === undefined ? {} : { unit }), ...(description === undefined ? {} : { description }),
      ...(subsystem === undefined ? {} : { subsystem_id: subsystem }),
    };
    show(output, await connect().send<CatalogMetric>('PUT', apiPath('metrics', id(metric_id)), body),
      (metric) => `${inWords(metric)}\npush values: missionctl metric push ${safe(metric.metric_id)} VALUE`);
  });

const push = (): Command => withJson(new Command('push')
  .description('push one observation')
  .argument('<metric>', 'metric id', id)
  .argument('<value>', 'what was measured', number)
  .option('--at <time>', 'when, RFC 3339; otherwise now', filled)
  .option('--revision <commit>', 'the commit that was running', filled))
  .action(async (metric: string, value: number, { at, revision, ...output }: OutputOptions & { at?: string; revision?: string }) => {
    const body = { value, ...(at === undefined ? {} : { at }), ...(revision === undefined ? {} : { observed_revision: revision }) };
    show(output, await connect().send<{ accepted: number }>('POST', apiPath('metrics', metric, 'observations'), body),
      ({ accepted }) => `${safe(metric)}: ${accepted} accepted`);
  });

const inWords = (metric: CatalogMetric): string => `${safe(metric.metric_id)} is well when ${metric.comparator} ${metric.target}${metric.unit === '' ? '' : ` ${safe(metric.unit)}`}`;

const metricTable = ({ items }: { items: CatalogMetric[] }): string => (items.length === 0 ? 'no metrics' : table(
  ['metric', 'well when', 'unit', 'subsystem', 'defined by', 'description'],
  items.map((metric) => [
    safe(metric.metric_id), `${metric.comparator} ${metric.target}`, safe(metric.unit), safe(metric.subsystem_id ?? ''), metric.defined_by,
    short(metric.description ?? ''),
  ])));
