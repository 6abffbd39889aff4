import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import type { Decline, Json, PlannedStep } from '../../src/domain/healing.ts';
import { memoryLeak } from '../../src/workflows/playbooks/memory-leak.ts';
import type { PlaybookContext } from '../../src/workflows/playbooks/playbook.ts';
import type { Planned } from '../support/playbook-bench.ts';
import { openServiceBench, type ServiceBench } from '../support/service.ts';

const megabyte = 1024 * 1024;
/** Far apart on purpose: what leaks does so at 40 MB a second, what is tolerated is 8. */
const leak = { bytes_per_second: 40 * megabyte };
const params = { sample_seconds: 2, samples: 16, min_slope_bytes_per_second: 8 * megabyte, warm_up_seconds: 1 };

describe('with a real service', () => {
  let bench: ServiceBench;
  afterEach(() => bench.close());
  const context = (more: object = {}) => bench.context(memoryLeak, 'web', 'memory_leak', { ...params, ...more });
  const planned = async (): Promise<{ at: PlaybookContext<unknown>; plan: Planned }> => {
    const at = await context();
    const plan = await bench.plan(memoryLeak, at);
    expect(plan).not.toHaveProperty('decline');
    return { at, plan: plan as Planned };
  };

  test('two instances leak: restarted one at a time while at least one answers all the time, and then they do not leak', async () => {
    bench = await openServiceBench();
    await bench.start();
    const before = [bench.identityOf('web1'), bench.identityOf('web2')];
    await Promise.all(['web1', 'web2'].map((id) => bench.post(id, '/leak', leak)));
    const { at, plan } = await planned();
    expect(plan.steps.map((one) => one.id).sort()).toEqual(['restart-web1', 'restart-web2']);
    const seen = await bench.watchedWhile(['web1', 'web2'], () => bench.execute(memoryLeak, at, plan));
    expect(seen.silent).toBe(0);
    expect(seen.answered).toBeGreaterThan(10);
    expect(await bench.verify(memoryLeak, at, plan.facts)).toMatchObject({ symptom: { ok: true }, independent: { ok: true }, must_not_regress: { ok: true } });
    expect([bench.identityOf('web1'), bench.identityOf('web2')].filter((identity) => before.includes(identity))).toEqual([]);
  });

  test('only what leaks is restarted, with its heap as evidence when it can write it; what leaks again afterwards did not get better', async () => {
    bench = await openServiceBench();
    const [web1, ...rest] = bench.declared;
    const leaky = { ...web1, argv: [process.execPath, '--heapsnapshot-signal=SIGUSR2', bench.script], env: { ...web1!.env, LEAKS: String(leak.bytes_per_second) } };
    await bench.configure({ web: { ...bench.declaration, manager: { kind: 'process', instances: [leaky, ...rest] } } });
    await bench.start();
    const other = bench.identityOf('web2');
    const { at, plan } = await planned();
    expect(plan.steps.map((one) => one.id)).toEqual(['snapshot-web1', 'restart-web1']);
    expect(await bench.execute(memoryLeak, at, plan)).toEqual(['snapshot-web1', 'restart-web1']);
    expect(readdirSync(join(bench.home, 'evidence'))).toHaveLength(1);
    expect(bench.identityOf('web2')).toBe(other);
    expect(await memoryLeak.verify.symptom({ ...at, facts: plan.facts })).toMatchObject({ ok: false, found: 'still grows: web1' });
  });

  test('much memory is no leak', async () => {
    bench = await openServiceBench({}, { web1: { env: { BULK: String(300 * megabyte) } } });
    await bench.start();
    expect(await bench.plan(memoryLeak, await context())).toMatchObject({ decline: 'not_applicable', code: 'NO_GROWTH' });
  });

  test('the budget was used up after planning: refused at the step, and nothing is taken down', async () => {
    bench = await openServiceBench();
    await bench.start();
    await bench.post('web1', '/leak', leak);
    const { at, plan } = await planned();
    const was = bench.identityOf('web1');
    await bench.db.database.query(`INSERT INTO restarts (key, target, mission_id, kind) SELECT n::text, 'shop/web/web1', 'm', 'restart' FROM generate_series(1, 5) n`);
    await expect(bench.execute(memoryLeak, at, plan)).rejects.toMatchObject({ type: 'RESTART_BUDGET' });
    expect(bench.identityOf('web1')).toBe(was);
    expect(await bench.plan(memoryLeak, at)).toMatchObject({ decline: 'refused', code: 'RESTART_BUDGET' });
  });

  test('the process was replaced after planning: drift. The only other one is down: refused, also when it went down after planning', async () => {
    bench = await openServiceBench();
    await bench.start();
    await bench.post('web1', '/leak', leak);
    const { at, plan } = await planned();
    await bench.act('web', 'service.stop', { service: 'web', instance: 'web2' });
    await expect(bench.execute(memoryLeak, at, plan)).rejects.toMatchObject({ type: 'MIN_HEALTHY' });
    expect(await bench.plan(memoryLeak, at)).toMatchObject({ decline: 'refused', code: 'MIN_HEALTHY' });
    await bench.start();
    await bench.act('web', 'service.restart', { service: 'web', instance: 'web1' });
    const was = bench.identityOf('web1');
    await expect(bench.execute(memoryLeak, at, plan)).rejects.toMatchObject({ type: 'PLAN_DRIFT' });
    expect(bench.identityOf('web1')).toBe(was);
  });
});

