/** What is known about the slowness before anything is done about it. */
import { restartBudget } from '../../../domain/restart-budget.ts';
import type { Decline } from '../../../domain/healing.ts';
import type { ProbeResult } from '../../../activities/actions/index.ts';
import type { MetricReading } from '../../../activities/actions/service-probes.ts';
import { decline } from '../playbook.ts';
import { refuseBlockers, stuckBlockers, type Stuck } from '../postgres/stuck-blockers.ts';
import { isUp } from '../service/well.ts';
import { inWords, measure, type Figures } from './measure.ts';
import { targetsOf, type Context, type Params } from './params.ts';

export type TableStatistics = ProbeResult<'postgres.table_stats'>['tables'][number];

export type ServiceFacts = {
  id: string;
  ready: (string | null)[];
  /** Spares that can be started. */
  spares: string[];
  /** Instances that may be restarted, one after the other, each the process that it is now. */
  restartable: { instance: string | null; identity: string }[];
  /** Its error metric, where it declares one. */
  errors: MetricReading | null;
};

export type Facts = {
  before: Figures;
  stale: TableStatistics[];
  stuck: Stuck;
  service: ServiceFacts | null;
};

export async function plan(context: Context): Promise<Facts | Decline> {
  const before = await measure(context);
  if (!before.known) return decline('refused', 'LATENCY_UNKNOWN', before.source, before);
  if (before.met) return decline('healthy', 'LATENCY_MET', inWords(before), before);
  // Quick failures are no slowness: a request that runs into its time limit has a time.
  if (before.latency === null && before.errors === 1) return decline('not_applicable', 'NOT_SLOW_BUT_DOWN', inWords(before), before);

  const { database, service: named } = targetsOf(context);
  const service = named === null ? null : await serviceFacts(context, named);
  if (database === null && before.errors === null && (service === null || service.errors === null)) {
    return decline('refused', 'ERRORS_NOT_MEASURED', 'nothing would show whether healing makes it fail instead: name a url, or an error_metric here or at the service', before);
  }
  const stuck = database === null ? nobody : await stuckBlockers(context, context.params.blocked_seconds, database);
  // What holds everybody up is known and may not be touched: nothing else would help.
  const refusal = refuseBlockers(stuck.blockers);
  if (refusal !== undefined) return refusal;
  const stale = database === null ? [] : staleTables((await context.probe('postgres.table_stats', { resource: database })).tables, context.params);
  return { before, stale, stuck, service };
}

const nobody: Stuck = { waiting: 0, longest_wait_seconds: 0, blockers: [] };

/** Those whose planner decides by what no longer is. */
export const staleTables = (tables: readonly TableStatistics[], { stale_rows, stale_share }: Pick<Params, 'stale_rows' | 'stale_share'>): TableStatistics[] =>
  tables.filter(({ exists, changed_since_analyze, live_rows }) => exists && changed_since_analyze >= Math.max(stale_rows, stale_share * live_rows));

async function serviceFacts(context: Context, id: string): Promise<ServiceFacts> {
  const { instances, manager, min_healthy } = await context.probe('service.status', { service: id });
  const ready = instances.filter(isUp).map(({ instance }) => instance);
  const spares = manager === 'process' ? instances.filter(({ spare, state }) => spare && state === 'stopped').map(({ instance }) => instance!) : [];
  const restartable = instances.flatMap(({ instance, identity, spare, state, restarts }) => {
    const others = manager === 'process' ? ready.filter((one) => one !== instance).length : 0;
    return state === 'running' && !spare && identity !== null && restarts < restartBudget.max && others >= min_healthy ? [{ instance, identity }] : [];
  });
  return { id, ready, spares, restartable, errors: await context.probe('service.metric', { service: id, which: 'error' }) };
}
