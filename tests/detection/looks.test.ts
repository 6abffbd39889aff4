import { afterAll, beforeAll, expect, test } from 'vitest';
import { metricNow } from '../../src/activities/watching/metric.ts';
import { fromDefinition } from '../../src/store/metrics.ts';
import { openWatchBench, wellWhile, type WatchBench } from '../support/watch-bench.ts';

let bench: WatchBench;
beforeAll(async () => { bench = await openWatchBench(); });
afterAll(() => bench.close());

const probe = (file: string, more: object = {}) => ({ id: 'p', kind: 'command', argv: wellWhile(bench.file(file)), interval_seconds: 1, keep_firing_for_seconds: 0, symptom: 'down', ...more });
const one = (file: string, more: object = {}) => ({ name: file, probes: [probe(file, more)] });

test('a probe\'s results are samples of its metric, and its subsystem\'s health', async () => {
  await bench.subsystems({ a: one('a') });
  await bench.set('a');
  await bench.look();
  await bench.unset('a');
  await bench.look();
  expect(await bench.samples('health.a.p')).toEqual([1, 0]);
  expect(await bench.health('a')).toMatchObject({ state: 'unhealthy', reason: 'p: test ended with exit code 1' });
  expect(await bench.findings('a')).toMatchObject([{ state: 'FIRING', symptom: 'down', rule_id: 'probe:a.p' }]);
});

test('only what is due at this interval is looked at', async () => {
  await bench.subsystems({ b: { name: 'b', probes: [probe('b'), probe('b', { id: 'slow', interval_seconds: 60 })] } });
  expect(await bench.look()).toMatchObject({ probes: 1, evaluations: 1 });
  expect(await bench.health('b')).toMatchObject({ probes: [{ probe_id: 'p' }] });
});

test('what cannot be measured is unknown; after three times the detector is blind, and that ends with the first measurement', async () => {
  await bench.subsystems({ c: { name: 'c', probes: [probe('c', { argv: ['there-is-no-such-command'] })] } });
  await bench.look();
  await bench.look();
  expect(await bench.findings('c')).toEqual([]);
  expect(await bench.health('c')).toMatchObject({ state: 'unknown' });
  await bench.look();
  await bench.look();
  expect(await bench.findings('c')).toMatchObject([{ rule_id: 'detector_blind', state: 'FIRING', symptom: null, attributes: { rule: 'probe:c.p' } }]);
  expect(await bench.samples('health.c.p')).toEqual([]);
  await bench.look(15);
  expect(await bench.health('metric_sources')).toMatchObject({ state: 'degraded', reason: 'self: probe:c.p cannot be measured' });
  await bench.subsystems({ c: one('c') });
  await bench.look();
  expect(await bench.findings('c')).toMatchObject([{ rule_id: 'detector_blind', state: 'RESOLVED' }, { rule_id: 'probe:c.p', state: 'FIRING' }]);
});

test('a service that comes and goes flaps: no healing is asked for any more', async () => {
  await bench.subsystems({ d: one('d') });
  for (let i = 0; i < 5; i += 1) {
    await bench.unset('d');
    await bench.look();
    await bench.set('d');
    await bench.look();
  }
  await bench.unset('d');
  await bench.look();
  const findings = await bench.findings('d');
  expect(findings.at(0)).toMatchObject({ state: 'RESOLVED', healing_asked_at: expect.any(String) as string });
  expect(findings.at(-1)).toMatchObject({ state: 'FLAPPING', condition: 'FIRING', healing_asked_at: null });
});

test('a failing parent explains its children, also those that failed before it', async () => {
  const child = { name: 'child', depends_on: ['parent'], probes: [probe('child')] };
  await bench.subsystems({ parent: one('parent'), child });
  await bench.set('parent');
  await bench.look();
  expect(await bench.findings('child')).toMatchObject([{ state: 'FIRING' }]);
  await bench.unset('parent');
  await bench.look();
  expect(await bench.findings('child')).toMatchObject([{ state: 'INHIBITED', inhibited_by: 'parent' }]);
  expect(await bench.health('child')).toMatchObject({ inhibited_by: 'parent' });
  await bench.set('parent');
  await bench.look();
  expect(await bench.findings('child')).toMatchObject([{ state: 'FIRING', inhibited_by: null }]);
});

test('a finding of what is no longer watched is over, and says why', async () => {
  await bench.subsystems({ gone: one('gone') });
  await bench.look();
  expect(await bench.findings('gone')).toMatchObject([{ state: 'FIRING' }]);
  await bench.configure('subsystems.yaml', 'subsystems: nonsense');
  await bench.look(15);
  expect(await bench.findings('gone')).toMatchObject([{ state: 'FIRING' }]);
  await bench.subsystems({});
  await bench.look();
  expect(await bench.findings('gone')).toMatchObject([{ state: 'RESOLVED', reason: 'no longer watched' }]);
});

