/**
 * Mission overhead: eleven stages with no work in them but every row and event written, one at a time and 50 at once,
 * against one default activity per stage that writes the same rows, on the same server and on an untuned dev server, and
 * against DBOS workflows of eleven steps in the same PostgreSQL: steps that write the same rows, and steps with nothing in them.
 * Rounds alternate (ABBA); every mission's rows and every step of DBOS are counted before a figure is printed.
 */
import { fileURLToPath } from 'node:url';
import { join, dirname } from 'node:path';
import { Client } from '@temporalio/client';
import pg from 'pg';
import { bundleWorkflowCode, DefaultLogger, NativeConnection, Runtime, Worker } from '@temporalio/worker';
import { recordActivities } from '../dist/activities/record.js';
import { insertEvents } from '../dist/store/events.js';
import { insertMission } from '../dist/store/missions.js';
import { codingStages } from '../dist/domain/stages.js';
import { startDbos } from './peers.mjs';
import { quantile, silent, startServers } from './system.mjs';

const quick = process.argv.includes('--quick');
const [rounds, oneByOne, atOnce] = quick ? [2, 10, 50] : [5, 40, 200];

Runtime.install({ logger: new DefaultLogger('ERROR'), shutdownSignals: [], telemetryOptions: { logging: { filter: 'ERROR' } } });
const servers = await startServers();
const { database } = servers;
const { code } = await bundleWorkflowCode({
  workflowsPath: join(dirname(fileURLToPath(import.meta.url)), 'workflows.ts'), logger: new DefaultLogger('ERROR'),
});
let made = 0;

async function rowFor() {
  made += 1;
  const mission_id = `mission_20200101_${String(made).padStart(3, '0')}`;
  const now = new Date().toISOString();
  const empty = { git_sha: null, git_tree: null, config_hash: null, env: null, branch: null, version: null };
  const pack = {
    mission_id, mission_type: 'coding', title: 'bench', description: null, subsystem_id: 'bench', severity: 'low', detected_by: null,
    assigned_to: null, context: empty, symptoms: [], labels: [], budget: null, created_by: 'bench', created_at: now, parent_mission_id: null,
    acceptance_criteria: { must_pass_tests: [], metric_targets: [], observation_window_minutes: 1 }, remediation_history: [], crypto_signatures: [],
    trust_requirements: { required_trust_score: 0, allowed_roles: [], memory_write_scope: 'persist', requires_governance_approval: false },
    workspace: { repo_path: null, repository: 'bench', repository_id: null, target_branch: 'main', working_branch: 'x', patch_candidates: [], dependencies: [] },
  };
  await database.transaction((query) => insertMission(query, pack, true));
  return pack;
}

/** The same rows as ours writes, one transaction a stage. */
async function writeStage({ mission_id, stage }) {
  await database.transaction(async (query) => {
    const now = new Date().toISOString();
    await query('UPDATE missions SET stage = $2, updated_at = clock_timestamp() WHERE mission_id = $1', [mission_id, stage]);
    await query(`INSERT INTO mission_stages (mission_id, name, attempt, status, started_at, ended_at, duration_ms) VALUES ($1, $2, 1, 'passed', $3, $3, 0)
      ON CONFLICT DO NOTHING`, [mission_id, stage, now]);
    await insertEvents(query, ['stage.started', 'stage.ended'].map((type) => ({
      type, actor: { id: 'bench', kind: 'service', role: 'system', key_id: null }, payload: { stage },
      subject: { mission_id, workflow_id: mission_id, run_id: null, stage, attempt: 1 }, idempotency_key: `${mission_id}:${stage}:${type}`,
    })));
  });
}

async function workerOn(address, ours) {
  const connection = await NativeConnection.connect({ address });
  const activities = { ...recordActivities({ database, temporal: null, hostQueue: 'workspace:bench', logger: silent }), writeStage };
  const worker = await Worker.create({
    connection, taskQueue: ours ? 'mission-control' : 'naive', workflowBundle: { code }, activities,
    ...(ours ? { workflowThreadPoolSize: 2, workflowTaskPollerBehavior: { type: 'autoscaling' }, activityTaskPollerBehavior: { type: 'autoscaling' } } : {}),
  });
  const running = worker.run();
  return async () => { worker.shutdown(); await running; await connection.close(); };
}

