/**
 * What it costs to run a repository's command: at each level of the sandbox that this host gives, against the same command as a
 * tool of ours (a keeper, no sandbox) and against a bare spawn. Rounds go back and forth. And 100 MB of output, by our memory.
 */
import { spawn } from 'node:child_process';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createProcessRunner } from '../dist/activities/process/runner.js';
import { quantile } from './system.mjs';

const rounds = process.argv.includes('--quick') ? 12 : 60;
const home = await mkdtemp(join(tmpdir(), 'mission-control-bench-'));
const cwd = join(home, 'worktrees', 'repo', '1');
await mkdir(cwd, { recursive: true });
const runner = createProcessRunner(join(home, 'scratch'));
const probed = performance.now();
const { rungs, groups } = await runner.ladder();
const probeMs = performance.now() - probed;
const policy = (level) => ({ minimum: level, strongest: level, maximum: {}, readable: [], writable: [] });
const request = (argv, level) => ({ argv, cwd, marker: 'bench', timeout_seconds: 60, network: false, ...(level === undefined ? {} : { sandbox: policy(level) }) });

let passed = 0;
let failed = 0;
const check = (ok) => { if (ok) passed += 1; else failed += 1; };
async function ours(level, argv = ['true']) {
  const result = await runner.run(request(argv, level));
  check(result.exit_code === 0 && result.sandbox.level === (level ?? 'plain'));
  await rm(result.output_file);
  return result;
}
const bare = () => new Promise((resolve) => {
  spawn('true', { cwd, stdio: ['ignore', 'pipe', 'pipe'] }).on('close', (code) => { check(code === 0); resolve(); });
});

const levels = rungs.filter((rung) => rung.works).map((rung) => rung.level);
const ways = { 'bare spawn': bare, 'a tool of ours': () => ours(undefined), ...Object.fromEntries(levels.map((level) => [level, () => ours(level)])) };
const names = Object.keys(ways);
const times = Object.fromEntries(names.map((name) => [name, []]));
for (const name of names) await ways[name]();
for (let round = 0; round < rounds; round += 1) {
  for (const name of round % 2 === 0 ? names : [...names].reverse()) {
    const started = performance.now();
    await ways[name]();
    times[name].push(performance.now() - started);
  }
}

let most = 0;
const before = process.memoryUsage().rss;
const timer = setInterval(() => { most = Math.max(most, process.memoryUsage().rss); }, 10);
const flood = await ours(levels[0], ['head', '-c', '100000000', '/dev/zero']);
clearInterval(timer);
check(flood.truncated && flood.stdout.length >= 10 << 20);
await rm(home, { recursive: true, force: true });

const tool = quantile(times['a tool of ours'], 0.5);
console.log(`\n\`true\`, ${rounds} rounds; control groups: ${groups?.version ?? 'none'}; trying all levels once took ${probeMs.toFixed(0)} ms`);
for (const { level, works, reason } of rungs) if (!works) console.log(`${level} is not here: ${reason}`);
console.log('\n| run as | median | p90 | over a tool of ours | of a run of 1 s |\n|---|---|---|---|---|');
for (const name of names) {
  const median = quantile(times[name], 0.5);
  const more = median - tool;
  console.log(`| ${name} | ${median.toFixed(1)} ms | ${quantile(times[name], 0.9).toFixed(1)} ms | ${more.toFixed(1)} ms, ${(median / tool).toFixed(2)} × | ${(more / 10).toFixed(1)} % |`);
}
console.log(`\n100 MB of output at level ${levels[0]}: our memory grew by ${((most - before) / 2 ** 20).toFixed(0)} MiB`);
console.log(`\n${passed} passed, ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);
