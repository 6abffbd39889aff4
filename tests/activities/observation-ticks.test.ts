/** The activities of a window on a real database, one call a tick: no engine, so each moment is the test's to choose. */
import { cp, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import type { ActivityDeps } from '../../src/activities/deps.ts';
import { observationActivities, type TickInput } from '../../src/activities/observation.ts';
import { createProcessRunner } from '../../src/activities/process/runner.ts';
import { readConfig } from '../../src/config.ts';
import type { Principal } from '../../src/domain/actor.ts';
import { resolveWindow, windowEnd, type WindowSpec } from '../../src/domain/observation.ts';
import { rederived } from '../../src/domain/observation-view.ts';
import { metricDefinitionSchema } from '../../src/domain/schema/metric.ts';
import { observationWindowSchema } from '../../src/domain/schema/observation.ts';
import { projectRoot } from '../../src/project.ts';
import { createCatalog } from '../../src/store/catalog.ts';
import { createArtifacts } from '../../src/store/artifacts.ts';
import { insertEvents, timelineOf } from '../../src/store/events.ts';
import { insertSamples, saveMetric } from '../../src/store/metrics.ts';
import { observationWindows } from '../../src/store/observation-windows.ts';
import type { Repository } from '../../src/store/repositories.ts';
import { windowSamples } from '../../src/store/window-samples.ts';
import { aMission, aRepository, event } from '../store/fixtures.ts';
import { copyDatabase, silent, type TestDatabase } from '../support/database.ts';
import { temporaryFolder } from '../support/repository.ts';

const home = temporaryFolder();
const monitor: Principal = { id: 'monitor', kind: 'service', role: 'operator', key_id: 'k' };
let db: TestDatabase;
let deps: ActivityDeps;
let activities: ReturnType<typeof observationActivities>;
let repository: Repository;
let mission: string;

beforeAll(async () => {
  db = await copyDatabase();
  const configFolder = join(home, 'config');
  await cp(join(projectRoot, 'config'), configFolder, { recursive: true });
  const config = readConfig({ MISSION_CONTROL_HOME: home, MISSION_CONTROL_CONFIG: configFolder, DATABASE_URL: db.url, MISSION_CONTROL_ENVIRONMENT: 'test' });
  deps = {
    config, database: db.database, logger: silent, artifacts: createArtifacts(config.artifacts, db.database.query),
    processes: createProcessRunner(join(home, 'scratch')), catalog: createCatalog(configFolder, db.database),
  } as unknown as ActivityDeps;
  activities = observationActivities(deps);
  repository = await aRepository(db.database);
  for (const id of ['latency', 'peer']) await saveMetric(db.database.query, id, metricDefinitionSchema.parse({ comparator: '<', target: 1 }), 'test');
});
afterAll(async () => {
  await db.drop();
  await rm(home, { recursive: true, force: true });
});

/** Now, so that what the database stamps by its own clock falls into the window. */
let t0: number;
beforeEach(async () => {
  t0 = Date.now();
  repository = await aRepository(db.database);
  mission = await aMission(db.database, repository, { subsystem_id: `s-${t0}` });
  await db.database.query('DELETE FROM metric_samples');
});

const landedAt = (): number => t0 - 1_000;
const windowOf = (metric: object, more: object = {}): WindowSpec => resolveWindow(10, observationWindowSchema.parse({
  initial_delay_seconds: 60, interval_seconds: 60, metrics: [{ metric_id: 'latency', comparator: '<', stale_after_seconds: 3_600, ...metric }], ...more,
}), []);
const push = (metric: string, value: number, at: number, revision: string | null = null, by = monitor): Promise<void> =>
  insertSamples(db.database.query, metric, [{ value, at: new Date(at).toISOString(), observed_revision: revision }], by);
const tickInput = (spec: WindowSpec, tick: number, more: Partial<TickInput> = {}): TickInput => ({
  mission_id: mission, window: 1, spec, t0, landed_at: landedAt(), revision: 'landed', author: 'agent', tick, at: t0 + (tick + 1) * 60_000, missed: false, ...more,
});
const sampled = async (window = 1) => (await windowSamples(db.database.query, mission, window)).map(({ kind, reason }) => ({ kind, reason }));
const events = async (type: string) => (await timelineOf(db.database.query, mission, 100)).filter((one) => one.type === type);
const end = (spec: WindowSpec, window = 1) =>
  activities.judgeWindow({ mission_id: mission, window, spec, t0, landed_at: landedAt(), revision: 'landed', author: 'agent' });

const prechange = { baseline: { kind: 'prechange', max_ratio: 1.2 } };

test('a baseline from before the change is taken once: later samples, a later window and a repeat change nothing', async () => {
  for (const [value, ago] of [[90, 300], [100, 200], [110, 100]] as const) await push('latency', value, landedAt() - ago * 1_000);
  // Not of before: the landing itself. Not of this lookback. Not of anybody else.
  await push('latency', 900, landedAt());
  await push('latency', 900, landedAt() - 700_000);
  await push('latency', 900, landedAt() - 50_000, null, { ...monitor, id: 'agent', role: 'agent' });
  const spec = windowOf(prechange);
  await push('latency', 119, t0 + 50_000);
  await activities.sampleTick(tickInput(spec, 0));
  await push('latency', 500, landedAt() - 10_000);
  await push('latency', 121, t0 + 100_000);
  expect(await activities.sampleTick(tickInput(spec, 1))).toMatchObject({ verdict: 'FAILED', reason: expect.stringContaining('121 is beyond 120: the baseline from before the change is 100') });
  expect((await sampled()).map((one) => one.kind)).toEqual(['PASS', 'FAIL']);
  await activities.sampleTick(tickInput(spec, 0, { window: 2 }));
  const windows = await observationWindows(db.database.query, mission);
  expect(windows.map((one) => one.baselines)).toEqual([{ latency: { value: 100, n: 3 } }, { latency: { value: 100, n: 3 } }]);
});

test('from the moment the landing began no sample is one of before', async () => {
  const began = new Date(landedAt() - 150_000).toISOString();
  await db.database.query(`INSERT INTO mission_stages (mission_id, name, attempt, status, started_at) VALUES ($1, 'merge_changes', 1, 'passed', $2)`, [mission, began]);
  for (const ago of [300, 200, 100]) await push('latency', ago, landedAt() - ago * 1_000);
  await activities.sampleTick(tickInput(windowOf(prechange), 0));
  expect((await observationWindows(db.database.query, mission))[0]!.baselines).toEqual({ latency: { value: 250, n: 2 } });
});

test('a baseline of too few samples: inconclusive with its reason; with a target, the target alone, and the verdict says so', async () => {
  await push('latency', 1, t0 + 1_000);
  const alone = windowOf({ ...prechange });
  for (let tick = 0; tick < 10; tick += 1) await activities.sampleTick(tickInput(alone, tick));
  expect(await end(alone)).toMatchObject({ verdict: 'INCONCLUSIVE', reason: expect.stringContaining('has 0 samples, 3 needed') });
  const both = windowOf({ ...prechange, target: 5 });
  for (let tick = 0; tick < 10; tick += 1) await activities.sampleTick(tickInput(both, tick, { window: 2 }));
  expect(await end(both, 2)).toMatchObject({ verdict: 'PASSED', reason: expect.stringContaining('latency: judged by its target alone: the baseline from before the change has 0 samples') });
});

test('a peer is looked at on the same tick; one that went quiet is no baseline', async () => {
  const spec = windowOf({ baseline: { kind: 'peer', peer_metric_id: 'peer', max_ratio: 2 }, stale_after_seconds: 90, failure_limit: 9 });
  await push('latency', 15, t0 + 30_000);
  await push('peer', 10, t0 + 30_000, 'another revision');
  await activities.sampleTick(tickInput(spec, 0));
  await push('latency', 15, t0 + 90_000);
  await push('peer', 5, t0 + 90_000, 'another revision');
  await activities.sampleTick(tickInput(spec, 1));
  await push('latency', 15, t0 + 290_000);
  await activities.sampleTick(tickInput(spec, 4));
  expect(await sampled()).toEqual([
    { kind: 'PASS', reason: null },
    { kind: 'FAIL', reason: '15 is beyond 10: the peer peer is 5, max_ratio 2' },
    { kind: 'INCONCLUSIVE', reason: 'the peer peer has 0 samples, 1 needed' },
  ]);
});

test('a subject of its own: its samples count, those of the landed commit do not', async () => {
  const spec = windowOf({ target: 5 }, { subject: { kind: 'deployment', revision: 'shop 7' } });
  await push('latency', 1, t0 + 1_000, 'landed');
  await activities.sampleTick(tickInput(spec, 0));
  await push('latency', 1, t0 + 70_000, 'shop 7');
  await activities.sampleTick(tickInput(spec, 1));
  expect((await sampled()).map((one) => one.kind)).toEqual(['WRONG_REVISION', 'PASS']);
  expect((await observationWindows(db.database.query, mission))[0]).toMatchObject({ revision: 'shop 7' });
});

/** An observed mission in whose window another mission landed. */
async function landingNearby(of: Partial<{ subsystem_id: string }>, on: Repository): Promise<string> {
  const other = await aMission(db.database, on, of);
  await insertEvents(db.database.query, [event({ type: 'merge.landed', subject: { ...event().subject, mission_id: other } })]);
  return other;
}
const passing = async (spec: WindowSpec): Promise<void> => {
  await push('latency', 1, t0 + 1);
  for (let tick = 0; tick < 10; tick += 1) await activities.sampleTick(tickInput(spec, tick));
};

test('landings on the same repository or subsystem are found once each; others, and its own, are none', async () => {
  const beside = await landingNearby({}, repository);
  const related = await landingNearby({ subsystem_id: `s-${t0}` }, await aRepository(db.database));
  await landingNearby({}, await aRepository(db.database));
  await insertEvents(db.database.query, [event({ type: 'merge.landed', subject: { ...event().subject, mission_id: mission } })]);
  const spec = windowOf({ target: 5 }, { confounders: 'block' });
  await passing(spec);
  expect(await end(spec)).toMatchObject({ verdict: 'INCONCLUSIVE', confounded: 'block', reason: expect.stringMatching(/^confounded by mission_\S+ landed on the same repository and 1 more \(by itself: PASSED/) });
  expect((await events('observation.confounded')).map((one) => [one.payload['mission_id'], one.payload['kind'], one.payload['effect']]))
    .toEqual([[beside, 'landing', 'block'], [related, 'landing', 'block']]);
});

test('what landed before the window or after its end does not confound it', async () => {
  await landingNearby({}, repository);
  t0 = Date.now() + 60_000;
  const spec = windowOf({ target: 5 }, { confounders: 'block' });
  await passing(spec);
  expect(await end(spec)).toMatchObject({ verdict: 'PASSED' });
});

test('healing of the same subsystem that ran in the window confounds it', async () => {
  const healing = await aMission(db.database, repository, { subsystem_id: `s-${t0}`, mission_type: 'healing' });
  await db.database.query('UPDATE missions SET started_at = $2 WHERE mission_id = $1', [healing, new Date(t0 - 60_000).toISOString()]);
  const spec = windowOf({ target: 5 }, { confounders: 'extend' });
  await passing(spec);
  expect(await end(spec)).toMatchObject({ verdict: 'INCONCLUSIVE', confounded: 'extend', reason: expect.stringContaining(`${healing} was healing s-${t0}`) });
});

test('a changed policy and a changed entry of the catalog confound; a recorded one changes no verdict', async () => {
  const policy = join(deps.config.configFolder, 'policy.yaml');
  const text = await readFile(policy, 'utf8');
  try {
    const spec = windowOf({ target: 5 });
    await push('latency', 1, t0 + 1);
    await activities.sampleTick(tickInput(spec, 0));
    expect(await events('observation.confounded')).toEqual([]);
    await writeFile(policy, text.replace(/allow_unobserved: \w+/, (line) => (line.endsWith('true') ? 'allow_unobserved: false' : 'allow_unobserved: true')));
    for (let tick = 1; tick < 9; tick += 1) await activities.sampleTick(tickInput(spec, tick));
    await saveMetric(db.database.query, 'latency', metricDefinitionSchema.parse({ comparator: '<', target: 2 }), 'test');
    expect(await end(spec)).toMatchObject({ verdict: 'PASSED', reason: 'every metric held for the whole window' });
    expect((await events('observation.confounded')).map((one) => one.payload['kind'])).toEqual(['config', 'config']);
    expect((await observationWindows(db.database.query, mission))[0]!.confounders).toHaveLength(2);
  } finally {
    await writeFile(policy, text);
  }
});

test('a source that fails three ticks in a row is one blind detector, however often the tick is repeated', async () => {
  const spec = windowOf({ target: 5, metric_id: 'gone' });
  await activities.sampleTick(tickInput(spec, 0));
  await activities.sampleTick(tickInput(spec, 1));
  expect(await events('observation.detector_blind')).toEqual([]);
  for (const tick of [2, 2, 3, 4]) await activities.sampleTick(tickInput(spec, tick));
  expect((await events('observation.detector_blind')).map((one) => one.payload)).toEqual([
    { metric_id: 'gone', reason: 'the metric is no longer in the catalog', window: 1 },
  ]);
});

test('a verdict is given once: what happens afterwards changes neither it nor what it was made of', async () => {
  const spec = windowOf({ target: 5 }, { confounders: 'block' });
  await passing(spec);
  const verdict = await end(spec);
  expect(verdict).toMatchObject({ verdict: 'PASSED' });
  await landingNearby({}, repository);
  expect(await end(spec)).toEqual(verdict);
  await activities.closeWindow({ mission_id: mission, window: 1, spec, t0, revision: 'landed', judged_by: 'person', verdict: { ...verdict, verdict: 'FAILED' } });
  const [stored] = await observationWindows(db.database.query, mission);
  expect(stored).toMatchObject({ verdict, judged_by: 'judge', confounders: [] });
  const samples = (await windowSamples(db.database.query, mission)).map((sample) => ({ ...sample, at: new Date(sample.at).toISOString() }));
  expect(rederived({ ...stored!, samples })).toEqual(verdict);
  expect(rederived({ ...stored!, samples: samples.map((sample) => ({ ...sample, kind: 'FAIL' as const })) })).toMatchObject({ verdict: 'FAILED' });
});

test('a person who ends a window before its first tick is on record, with the window', async () => {
  const spec = windowOf({ target: 5 });
  const verdict = { verdict: 'FAILED' as const, unobserved: false, reason: 'decided by operator', metrics: [] };
  const [table] = await activities.closeWindow({ mission_id: mission, window: 1, spec, t0, landed_at: landedAt(), author: 'agent', revision: 'landed', verdict, judged_by: 'person' });
  expect(await observationWindows(db.database.query, mission)).toMatchObject([{ verdict, judged_by: 'person', revision: 'landed' }]);
  expect(JSON.parse((await deps.artifacts.read(table!.sha256)).toString())).toMatchObject({ windows: [{ window: 1 }], samples: [] });
});

test('what was scheduled before windows were stored still ends', async () => {
  const spec = windowOf({ target: 5 });
  expect(await activities.judgeWindow({ mission_id: mission, window: 1, spec, t0 })).toMatchObject({ verdict: 'INCONCLUSIVE' });
  const verdict = { verdict: 'FAILED' as const, unobserved: false, reason: 'x', metrics: [] };
  expect(await activities.closeWindow({ mission_id: mission, spec, revision: 'landed', verdict })).toHaveLength(1);
  expect(windowEnd(spec, t0)).toBeGreaterThan(Date.now());
});
