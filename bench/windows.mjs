/**
 * 1,000 observation windows at once: how late their ticks are sampled, judged and stored, and how much CPU that takes, against
 * workflows with the same timers and an activity that does nothing, on the same server. Rounds go back and forth.
 */
import { mkdtemp, cp } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Client } from '@temporalio/client';
import { bundleWorkflowCode, DefaultLogger, NativeConnection, Runtime, Worker } from '@temporalio/worker';
import { observationActivities } from '../dist/activities/observation.js';
import { resolveWindow, tickTimes } from '../dist/domain/observation.js';
import { createArtifacts } from '../dist/store/artifacts.js';
import { createCatalog } from '../dist/store/catalog.js';
import { insertMission } from '../dist/store/missions.js';
import { insertSamples } from '../dist/store/metrics.js';
import { quantile, silent, startServers } from './system.mjs';

const quick = process.argv.includes('--quick');
const [windows, rounds, ticksEach, everySeconds] = quick ? [1_000, 1, 3, 30] : [1_000, 2, 6, 30];
const metric = 'trigger_mesh.latency_p95';
const by = { id: 'bench', kind: 'service', role: 'operator', key_id: 'bench' };

Runtime.install({ logger: new DefaultLogger('ERROR'), shutdownSignals: [] });
const servers = await startServers();
const { database } = servers;
const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const configFolder = join(await mkdtemp(join(servers.home, 'config-')), 'config');
await cp(join(root, 'config'), configFolder, { recursive: true });
const { code } = await bundleWorkflowCode({ workflowsPath: join(root, 'bench', 'workflows.ts'), logger: new DefaultLogger('ERROR') });
const ours = observationActivities({
  database, logger: silent, config: { configFolder, home: servers.home }, catalog: createCatalog(configFolder, database),
  artifacts: createArtifacts(join(servers.home, 'artifacts'), database.query), processes: null,
});
let late = [];
const activities = {
  ...ours,
  sampleTick: async (input) => { const verdict = await ours.sampleTick(input); late.push(Date.now() - input.at); return verdict; },
  nothing: async (at) => { late.push(Date.now() - at); },
};
const { address, connection } = await servers.temporal(true);
const native = await NativeConnection.connect({ address });
const worker = await Worker.create({
  connection: native, taskQueue: 'mission-control', workflowBundle: { code }, activities, workflowThreadPoolSize: 2,
  workflowTaskPollerBehavior: { type: 'autoscaling' }, activityTaskPollerBehavior: { type: 'autoscaling' }, maxCachedWorkflows: 2_000,
});
const running = worker.run();
const client = new Client({ connection });

let made = 0;
async function missions() {
  const now = new Date().toISOString();
  return Promise.all(Array.from({ length: windows }, async () => {
    made += 1;
    const mission_id = `mission_20200101_${String(made).padStart(5, '0')}`;
    await database.transaction((query) => insertMission(query, {
      mission_id, mission_type: 'tracked', title: 'bench', subsystem_id: 'bench', severity: 'low', labels: [], context: {}, workspace: null,
      created_by: 'bench', created_at: now, parent_mission_id: null, assigned_to: null,
    }, false));
    return mission_id;
  }));
}

/** @returns milliseconds of lateness of each tick, and CPU seconds of this process: the worker */
async function round(type) {
  const ids = type === 'observationWindow' ? await missions() : Array.from({ length: windows }, (_, i) => `bare-${made += 1}-${i}`);
  late = [];
  // Long enough to start them all before the first tick.
  const t0 = Date.now() + 15_000;
  const spec = resolveWindow(((ticksEach - 1) * everySeconds + 1) / 60, {
    initial_delay_seconds: 0, interval_seconds: everySeconds, min_samples: 1, min_coverage: 0.5,
    metrics: [{ metric_id: metric, comparator: '<', target: 100, role: 'gate', failure_limit: 0, inconclusive_limit: 10_000, consecutive_error_limit: 10_000, no_data: 'inconclusive', stale_after_seconds: 600 }],
  }, []);
  const handles = [];
  for (let i = 0; i < ids.length; i += 50) {
    handles.push(...await Promise.all(ids.slice(i, i + 50).map((id) => client.workflow.start(type, {
      workflowId: `${id}:window`, taskQueue: 'mission-control',
      args: [type === 'observationWindow'
        ? { mission_id: id, spec, t0, landed_at: t0 - 60_000, revision: 'bench', author: 'nobody', window: 1, next_tick: 0 } : { ticks: tickTimes(spec, t0) }],
    }))));
  }
  await insertSamples(database.query, metric, [{ at: new Date(t0 - 1_000).toISOString(), value: 1, observed_revision: null }], by);
  const before = process.cpuUsage();
  const results = await Promise.all(handles.map((handle) => handle.result()));
  const { user, system } = process.cpuUsage(before);
  const passed = type === 'observationWindow' ? results.filter(({ verdict }) => verdict.verdict === 'PASSED').length : windows;
  if (type === 'observationWindow' && passed < windows) console.log(`${windows - passed} windows missed ticks: the machine was too busy`);
  return { late, cpu: (user + system) / 1e6 };
}

const contenders = { observationWindow: { name: 'observation windows', late: [], cpu: [] }, bareTicks: { name: 'timers and empty activities', late: [], cpu: [] } };
for (let n = 0; n < rounds; n += 1) {
  const order = Object.entries(contenders);
  for (const [type, sums] of n % 2 === 0 ? order : order.reverse()) {
    const result = await round(type);
    sums.late.push(...result.late);
    sums.cpu.push(result.cpu);
  }
}

const expected = windows * ticksEach * rounds;
const total = (values) => values.reduce((sum, value) => sum + value, 0);
console.log(`\n${windows} at once, ${ticksEach} ticks every ${everySeconds} s, ${rounds} round${rounds === 1 ? '' : 's'}\n`);
console.log('| | ticks | late, p50 | p99 | worker CPU per tick | times bare |');
console.log('|---|---|---|---|---|---|');
const bare = total(contenders.bareTicks.cpu) / contenders.bareTicks.late.length;
for (const { name, late: list, cpu } of Object.values(contenders)) {
  const each = total(cpu) / list.length;
  console.log(`| ${name} | ${list.length} | ${quantile(list, 0.5)} ms | ${quantile(list, 0.99)} ms | ${(each * 1e3).toFixed(1)} ms | ${(each / bare).toFixed(1)}× |`);
}
const complete = Object.values(contenders).every(({ late: list }) => list.length >= expected);
worker.shutdown();
await running;
await Promise.all([native.close(), connection.close()]);
await servers.stop();
console.log(`\nevery tick was run: ${complete ? '1 passed, 0 failed' : '0 passed, 1 failed'}`);
process.exit(complete ? 0 : 1);