const tuned = await servers.temporal(true);
const untuned = await servers.temporal(false);
const dbos = await startDbos(servers.url, codingStages, { rows: (mission_id, stage) => writeStage({ mission_id, stage }), nothing: async () => undefined });
const contender = (make, run) => ({ make, run, ms: [], rates: [] });
const onTemporal = ({ connection }, taskQueue, type, inputOf) => {
  const client = new Client({ connection });
  return contender(rowFor, (pack) => client.workflow.execute(type, { workflowId: pack.mission_id, taskQueue, args: [inputOf(pack)] }));
};
let bare = 0;
const contenders = {
  'Mission Control': onTemporal(tuned, 'mission-control', 'emptyMission', (pack) => ({ package: pack })),
  'activity per stage, same server': onTemporal(tuned, 'naive', 'naiveMission', ({ mission_id }) => ({ mission_id })),
  'activity per stage, untuned server': onTemporal(untuned, 'naive', 'naiveMission', ({ mission_id }) => ({ mission_id })),
  ...(dbos === undefined ? {} : {
    'DBOS, steps that write the same rows': contender(rowFor, ({ mission_id }) => dbos.run('rows', mission_id)),
    'DBOS, steps with nothing in them': contender(() => `nothing-${bare += 1}`, (id) => dbos.run('nothing', id)),
  }),
};
const stops = [await workerOn(tuned.address, true), await workerOn(tuned.address, false), await workerOn(untuned.address, false)];

async function measure(contender) {
  const single = await Promise.all(Array.from({ length: oneByOne }, contender.make));
  for (const pack of single) {
    const started = performance.now();
    await contender.run(pack);
    contender.ms.push(performance.now() - started);
  }
  const many = await Promise.all(Array.from({ length: atOnce }, contender.make));
  const started = performance.now();
  const lanes = Array.from({ length: 50 }, async (_, lane) => { for (let i = lane; i < many.length; i += 50) await contender.run(many[i]); });
  await Promise.all(lanes);
  contender.rates.push(many.length / ((performance.now() - started) / 1000));
}

for (const contender of Object.values(contenders)) await contender.run(await contender.make());
for (let round = 0; round < rounds; round += 1) {
  const order = Object.values(contenders);
  for (const contender of round % 2 === 0 ? order : order.reverse()) await measure(contender);
}

const [{ wrong }] = await database.query(
  `SELECT count(*) AS wrong FROM (SELECT m.mission_id FROM missions m LEFT JOIN mission_stages s USING (mission_id)
    GROUP BY m.mission_id HAVING count(s.name) <> $1) x`, [codingStages.length]);
const [{ events }] = await database.query("SELECT count(*) AS events FROM events WHERE type IN ('stage.started', 'stage.ended')");
const complete = wrong === 0 && events === made * codingStages.length * 2;
const dbosComplete = dbos === undefined || await everyStepKept(dbos.url, rounds * 2 * (oneByOne + atOnce) + 2);

/** Every workflow ended well, and each with its eleven steps. */
async function everyStepKept(url, expected) {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  const { rows: [kept] } = await client.query(
    `SELECT count(*)::int AS workflows, count(*) FILTER (WHERE status = 'SUCCESS' AND steps = $1)::int AS whole
       FROM dbos.workflow_status w LEFT JOIN (SELECT workflow_uuid, count(*) AS steps FROM dbos.operation_outputs GROUP BY 1) o USING (workflow_uuid)`,
    [codingStages.length]);
  await client.end();
  return kept.workflows === expected && kept.whole === expected;
}

const ours = contenders['Mission Control'];
console.log(`\n${made} missions of ${codingStages.length} stages, ${rounds} rounds\n`);
console.log('| | one at a time, p50 | p99 | 50 at once | times ours (p50) | times our rate |');
console.log('|---|---|---|---|---|---|');
for (const [name, { ms, rates }] of Object.entries(contenders)) {
  const p50 = quantile(ms, 0.5);
  const rate = quantile(rates, 0.5);
  console.log(`| ${name} | ${p50.toFixed(0)} ms | ${quantile(ms, 0.99).toFixed(0)} ms | ${rate.toFixed(1)}/s | ${(p50 / quantile(ours.ms, 0.5)).toFixed(1)}× | ${(rate / quantile(ours.rates, 0.5)).toFixed(2)}× |`);
}
for (const stop of stops) await stop();
await dbos?.stop();
if (dbos === undefined) console.log('| DBOS | not measured | | | | |');
await Promise.all([tuned.connection.close(), untuned.connection.close()]);
await servers.stop();
const checks = [complete, ...(dbos === undefined ? [] : [dbosComplete])];
const failed = checks.filter((passed) => !passed).length;
console.log(`\nrows, events and steps complete: ${checks.length - failed} passed, ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);
