/** `metric`: the catalog that targets refer to and where each metric stands, series, and observations pushed by hand or from a script. */
import { Command } from 'commander';
import type { CatalogMetric, MetricStanding, SeriesPoint } from '../../../domain/metric.ts';
import { apiPath, queryOf, show, withJson, type OutputOptions } from '../answer.ts';
import { count, filled, id, number, target, type Target } from '../arguments.ts';
import { connect } from '../connection.ts';
import { safe } from '../safe-text.ts';
import { short, table, tone } from '../terminal.ts';
import { shortTime, span } from '../words.ts';

export const metricCommand = (): Command => new Command('metric')
  .description('the metrics that missions set targets on')
  .addCommand(set())
  .addCommand(push())
  .addCommand(withJson(new Command('list').description('the catalog, and where each metric stands'))
    .action(async (output: OutputOptions) =>
      show(output, await connect().send<Board>('GET', apiPath('metrics')), board)))
  .addCommand(series());

interface Board { items: MetricStanding[]; catalog_problem: string | null }
interface Series { metric_id: string; unit: string; step_seconds: number; points: SeriesPoint[] }


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

const series = (): Command => withJson(new Command('series')
  .description('a metric over time')
  .argument('<metric>', 'metric id', id)
  .option('--from <time>', 'RFC 3339; otherwise an hour before the end', filled)
  .option('--to <time>', 'RFC 3339; otherwise now', filled)
  .option('--step <seconds>', 'length of one row', count))
  .action(async (metric: string, { from, to, step, ...output }: OutputOptions & { from?: string; to?: string; step?: number }) =>
    show(output, await connect().send<Series>('GET', `${apiPath('metrics', metric, 'series')}${queryOf({ from, to, step })}`), seriesTable));

const inWords = (metric: CatalogMetric): string => `${safe(metric.metric_id)} is well when ${metric.comparator} ${metric.target}${metric.unit === '' ? '' : ` ${safe(metric.unit)}`}`;

/** As many digits as a person compares. */
const figure = (value: number | null): string => (value === null ? '-' : String(Number(value.toPrecision(6))));

const board = ({ items, catalog_problem }: Board): string => {
  const metrics = items.length === 0 ? 'no metrics' : table(
    ['metric', 'state', 'value', 'age', 'well when', 'unit', 'subsystem', 'defined by', 'description'],
    items.map((metric) => [
      safe(metric.metric_id), tone(metric.state), figure(metric.value), metric.age_seconds === null ? '-' : span(metric.age_seconds * 1_000),
      `${metric.comparator} ${metric.target}`, safe(metric.unit), safe(metric.subsystem_id ?? ''), metric.defined_by, short(metric.description ?? ''),
    ]));
  return catalog_problem === null ? metrics : `${metrics}\n\nthe catalog file is not in force, the last good one is: ${safe(catalog_problem)}`;
};

const seriesTable = ({ metric_id, unit, step_seconds, points }: Series): string => (points.length === 0
  ? `${safe(metric_id)} has no samples there`
  : `${safe(metric_id)}${unit === '' ? '' : ` in ${safe(unit)}`}, ${span(step_seconds * 1_000)} a row\n${table(
    ['from', 'samples', 'min', 'avg', 'p95', 'max'],
    points.map((point) => [shortTime(point.at), String(point.count), figure(point.min), figure(point.avg), figure(point.p95), figure(point.max)]))}`);
