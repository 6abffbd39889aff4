/** The ladder, cheapest and most reversible first; each rung only while it is still slow, and only where its precondition holds. */
import type { Decline, PlannedStep } from '../../../domain/healing.ts';
import { decline, step, undo } from '../playbook.ts';
import { releaseSteps } from '../postgres/stuck-blockers.ts';
import { nameOf } from '../service/well.ts';
import { targetsOf, type Context } from './params.ts';
import type { Facts } from './plan.ts';

type Input = Pick<Context, 'resource' | 'resource_id' | 'params'> & { facts: Facts };

const rung = { run: 'while_symptom', on_failure: 'next' } as const;

export function steps(input: Input): PlannedStep[] | Decline {
  const { database } = targetsOf(input);
  const { facts } = input;
  const planned = [
    ...(database === null ? [] : analyses(facts, database)),
    ...forgetting(input),
    ...(database === null ? [] : releaseSteps(facts.stuck.blockers, database).map((one) => ({ ...one, ...rung }))),
    ...growing(input),
    ...restarts(input),
  ];
  return planned.length > 0 ? planned
    : decline('not_applicable', 'NOTHING_APPLIES', 'statistics are fresh, nobody blocks, and no cache key, spare or restart is open to this playbook', facts);
}

const analyses = ({ stale }: Facts, database: string): PlannedStep[] => stale.map(({ table, changed_since_analyze, live_rows }, n) => step({
  ...rung, id: `analyze_${n + 1}`, action: 'postgres.analyze', with: { resource: database, table }, timeout_seconds: 90,
  effect: `gathers statistics of ${table} anew, as autovacuum would later: ${changed_since_analyze} rows changed since they were gathered, of ${live_rows}`,
}));

function forgetting({ facts: { service }, params: { cache_keys }, resource }: Input): PlannedStep[] {
  if (service === null || cache_keys.length === 0 || (resource.kind === 'service' && resource.cache_url === null)) return [];
  return [step({
    ...rung, id: 'clear_cache', action: 'service.clear_cache', with: { service: service.id, keys: cache_keys },
    effect: `${service.id} forgets ${cache_keys.length} named cache entries and fetches them again when they are asked for`,
  })];
}

function growing({ facts: { service }, params: { max_scale } }: Input): PlannedStep[] {
  const instances = service?.spares.slice(0, max_scale) ?? [];
  if (service === null || instances.length === 0) return [];
  return [step({
    ...rung, id: 'scale_out', action: 'service.scale', with: { service: service.id, instances }, timeout_seconds: 700,
    reversibility: 'compensable', compensate: undo('service.scale_in', { service: service.id, instances }),
    effect: `starts ${instances.join(', ')} of ${service.id}; stopped again if that does not help`,
  })];
}

function restarts({ facts: { service }, params: { last_resort } }: Input): PlannedStep[] {
  if (service === null || last_resort === 'none') return [];
  return service.restartable.map(({ instance, identity }) => step({
    ...rung, id: `restart_${nameOf(instance, service.id)}`, action: 'service.restart', with: { service: service.id, instance, identity }, timeout_seconds: 1_300,
    effect: `${nameOf(instance, service.id)} (${identity}) is ended and started again, ready before anything else is done`,
  }));
}
