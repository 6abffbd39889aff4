/**
 * Metrics: how fast samples come in (batches of 1,000, as the api writes them), and a rolling p95 over a day of samples
 * from roll-ups against two naive ways, which look at every sample again: sorted by PostgreSQL (percentile_disc), and read and
 * sorted by us. All answer the same question in the same run, rounds go back and forth, and their answers are compared
 * before a figure is printed.
 */
import { aggregate } from '../dist/domain/aggregate.js';
import { maintainMetrics } from '../dist/store/metric-maintenance.js';
import { series, summaryBetween } from '../dist/store/metric-series.js';
import { insertSamples, samplesBetween } from '../dist/store/metrics.js';
import { percentile } from '../dist/store/sketch.js';
import { quantile, startServers } from './system.mjs';

const quick = process.argv.includes('--quick');
const [rounds, perSecond] = quick ? [3, 1] : [9, 5];
const batch = 1_000;
const metric = 'bench.latency';
const hourMs = 3_600_000;
const by = { id: 'bench', kind: 'service', role: 'operator', key_id: 'bench' };

const servers = await startServers();
const { query } = servers.database;
const now = Math.floor(Date.now() / 60_000) * 60_000;
const count = 24 * 3_600 * perSecond;
await maintainMetrics(query, new Date(now));

// Latencies with a long tail; the same in every run.
let seed = 1;
const random = () => { seed = (seed * 48_271) % 2_147_483_647; return seed / 2_147_483_647; };
const samples = Array.from({ length: count }, (_, i) => ({
  at: new Date(now - 24 * hourMs + (i * 1_000) / perSecond + 1).toISOString(), value: 20 * Math.exp(random() * 3), observed_revision: null,
}));

async function ingest(size, list) {
  const started = performance.now();
  const batches = Array.from({ length: Math.ceil(list.length / size) }, (_, i) => list.slice(i * size, (i + 1) * size));
  const lanes = Array.from({ length: 4 }, async (_, lane) => { for (let i = lane; i < batches.length; i += 4) await insertSamples(query, metric, batches[i], by); });
  await Promise.all(lanes);
  return list.length / ((performance.now() - started) / 1_000);
}
const single = await ingest(1, samples.slice(0, 2_000));
const batched = await ingest(batch, samples.slice(2_000));

const upkeepStarted = performance.now();
const { rolled_up: rolledUp } = await maintainMetrics(query, new Date(now));
const upkeepMs = performance.now() - upkeepStarted;
await query('VACUUM ANALYZE metric_samples');

const iso = (ms) => new Date(ms).toISOString();
const stepMs = 900_000;
const toStep = now - (now % stepMs);
const read = (from, until) => samplesBetween(query, metric, iso(from - 1), iso(until - 1), 'nobody');
const exact = (list) => aggregate('p95', list.map(({ value }) => ({ value, at: 0 })));

const questions = [3, 6, 24].map((hours) => ({
  name: `p95 of ${hours} h`,
  ways: {
    rollups: async () => percentile(await summaryBetween(query, metric, now - hours * hourMs, now), 0.95),
    sql: async () => (await query(
      `SELECT percentile_disc(0.95) WITHIN GROUP (ORDER BY value) AS p95 FROM metric_samples WHERE metric_id = $1 AND at >= $2 AND at < $3`,
      [metric, iso(now - hours * hourMs), iso(now)]))[0].p95,
    scan: async () => exact(await read(now - hours * hourMs, now)),
  },
}));
questions.push({
  name: 'p95 of 24 h in 96 points',
  ways: {
    rollups: async () => (await series(query, metric, toStep - 24 * hourMs, toStep, stepMs)).at(-1).p95,
    sql: async () => (await query(
      `SELECT date_bin('15 minutes', at, timestamptz 'epoch') AS step, percentile_disc(0.95) WITHIN GROUP (ORDER BY value) AS p95
         FROM metric_samples WHERE metric_id = $1 AND at >= $2 AND at < $3 GROUP BY 1 ORDER BY 1`,
      [metric, iso(toStep - 24 * hourMs), iso(toStep)])).at(-1).p95,
    scan: async () => {
      const byStep = new Map();
      for (const sample of await read(toStep - 24 * hourMs, toStep)) {
        const step = Math.floor(Date.parse(sample.at) / stepMs);
        if (!byStep.has(step)) byStep.set(step, []);
        byStep.get(step).push(sample);
      }
      return [...byStep.values()].map(exact).at(-1);
    },
  },
});

for (const { ways } of questions) for (const way of Object.values(ways)) await way();
for (let round = 0; round < rounds; round += 1) {
  for (const question of questions) {
    const names = Object.keys(question.ways);
    for (const name of round % 2 === 0 ? names : names.reverse()) {
      const started = performance.now();
      const answer = await question.ways[name]();
      (question[name] ??= []).push(performance.now() - started);
      (question.answers ??= {})[name] = answer;
    }
  }
}
for (const question of questions) {
  const { rollups, sql, scan } = question.answers;
  Object.assign(question, { difference: Math.abs(rollups - scan) / scan, agreed: sql === scan });
}
const [{ stored }] = await query('SELECT count(*) AS stored FROM metric_samples');
const close = questions.every(({ difference, agreed }) => agreed && difference <= 0.0101);
const complete = stored === count && close;

console.log(`\n${count} samples of a day, ${rounds} rounds\n`);
console.log(`ingest, batches of ${batch}: ${batched.toFixed(0)}/s, ${(batched / single).toFixed(1)}× of one sample a statement (${single.toFixed(0)}/s)`);
console.log(`upkeep: ${rolledUp} roll-ups in ${upkeepMs.toFixed(0)} ms\n`);
console.log('| | roll-ups, p50 | sorted by PostgreSQL | times ours | read and sorted | times ours | difference |');
console.log('|---|---|---|---|---|---|---|');
for (const { name, rollups, sql, scan, difference } of questions) {
  const [ours, theirs, naive] = [rollups, sql, scan].map((list) => quantile(list, 0.5));
  console.log(`| ${name} | ${ours.toFixed(1)} ms | ${theirs.toFixed(1)} ms | ${(theirs / ours).toFixed(1)}× | ${naive.toFixed(1)} ms | ${(naive / ours).toFixed(1)}× | ${(100 * difference).toFixed(2)} % |`);
}
await servers.stop();
console.log(`\nevery sample stored and every p95 within 1 %: ${complete ? '1 passed, 0 failed' : '0 passed, 1 failed'}`);
process.exit(complete ? 0 : 1);
