/**
 * Resume: `kill -9` of the worker, of Temporal and of PostgreSQL while a mission's tests run; how long from the moment
 * the process is back until the mission moves again. For the worker that is the start of the repeated test run.
 */
import { spawn } from 'node:child_process';
import { existsSync, readFileSync, watch, writeFileSync, mkdirSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { execFileSync } from 'node:child_process';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { quantile } from './system.mjs';

const rounds = process.argv.includes('--quick') ? 3 : 10;
const home = await mkdtemp(join(tmpdir(), 'mission-control-bench-'));
const script = join(dirname(fileURLToPath(import.meta.url)), '..', 'src', 'cli', 'start.mjs');
const launcher = spawn(process.execPath, [script], { env: { ...process.env, MISSION_CONTROL_HOME: home, MISSION_CONTROL_PORT: '0' }, stdio: ['ignore', 'pipe', 'inherit'] });
const ended = new Promise((resolve) => { launcher.once('close', resolve); });
await new Promise((resolve) => { createInterface({ input: launcher.stdout }).on('line', (line) => { if (line.includes('is ready')) resolve(); }); });

const runFile = () => JSON.parse(readFileSync(join(home, 'run.json'), 'utf8'));
const key = readFileSync(join(home, 'admin.key'), 'utf8').trim();
async function call(method, path, body) {
  const response = await fetch(`${runFile().api_url}/mission-control${path}`, {
    method, headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' }, ...(body ? { body: JSON.stringify(body) } : {}),
  });
  return response.json();
}
async function until(look) {
  for (;;) {
    const found = await Promise.resolve().then(look).catch(() => undefined);
    if (found) return found;
    await new Promise((resolve) => { setTimeout(resolve, 10); });
  }
}

/** A repository whose test notes each run and waits for a door. */
function repository(n) {
  const path = join(home, 'repositories', `r${n}`);
  const gate = join(home, `gate${n}`);
  mkdirSync(path, { recursive: true });
  mkdirSync(gate);
  writeFileSync(join(gate, 'runs'), '');
  writeFileSync(join(path, 'package.json'), '{"type": "module", "scripts": {"test": "node --test"}}');
  writeFileSync(join(path, 'x.test.js'), [
    "import test from 'node:test'; import { appendFileSync, existsSync, watch } from 'node:fs';",
    `test('waits', { skip: !existsSync('fixed') }, () => new Promise((resolve) => { const w = watch(${JSON.stringify(gate)}, look);`,
    `function look() { if (existsSync(${JSON.stringify(join(gate, 'open'))})) { w.close(); resolve(); } } appendFileSync(${JSON.stringify(join(gate, 'runs'))}, '.'); look(); }));`,
  ].join('\n'));
  const git = (...args) => execFileSync('git', ['-C', path, '-c', 'user.name=b', '-c', 'user.email=b@localhost', ...args], { encoding: 'utf8' });
  git('init', '-q', '-b', 'main');
  git('add', '.');
  git('commit', '-qm', 'x');
  return { path, gate, diff: 'diff --git a/fixed b/fixed\nnew file mode 100644\n--- /dev/null\n+++ b/fixed\n@@ -0,0 +1 @@\n+yes\n' };
}

const results = { worker: [], temporal: [], postgres: [] };
let n = 0;
let merges = 0;
for (let round = 0; round < rounds; round += 1) {
  for (const part of Object.keys(results)) {
    const { path, gate, diff } = repository(n += 1);
    const runs = () => readFileSync(join(gate, 'runs'), 'utf8').length;
    const mission = await call('POST', '/missions', {
      subsystem_id: 'bench', severity: 'low', execute: true, trust_requirements: { requires_governance_approval: false },
      acceptance_criteria: { observation_window_minutes: 0.001, observation_window: { metrics: 'none', reason: 'bench' } },
      workspace: { repo_path: path, patch_candidates: [{ kind: 'diff', text: diff }] },
    });
    await new Promise((resolve) => { const watcher = watch(gate, () => { if (runs() > 0) { watcher.close(); resolve(); } }); if (runs() > 0) { watcher.close(); resolve(); } });
    const before = runFile().pids[part];
    process.kill(before, 'SIGKILL');
    if (part !== 'worker') writeFileSync(join(gate, 'open'), '');
    await until(() => runFile().pids[part] !== before && existsSync(`/proc/${runFile().pids[part]}`));
    const back = performance.now();
    if (part === 'worker') {
      await until(() => runs() > 1);
      results.worker.push(performance.now() - back);
      writeFileSync(join(gate, 'open'), '');
    } else {
      await until(async () => (await call('GET', `/missions/${mission.mission_id}`)).stages.some((stage) => stage.name === 'stress_tests' && stage.status !== 'pending'));
      results[part].push(performance.now() - back);
    }
    const done = await until(async () => { const m = await call('GET', `/missions/${mission.mission_id}`); return m.ended_at && m; });
    if (done.status === 'resolved' && execFileSync('git', ['-C', path, 'rev-list', '--first-parent', '--count', 'main'], { encoding: 'utf8' }).trim() === '2') merges += 1;
  }
}
launcher.kill('SIGINT');
await ended;
await rm(home, { recursive: true, force: true });
console.log(`\n| killed while tests run (${rounds} times each) | until it moves again, median | worst |\n|---|---|---|`);
for (const [part, values] of Object.entries(results)) console.log(`| ${part} | ${(quantile(values, 0.5) / 1000).toFixed(2)} s | ${(Math.max(...values) / 1000).toFixed(2)} s |`);
console.log(`\nmissions that ended resolved with one merge: ${merges} passed, ${n - merges} failed`);
process.exit(merges === n ? 0 : 1);