/** A world as the probes tell it: two instances, the first one growing by `slope`. */
interface World { slope: number; values?: number[]; limit?: number; ready?: boolean[]; restarts?: number; same?: boolean; details?: object; errors?: object | null; more?: object; min_healthy?: number; manager?: string; state?: string }
const declared = { stop_timeout_seconds: 10, ready_timeout_seconds: 30, min_healthy: 1 };

function contextOf(world: World): PlaybookContext<unknown> {
  const names = world.manager === undefined ? ['web1', 'web2'] : [null];
  let look = 0;
  const probe = async (name: string, input: { seconds: number; samples: number }): Promise<unknown> => {
    if (name === 'service.metric') return world.errors ?? null;
    if (name === 'service.status') {
      return {
        manager: world.manager ?? 'process', min_healthy: world.min_healthy ?? 1,
        instances: names.map((instance, i) => ({
          instance, spare: false, state: world.state ?? 'running', identity: `${i}@1`, pid: 10 + i, uptime_seconds: 5, ready: world.ready?.[i] ?? true,
          rss_bytes: 100, argv: [], restarts: world.restarts ?? 0, reason: null,
        })),
      };
    }
    const from = look * input.seconds;
    look += 1;
    return { instances: names.map((instance, i) => ({
      instance, identity: world.same === false ? `${i}@${look}` : `${i}@1`, trend: null, rss_bytes: 100, snapshots: false,
      limit_bytes: world.limit ?? null, limit_source: world.limit === undefined ? null : 'cgroup',
      samples: Array.from({ length: input.samples }, (_, n) => {
        const at = from + n * input.seconds / input.samples;
        return { at, value: world.values?.[n] ?? 1_000_000 + at * (i === 0 ? world.slope : 0) };
      }),
    })) };
  };
  return {
    subsystem_id: 'shop', resource_id: 'web', resource: declared as never, params: memoryLeak.params.parse({ sample_seconds: 60, ...world.more }),
    request: { details: world.details ?? {} } as never, probe: probe as never, sleep: async () => undefined,
  };
}

