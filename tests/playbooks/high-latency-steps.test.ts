import { expect, test } from 'vitest';
import type { Facts } from '../../src/workflows/playbooks/high-latency/plan.ts';
import { staleTables } from '../../src/workflows/playbooks/high-latency/plan.ts';
import { paramsSchema } from '../../src/workflows/playbooks/high-latency/params.ts';
import { steps } from '../../src/workflows/playbooks/high-latency/steps.ts';
import { isDecline } from '../../src/domain/healing.ts';
import type { PostgresResource, ServiceResource } from '../../src/domain/subsystem.ts';

const table = (changed_since_analyze: number, live_rows: number, exists = true): Facts['stale'][number] =>
  ({ table: 'orders', exists, live_rows, changed_since_analyze, analyze_count: 1, last_analyze: null, sequential_scans: 0, index_scans: 0 });

test.each<[string, ReturnType<typeof table>, boolean]>([
  ['a fifth of it changed', table(2_000, 10_000), true],
  ['less than a fifth changed', table(1_999, 10_000), false],
  ['all of a small table changed', table(999, 10), false],
  ['all of it was deleted', table(5_000, 0), true],
  ['there is no such table', table(5_000, 0, false), false],
])('%s: stale is %s', (_name, statistics, stale) => {
  expect(staleTables([statistics], paramsSchema.parse({}))).toHaveLength(stale ? 1 : 0);
});

const postgres: PostgresResource = { kind: 'postgres', url_env: 'X', allow_terminate: [], analyze_tables: [] };
const service: ServiceResource = {
  kind: 'service', manager: { kind: 'http', restart_url: 'http://a/', status_url: 'http://a/' }, stop_timeout_seconds: 1, ready_timeout_seconds: 1,
  min_healthy: 0, cache_url: 'http://a/cache', latency_metric: null, error_metric: null,
};
const nothing: Facts = {
  before: { source: 'x', known: true, latency: 9, target: '< 1', met: false, errors: 0 }, stale: [],
  stuck: { waiting: 0, longest_wait_seconds: 0, blockers: [] }, service: null,
};
const everything: Facts = {
  ...nothing, stale: [table(5_000, 5_000)],
  stuck: { waiting: 1, longest_wait_seconds: 1, blockers: [{
    pid: 7, state: 'active', backend_start: '2026-01-01T00:00:00.000001Z', xact_start: null, backend_type: 'client backend', application_name: 'shop-report',
    usename: 'u', wait_event: null, xact_age_seconds: 1, statement: { keyword: 'UPDATE', digest: '0' }, blocks: 1, refusal: null,
  }] },
  service: { id: 'web', ready: ['web1'], spares: ['web3', 'web4'], restartable: [{ instance: 'web1', identity: '1@1' }, { instance: null, identity: '2@2' }], errors: null },
};

const ids = (facts: Facts, params: unknown, resource: PostgresResource | ServiceResource = postgres): string[] => {
  const planned = steps({ facts, params: paramsSchema.parse(params), resource, resource_id: resource.kind === 'postgres' ? 'db' : 'web' });
  return isDecline(planned) ? [planned.code] : planned.map(({ id }) => id);
};

const all = { service: 'web', database: 'db', cache_keys: ['a'] };

test.each<[string, string[], string[]]>([
  ['the cheapest first, whatever cannot be taken back last', ids(everything, all), ['analyze_1', 'clear_cache', 'cancel_7', 'terminate_7', 'scale_out', 'restart_web1', 'restart_web']],
  ['the same ladder from the service\'s side', ids(everything, all, service), ['analyze_1', 'clear_cache', 'cancel_7', 'terminate_7', 'scale_out', 'restart_web1', 'restart_web']],
  ['no restart where none is wanted', ids(everything, { ...all, last_resort: 'none' }), ['analyze_1', 'clear_cache', 'cancel_7', 'terminate_7', 'scale_out']],
  ['no more spares than allowed', ids(everything, { ...all, max_scale: 0, last_resort: 'none' }), ['analyze_1', 'clear_cache', 'cancel_7', 'terminate_7']],
  ['never a whole cache', ids({ ...everything, stale: [] }, { ...all, cache_keys: [], max_scale: 0, last_resort: 'none' }), ['cancel_7', 'terminate_7']],
  ['no cache to clear', ids({ ...nothing, service: everything.service }, { ...all, max_scale: 0, last_resort: 'none' }, { ...service, cache_url: null }), ['NOTHING_APPLIES']],
  ['nothing applies', ids(nothing, all), ['NOTHING_APPLIES']],
])('%s', (_name, found, expected) => {
  expect(found).toEqual(expected);
});

test('every rung is taken only while it is slow, lets the next one try, and loses nothing', () => {
  const planned = steps({ facts: everything, params: paramsSchema.parse(all), resource: postgres, resource_id: 'db' });
  if (isDecline(planned)) throw new Error(planned.reason);
  for (const one of planned) expect(one).toMatchObject({ run: 'while_symptom', on_failure: 'next', data_loss: 0 });
  expect(planned.find(({ id }) => id === 'scale_out')).toMatchObject({ with: { instances: ['web3'] }, compensate: { action: 'service.scale_in', with: { instances: ['web3'] } } });
});