test('two looks at once: one finding', async () => {
  await bench.subsystems({ e: one('e') });
  await Promise.all([bench.look(), bench.look(), bench.look()]);
  expect(await bench.findings('e')).toHaveLength(1);
});

test('a metric off its target fails; a stale one is unknown; one that never had a sample says nothing at all', async () => {
  await bench.subsystems({});
  const push = (value: number) => bench.db.database.query(
    `INSERT INTO metric_samples (metric_id, at, value, source, pushed_by, pushed_role) VALUES ('m.pushed', clock_timestamp() - interval '5 ms', $1, 'push', 'x', 'admin')`, [value]);
  const metric = fromDefinition('m.pushed', { source: { kind: 'push' }, comparator: '<', target: 1, unit: '' }, 'file');
  const now = () => metricNow(metric, bench.deps, { allow: [] }, 'test');
  expect(await now()).toBeUndefined();
  await push(5);
  expect(await now()).toMatchObject({ state: 'unhealthy', value: 5 });
  await push(0.5);
  expect(await now()).toMatchObject({ state: 'healthy', value: 0.5 });
  await bench.db.database.query("UPDATE metric_samples SET at = at - interval '1 hour' WHERE metric_id = 'm.pushed'");
  expect(await now()).toMatchObject({ state: 'unknown' });
});

test('our own parts are measured, and a configuration that cannot be read is one of them failing', async () => {
  await bench.look(15);
  expect(await bench.health('postgres')).toMatchObject({ state: 'healthy' });
  expect(await bench.health('artifact_store')).toMatchObject({ state: expect.stringMatching(/healthy|degraded/) as string });
  expect(await bench.health('governance')).toMatchObject({ state: 'healthy' });
  // There is no Temporal on this bench.
  expect(await bench.health('scheduler')).toMatchObject({ state: 'unknown' });
  await bench.configure('subsystems.yaml', 'subsystems: {x: {name: 7}}');
  await bench.look(15);
  const governance = await bench.health('governance');
  expect(governance).toMatchObject({ state: 'unhealthy' });
  expect(governance?.reason).toContain('x.name');
  await bench.subsystems({});
});

test('many at once are a storm: one finding for all, and none of them is healed by itself', async () => {
  const names = Array.from({ length: 8 }, (_, i) => `s${i}`);
  // What the tests before this one broke is not part of the storm.
  await bench.db.database.query('TRUNCATE findings, rule_states');
  await bench.subsystems(Object.fromEntries(names.map((name) => [name, one(name)])));
  for (const name of names) await bench.set(name);
  await bench.look();
  for (const name of names.slice(0, 4)) await bench.unset(name);
  await bench.look();
  expect(await bench.findings('unassigned')).toEqual([]);
  expect((await bench.findings('s0'))[0]?.healing_asked_at).not.toBeNull();
  for (const name of names) await bench.unset(name);
  await bench.look();
  expect(await bench.findings('unassigned')).toMatchObject([{ rule_id: 'storm', state: 'FIRING', value: 8 }]);
  expect((await bench.findings('s7'))[0]).toMatchObject({ state: 'FIRING', healing_asked_at: null });
  // Two minutes later nothing new has begun: it cools down, and still nothing is healed.
  await bench.db.database.query("UPDATE findings SET fired_at = fired_at - interval '3 minutes' WHERE source = 'probe'");
  await bench.look();
  expect(await bench.findings('unassigned')).toMatchObject([{ state: 'RECOVERING' }]);
  expect((await bench.findings('s7'))[0]?.healing_asked_at).toBeNull();
  await bench.db.database.query("UPDATE findings SET condition_since = condition_since - interval '6 minutes' WHERE source = 'storm'");
  await bench.look();
  expect(await bench.findings('unassigned')).toMatchObject([{ state: 'RESOLVED' }]);
  expect((await bench.findings('s7'))[0]?.healing_asked_at).not.toBeNull();
});

test('what flaps for a day becomes one CAPA, however often it is looked at', async () => {
  await bench.subsystems({ flaky: one('flaky') });
  for (let round = 0; round < 24; round += 1) {
    await (round % 2 === 0 ? bench.unset('flaky') : bench.set('flaky'));
    await bench.look();
  }
  await bench.unset('flaky');
  await bench.look();
  const flapping = (await bench.findings('flaky')).find((finding) => finding.state === 'FLAPPING');
  expect(flapping).toBeDefined();
  const capas = () => bench.db.database.query<{ source: string; occurrences: number }>('SELECT source, occurrences FROM capas WHERE subsystem_id = $1', ['flaky']);
  expect(await capas()).toEqual([]);
  await bench.db.database.query("UPDATE findings SET state_since = state_since - interval '25 hours' WHERE finding_id = $1", [flapping!.finding_id]);
  await bench.look();
  await bench.look();
  expect(await capas()).toEqual([{ source: 'flapping', occurrences: 1 }]);
});
