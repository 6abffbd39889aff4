import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { healthStates, type HealthState, type Probe } from '../../src/domain/subsystem.ts';
import { healthOf, inhibitedBy, isStale, type ProbeResult } from '../../src/domain/subsystem-health.ts';
import { silencedBy, type Silence } from '../../src/domain/silence.ts';
import { evaluationsOfProbe } from '../../src/domain/watch-rules.ts';

const now = 1_000_000;
const result = (state: HealthState, more: Partial<ProbeResult> = {}): ProbeResult =>
  ({ probe_id: 'p', state, reason: state === 'healthy' ? null : `is ${state}`, symptom: null, value: null, measured_at: now - 1_000, duration_ms: 5, interval_seconds: 15, ...more });

describe('health', () => {
  test.each<[HealthState[], HealthState]>([
    [[], 'unknown'], [['healthy'], 'healthy'], [['healthy', 'degraded'], 'degraded'], [['healthy', 'unknown'], 'unknown'],
    [['degraded', 'unknown'], 'degraded'], [['unhealthy', 'degraded', 'unknown', 'healthy'], 'unhealthy'],
  ])('%j: %s', (states, state) => expect(healthOf(states.map((one) => result(one)), now).state).toBe(state));

  test('what is stale is unknown, and the reason says how old it is', () => {
    const old = result('healthy', { measured_at: now - 60_000 });
    expect(isStale(old, now)).toBe(true);
    expect(healthOf([old], now)).toEqual({ state: 'unknown', reason: 'p: last measured 60 s ago' });
    expect(isStale(result('healthy', { measured_at: now - 40_000 }), now)).toBe(false);
  });

  test('is healthy only when everything was measured as healthy, and lately', () => fc.assert(fc.property(
    fc.array(fc.record({ state: fc.constantFrom(...healthStates), age: fc.integer({ min: 0, max: 120_000 }) }), { maxLength: 6 }), (probes) => {
      const results = probes.map(({ state, age }) => result(state, { measured_at: now - age }));
      const healthy = healthOf(results, now).state === 'healthy';
      expect(healthy).toBe(results.length > 0 && results.every((one) => one.state === 'healthy' && !isStale(one, now)));
    })));
});

describe('a failing parent', () => {
  const graph = [
    { subsystem_id: 'db', depends_on: [] }, { subsystem_id: 'shop', depends_on: ['db'] }, { subsystem_id: 'till', depends_on: ['shop'] },
    { subsystem_id: 'a', depends_on: ['b'] }, { subsystem_id: 'b', depends_on: ['a'] }, { subsystem_id: 'lost', depends_on: ['nowhere'] },
  ];
  const states = (entries: Record<string, HealthState>) => new Map(Object.entries(entries));
  test.each<[string, Record<string, HealthState>, string | null]>([
    ['till', {}, null], ['till', { db: 'unhealthy' }, 'db'], ['till', { db: 'unhealthy', shop: 'unhealthy' }, 'shop'],
    ['till', { db: 'unknown', shop: 'degraded' }, null], ['db', { db: 'unhealthy', till: 'unhealthy' }, null],
    ['a', { a: 'unhealthy' }, null], ['a', { b: 'unhealthy' }, 'b'], ['lost', { nowhere: 'healthy' }, null], ['nobody', { db: 'unhealthy' }, null],
  ])('%s with %j: %s', (id, given, parent) => expect(inhibitedBy(id, graph, states(given))).toBe(parent));
});

describe('silences', () => {
  const silence = (matchers: Silence['matchers'], more: Partial<Silence> = {}): Silence =>
    ({ silence_id: 's', matchers, reason: 'x', created_by: 'x', created_at: '', until: new Date(now + 1_000).toISOString(), removed_at: null, ...more });
  const finding = { subsystem_id: 'shop', rule_id: 'r', fingerprint: 'f' };
  test.each<[Silence, boolean]>([
    [silence({ subsystem_id: 'shop' }), true], [silence({ subsystem_id: 'till' }), false], [silence({ rule_id: 'r', subsystem_id: 'shop' }), true],
    [silence({ rule_id: 'q', subsystem_id: 'shop' }), false], [silence({ fingerprint: 'f' }), true], [silence({}), false],
    [silence({ subsystem_id: 'shop' }, { until: new Date(now).toISOString() }), false],
    [silence({ subsystem_id: 'shop' }, { removed_at: new Date(now - 1).toISOString() }), false],
  ])('%j: %s', (one, covered) => expect(silencedBy(finding, [one], now) !== undefined).toBe(covered));
});

describe('what a reading means', () => {
  const probe: Probe = { id: 'orders', kind: 'sqlite', interval_seconds: 5, timeout_seconds: 5, for_seconds: 0, severity: 'high', symptom: null, resource: 'orders' };
  const says = (reading: Partial<ProbeResult>, one: Probe = probe) => evaluationsOfProbe('shop', one, result('healthy', reading))
    .map(({ rule, evaluation }) => [rule.symptom, evaluation.outcome]);

  test('a locked SQLite file and a damaged one are two symptoms; well is well for both', () => {
    expect(says({ state: 'unhealthy', symptom: 'database_locked' })).toEqual([['database_locked', 'bad']]);
    expect(says({ state: 'unhealthy', symptom: 'database_corruption' })).toEqual([['database_corruption', 'bad']]);
    expect(says({ state: 'unhealthy' })).toEqual([[null, 'bad']]);
    expect(says({ state: 'healthy' })).toEqual([[null, 'good'], ['database_locked', 'good'], ['database_corruption', 'good']]);
    expect(says({ state: 'unknown' }).every(([, outcome]) => outcome === 'no_data')).toBe(true);
  });

  test('the symptom that the probe declares goes before the one that the failure shows', () => {
    expect(says({ state: 'unhealthy', symptom: 'database_locked' }, { ...probe, symptom: 'orders_stuck' })).toEqual([['orders_stuck', 'bad']]);
  });

  test('slow is not failing', () => expect(says({ state: 'degraded' }, { ...probe, symptom: 'x' })).toEqual([['x', 'good']]));
});
