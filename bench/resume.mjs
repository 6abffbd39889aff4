/**
 * Resume: `kill -9` of the worker, of Temporal, of PostgreSQL, of the api and of all of them together while a mission's tests
 * run; how long from the moment the process (the last of them) is back until the mission moves again. For the worker and for
 * all together that is the start of the repeated test run, for the others the next stage, as the api shows it. Afterwards no
 * stage that was complete may have run again.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, watch, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { addsFile, launchSystem, missionOn, until } from './launched.mjs';
import { quantile } from './system.mjs';

const rounds = process.argv.includes('--quick') ? 2 : 10;
const system = await launchSystem();
const { home, runFile, call } = system;

/** A repository whose test notes each run and waits for a door. */
function repository(n) {
  const path = join(home, 'repositories', `r${n}`);
  const gate = join(home, 'gates', String(n));
  mkdirSync(path, { recursive: true });
  mkdirSync(gate, { recursive: true });
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
  return { path, gate };
}

const results = { worker: [], temporal: [], postgres: [], api: [], 'all at once': [] };
let n = 0;
let merges = 0;
let repeated = 0;
for (let round = 0; round < rounds; round += 1) {
  for (const part of Object.keys(results)) {
    const { path, gate } = repository(n += 1);
    const runs = () => readFileSync(join(gate, 'runs'), 'utf8').length;
    const mission = await call('POST', '/missions', missionOn(path, [addsFile('fixed', 'yes')]));
    await new Promise((resolve) => { const watcher = watch(gate, () => { if (runs() > 0) { watcher.close(); resolve(); } }); if (runs() > 0) { watcher.close(); resolve(); } });
    const { launcher: _, ...all } = runFile().pids;
    const killed = part === 'all at once' ? Object.keys(all) : [part];
    const testsDie = killed.includes('worker');
    for (const name of killed) process.kill(all[name], 'SIGKILL');
    if (!testsDie) writeFileSync(join(gate, 'open'), '');
    await until(() => killed.every((name) => runFile().pids[name] !== all[name] && existsSync(`/proc/${runFile().pids[name]}`)));
    const back = performance.now();
    if (testsDie) {
      await until(() => runs() > 1);
      results[part].push(performance.now() - back);
      writeFileSync(join(gate, 'open'), '');
    } else {
      await until(async () => (await call('GET', `/missions/${mission.mission_id}`)).stages.some((stage) => stage.name === 'stress_tests' && stage.status !== 'pending'));
      results[part].push(performance.now() - back);
    }
    const done = await until(async () => { const m = await call('GET', `/missions/${mission.mission_id}`); return m.ended_at && m; });
    const stages = (await call('GET', `/missions/${mission.mission_id}/stages`)).items;
    repeated += stages.length - 11;
    if (done.status === 'resolved' && execFileSync('git', ['-C', path, 'rev-list', '--first-parent', '--count', 'main'], { encoding: 'utf8' }).trim() === '2') merges += 1;
  }
}
await system.stop();
console.log(`\n| killed while tests run (${rounds} times each) | until it moves again, median | worst |\n|---|---|---|`);
for (const [part, values] of Object.entries(results)) console.log(`| ${part} | ${(quantile(values, 0.5) / 1000).toFixed(2)} s | ${(Math.max(...values) / 1000).toFixed(2)} s |`);
console.log(`\ncompleted stages that ran again: ${repeated}`);
const failed = n - merges + (repeated === 0 ? 0 : 1);
console.log(`\nmissions that ended resolved with one merge, none with a stage run twice: ${n + 1 - failed} passed, ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);
