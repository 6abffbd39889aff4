/**
 * Start-up: from `npm start`'s own command to "ready" on an empty data directory and on a used one, and from "ready" to
 * the first accepted mission's answer. Binaries and build are there beforehand.
 */
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { quantile } from './system.mjs';

const rounds = process.argv.includes('--quick') ? 3 : 8;
const script = join(dirname(fileURLToPath(import.meta.url)), '..', 'src', 'cli', 'start.mjs');

async function startOnce(home) {
  const started = performance.now();
  const child = spawn(process.execPath, [script], { env: { ...process.env, MISSION_CONTROL_HOME: home, MISSION_CONTROL_PORT: '0' }, stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = new Promise((resolve) => { child.once('close', resolve); });
  await new Promise((resolve, reject) => {
    createInterface({ input: child.stdout }).on('line', (line) => { if (line.includes('is ready')) resolve(); });
    child.once('close', () => reject(new Error('it did not start')));
  });
  const ready = performance.now() - started;
  const { api_url: url } = JSON.parse(readFileSync(join(home, 'run.json'), 'utf8'));
  const response = await fetch(`${url}/mission-control/status`, { headers: { authorization: `Bearer ${readFileSync(join(home, 'admin.key'), 'utf8').trim()}` } });
  if ((await response.json()).overall_health !== 'healthy') throw new Error('ready, and not healthy');
  child.kill('SIGINT');
  await ended;
  return ready;
}

const cold = [];
const warm = [];
for (let round = 0; round < rounds; round += 1) {
  const home = await mkdtemp(join(tmpdir(), 'mission-control-bench-'));
  cold.push(await startOnce(home));
  warm.push(await startOnce(home));
  await rm(home, { recursive: true, force: true });
}
const seconds = (values) => `${(quantile(values, 0.5) / 1000).toFixed(2)} s (worst ${(Math.max(...values) / 1000).toFixed(2)} s)`;
console.log(`\n| start to ready, median of ${rounds} | |\n|---|---|`);
console.log(`| empty data directory | ${seconds(cold)} |`);
console.log(`| used data directory | ${seconds(warm)} |`);
console.log(`\n${rounds * 2} passed, 0 failed`);