describe('by table', () => {
  const fast = 1_000_000;
  test.each<[string, World, Partial<Decline>]>([
    ['no growth', { slope: 0 }, { decline: 'not_applicable', code: 'NO_GROWTH' }],
    ['slower growth than tolerated', { slope: 40_000 }, { decline: 'not_applicable', code: 'NO_GROWTH' }],
    ['shrinking', { slope: -fast }, { decline: 'not_applicable', code: 'NO_GROWTH' }],
    ['another process in the middle', { slope: fast, same: false }, { decline: 'refused', code: 'MEMORY_NOT_MEASURED' }],
    ['a value that is no number', { slope: fast, values: [Number.NaN] }, { decline: 'refused', code: 'MEMORY_NOT_MEASURED' }],
    ['a value without end', { slope: fast, values: [Infinity] }, { decline: 'refused', code: 'MEMORY_NOT_MEASURED' }],
    ['a limit far away', { slope: fast, limit: 1e15 }, { decline: 'not_applicable', code: 'LIMIT_FAR' }],
    ['a declared limit far away', { slope: fast, limit: 1, more: { limit_bytes: 1e15 } }, { decline: 'not_applicable', code: 'LIMIT_FAR' }],
    ['it came back twice', { slope: fast, details: { recurrences: 2 } }, { decline: 'mission', code: 'LEAK_RECURS' }],
    ['how often it came back is unreadable', { slope: fast, details: { recurrences: 'twice' } }, { decline: 'refused', code: 'RECURRENCES_UNKNOWN' }],
    ['the other one is not ready', { slope: fast, ready: [true, false] }, { decline: 'refused', code: 'MIN_HEALTHY' }],
    ['it can only be restarted as a whole', { slope: fast, manager: 'systemd' }, { decline: 'refused', code: 'MIN_HEALTHY' }],
    ['the budget is used up', { slope: fast, restarts: 5 }, { decline: 'refused', code: 'RESTART_BUDGET' }],
    ['a foreign process', { slope: fast, state: 'foreign' }, { decline: 'refused', code: 'FOREIGN_PROCESS' }],
  ])('%s: does not act', async (_, world, expected) => {
    expect(await memoryLeak.plan(contextOf(world))).toMatchObject(expected);
  });

  test('growth that came back once is restarted, with its limit in sight', async () => {
    const facts = await memoryLeak.plan(contextOf({ slope: fast, limit: 62e6, details: { recurrences: 1 } })) as unknown as { leaking: Record<string, number>[] };
    expect(facts).toMatchObject({ leaking: [{ instance: 'web1', identity: '0@1', limit_source: 'cgroup' }], ready: ['web1', 'web2'] });
    expect(facts.leaking[0]!['slope']).toBeCloseTo(fast, 0);
    // At 60 MB of 62 it has about two seconds left, at one a second.
    expect(facts.leaking[0]!['seconds_to_limit']).toBeGreaterThan(1);
    expect(facts.leaking[0]!['seconds_to_limit']).toBeLessThan(5);
  });

  const growth = (instance: string, more = {}) => ({ instance, identity: `${instance}@1`, slope: 1_234.4, growing_share: 1, level_bytes: 5, rss_bytes: 5, limit_bytes: null, limit_source: null, seconds_to_limit: null, snapshots: false, ...more });
  const steps = (leaking: object[], params = {}): PlannedStep[] => memoryLeak.steps({
    facts: { leaking, ready: [], errors: null } as never, params: memoryLeak.params.parse(params), resource: declared as never, resource_id: 'web', subsystem_id: 'shop', request: {} as never,
  }) as PlannedStep[];

  test('one step per instance, each named with the process that it is about; one snapshot, before the restarts, that may fail', () => {
    expect(steps([growth('web1'), growth('web2', { snapshots: true }), growth('web3', { snapshots: true })])).toMatchObject([
      { id: 'snapshot-web2', action: 'service.heap_evidence', on_failure: 'next', with: { service: 'web', instance: 'web2', identity: 'web2@1' } },
      { id: 'restart-web1', action: 'service.restart', on_failure: 'stop', with: { service: 'web', instance: 'web1', identity: 'web1@1' }, timeout_seconds: 140 },
      { id: 'restart-web2' }, { id: 'restart-web3' },
    ]);
    expect(steps([growth('web1', { snapshots: true })], { heap_snapshot: 'never' }).map((one) => one.id)).toEqual(['restart-web1']);
  });

  const reading = (value: number | null, met: boolean) => ({ metric_id: 'errors', value, met, comparator: '<', target: 1, reason: null });
  test.each<[string, object | null, object | null, boolean[] | undefined, boolean]>([
    ['no metric is declared, all are ready', null, null, undefined, true],
    ['one is not ready', null, null, [true, false], false],
    ['errors are as wanted', reading(5, false), reading(0, true), undefined, true],
    ['errors were bad before and are no worse', reading(5, false), reading(4, false), undefined, true],
    ['errors are worse', reading(5, false), reading(6, false), undefined, false],
    ['errors are not known', reading(0, true), reading(null, false), undefined, false],
    ['errors are bad and were not known before', reading(null, false), reading(5, false), undefined, false],
  ])('must not regress: %s', async (_, before, now, ready, ok) => {
    const at = contextOf({ slope: 0, errors: now, ...(ready === undefined ? {} : { ready }) });
    const facts = { leaking: [], ready: ['web1', 'web2'], errors: before as Json };
    expect(await memoryLeak.verify.must_not_regress({ ...at, facts })).toMatchObject({ ok });
  });

  test.each<[string, object, World, boolean]>([
    ['another process with less memory', { identity: 'old', rss_bytes: 200 }, { slope: 0 }, true],
    ['another process with as much memory', { identity: 'old', rss_bytes: 100 }, { slope: 0 }, false],
    ['the same process', { identity: '0@1', rss_bytes: 200 }, { slope: 0 }, false],
    ['another process that is not ready', { identity: 'old', rss_bytes: 200 }, { slope: 0, ready: [false, true] }, false],
  ])('independent: %s', async (_, before, world, ok) => {
    const facts = { leaking: [growth('web1', before)], ready: [], errors: null };
    expect(await memoryLeak.verify.independent({ ...contextOf(world), facts })).toMatchObject({ ok });
  });

  test.each<[string, World, boolean]>([
    ['does not grow any more', { slope: 0 }, true], ['still grows', { slope: fast }, false], ['could not be measured', { slope: 0, same: false }, false],
  ])('symptom: %s', async (_, world, ok) => {
    const facts = { leaking: [growth('web1')], ready: [], errors: null };
    expect(await memoryLeak.verify.symptom({ ...contextOf(world), facts })).toMatchObject({ ok });
  });
});
