/**
 * Memory of api and worker, as the kernel counts it (resident set): idle, and over a soak of missions one after the other in
 * four lanes. Beside it what else must not grow: worktrees, files in the scratch folder, open files and child processes,
 * counted at rest after a quarter of the soak and at its end. `--minutes N` (default 30, with `--quick` 2).
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { addsFile, launchSystem, missionOn, until } from './launched.mjs';
import { mustPass, testedRepository } from './queue/judge.mjs';
import { bareRepository } from './repositories.mjs';
import { quantile } from './system.mjs';

const { values } = parseArgs({ options: { quick: { type: 'boolean' }, minutes: { type: 'string' } } });
const minutes = Number(values.minutes ?? (values.quick ? 2 : 30));
const lanes = 4;
const restMs = 8_000;
const mb = 1024 * 1024;

const system = await launchSystem();
const { call, home, runFile } = system;
const pids = { api: runFile().pids.api, worker: runFile().pids.worker };
const wait = (ms) => new Promise((resolve) => { setTimeout(resolve, ms); });

const rssOf = (pid) => Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))[1]) * 1024;
const memory = () => ({ at: performance.now(), api: rssOf(pids.api), worker: rssOf(pids.worker) });
const both = ({ api, worker }) => api + worker;

/** Parents of all processes, to find whose children are whose. */
function childrenOf(parents) {
  const parentOf = new Map(readdirSync('/proc').filter((name) => /^\d+$/.test(name)).flatMap((name) => {
    try {
      const stat = readFileSync(`/proc/${name}/stat`, 'utf8');
      return [[Number(name), Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1])]];
    } catch {
      return [];
    }
  }));
  const below = (pid) => [...parentOf].filter(([, parent]) => parent === pid).flatMap(([child]) => [child, ...below(child)]);
  return parents.flatMap(below);
}
const filesBelow = (folder) => (existsSync(folder) ? readdirSync(folder, { recursive: true }).length : 0);
const worktrees = () => (existsSync(join(home, 'worktrees')) ? readdirSync(join(home, 'worktrees')).flatMap((id) => readdirSync(join(home, 'worktrees', id))).length : 0);

/** What must not grow, once nothing runs any more. */
async function counts() {
  await wait(restMs);
  return {
    worktrees: worktrees(), 'files in scratch': filesBelow(join(home, 'scratch')), 'child processes': childrenOf(Object.values(pids)).length,
    'open files of the api': readdirSync(`/proc/${pids.api}/fd`).length, 'open files of the worker': readdirSync(`/proc/${pids.worker}/fd`).length,
  };
}

await wait(restMs);
const idle = [];
for (let i = 0; i < 10; i += 1) {
  idle.push(memory());
  await wait(500);
}

const path = bareRepository(join(home, 'repositories', 'soak.git'), testedRepository);
let made = 0;
let landed = 0;
async function lane(untilMs) {
  while (performance.now() < untilMs) {
    const { mission_id } = await call('POST', '/missions', missionOn(path, [addsFile(`parts/${made += 1}`, 'yes')], mustPass));
    const done = await until(async () => { const mission = await call('GET', `/missions/${mission_id}`); return mission.ended_at !== null && mission; }, 250);
    if (done.outcome === 'landed') landed += 1;
  }
}
const samples = [];
async function soak(ms) {
  const end = performance.now() + ms;
  const sampler = setInterval(() => { samples.push(memory()); }, 1_000);
  await Promise.all(Array.from({ length: lanes }, () => lane(end)));
  clearInterval(sampler);
}
await soak(minutes * 15_000);
const warm = await counts();
samples.length = 0;
await soak(minutes * 45_000);
const after = await counts();
const rested = memory();
const restarted = runFile().pids.api !== pids.api || runFile().pids.worker !== pids.worker;
await system.stop();

/** Least squares, in bytes a minute. */
function slope(list, of) {
  const xs = list.map(({ at }) => at / 60_000);
  const ys = list.map(of);
  const [mx, my] = [xs, ys].map((all) => all.reduce((sum, value) => sum + value, 0) / all.length);
  return xs.reduce((sum, x, i) => sum + (x - mx) * (ys[i] - my), 0) / xs.reduce((sum, x) => sum + (x - mx) ** 2, 0);
}
const third = Math.floor(samples.length / 3);
const median = (list, of) => quantile(list.map(of), 0.5);
const growth = median(samples.slice(-third), both) / median(samples.slice(0, third), both);

console.log(`\n${made} missions in ${minutes} minutes, ${landed} landed\n`);
console.log('| resident | idle | soak, first third | last third | slope | at rest afterwards |\n|---|---|---|---|---|---|');
for (const [name, of] of Object.entries({ api: ({ api }) => api, worker: ({ worker }) => worker, together: both })) {
  const figures = [median(idle, of), median(samples.slice(0, third), of), median(samples.slice(-third), of)].map((value) => `${(value / mb).toFixed(0)} MB`);
  console.log(`| ${name} | ${figures.join(' | ')} | ${(slope(samples, of) / mb).toFixed(2)} MB/min | ${(of(rested) / mb).toFixed(0)} MB |`);
}
console.log('\n| at rest | after a quarter | at the end |\n|---|---|---|');
for (const name of Object.keys(warm)) console.log(`| ${name} | ${warm[name]} | ${after[name]} |`);

console.log(`\nidle, api and worker together: ${(median(idle, both) / mb).toFixed(0)} MB, ${median(idle, both) <= 400 * mb ? 'within' : 'not within'} the target of 400 MB`);

const checks = {
  'every mission landed': landed === made,
  // What a run-time keeps varies by a few per cent; two minutes are mostly warming up, and are told from a leak by less.
  'flat: the last third within 10 % of the first (25 % in a short soak)': growth <= (minutes < 10 ? 1.25 : 1.1),
  'neither process was replaced': !restarted,
  // Connections of a pool come and go.
  ...Object.fromEntries(Object.keys(warm).map((name) => [`no more ${name}`, after[name] <= warm[name] + (name.startsWith('open files') ? 10 : 0)])),
};
const failed = Object.entries(checks).filter(([, passed]) => !passed);
for (const [promise] of failed) console.log(`failed: ${promise}`);
console.log(`\n${Object.keys(checks).length - failed.length} passed, ${failed.length} failed`);
process.exit(failed.length === 0 ? 0 : 1);
