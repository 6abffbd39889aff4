/**
 * Metrics: how fast samples come in (batches of 1,000, as the api writes them), and a rolling p95 over a day of samples
 * from roll-ups against the naive way, which reads every sample again and sorts it. Both answer the same question in the
 * same run, rounds alternate (ABBA), and their answers are compared before a figure is printed.
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
const windows = [1, 6, 24].map((hours) => ({
  name: `p95 of ${hours} h`, ours: [], naive: [], answers: [],
  sketch: async () => percentile(await summaryBetween(query, metric, now - hours * hourMs, now), 0.95),
  scan: async () => aggregate('p95', (await samplesBetween(query, metric, iso(now - hours * hourMs - 1), iso(now - 1), 'nobody')).map(({ value, at }) => ({ value, at: Date.parse(at) }))),
}));
windows.push({
  name: 'p95 of 24 h, 96 points', ours: [], naive: [], answers: [],
  sketch: async () => (await series(query, metric, now - 24 * hourMs - (now % 900_000), now - (now % 900_000), 900_000)).at(-1).p95,
  scan: async () => {
    const [from, until] = [now - 24 * hourMs - (now % 900_000), now - (now % 900_000)];
    const byStep = new Map();
    for (const { value, at } of await samplesBetween(query, metric, iso(from - 1), iso(until - 1), 'nobody')) {
      const step = Math.floor(Date.parse(at) / 900_000);
      if (!byStep.has(step)) byStep.set(step, []);
      byStep.get(step).push({ value, at: 0 });
    }
    return [...byStep.values()].map((list) => aggregate('p95', list)).at(-1);
  },
});

const timed = async (work, into) => {
  const started = performance.now();
  const answer = await work();
  into.push(performance.now() - started);
  return answer;
};
for (const window of windows) await Promise.all([window.sketch(), window.scan()]);
for (let round = 0; round < rounds; round += 1) {
  for (const window of windows) {
    const [first, second] = round % 2 === 0 ? ['sketch', 'scan'] : ['scan', 'sketch'];
    const answers = {};
    for (const way of [first, second]) answers[way] = await timed(window[way], way === 'sketch' ? window.ours : window.naive);
    window.answers.push(Math.abs(answers.sketch - answers.scan) / answers.scan);
  }
}
const [{ stored }] = await query('SELECT count(*) AS stored FROM metric_samples');
const close = windows.every(({ answers }) => answers.every((error) => error <= 0.0101));
const complete = stored === count && close;

console.log(`\n${count} samples of a day, ${rounds} rounds\n`);
console.log(`ingest, batches of ${batch}: ${batched.toFixed(0)}/s, ${(batched / single).toFixed(1)}× of one sample a statement (${single.toFixed(0)}/s)`);
console.log(`upkeep: ${rolledUp} roll-ups in ${upkeepMs.toFixed(0)} ms\n`);
console.log('| | roll-ups, p50 | naive re-scan, p50 | times faster | largest difference |');
console.log('|---|---|---|---|---|');
for (const { name, ours, naive, answers } of windows) {
  const [mine, theirs] = [quantile(ours, 0.5), quantile(naive, 0.5)];
  console.log(`| ${name} | ${mine.toFixed(1)} ms | ${theirs.toFixed(1)} ms | ${(theirs / mine).toFixed(1)}× | ${(100 * Math.max(...answers)).toFixed(2)} % |`);
}
await servers.stop();
console.log(`\nevery sample stored and every p95 within 1 %: ${complete ? '1 passed, 0 failed' : '0 passed, 1 failed'}`);
process.exit(complete ? 0 : 1);
