/** From the break of a watched service to its FIRING finding, and from its return to RESOLVED; probed every second. */
import { spawn } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { cp, mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { quantile } from './system.mjs';

const rounds = process.argv.includes('--quick') ? 5 : 30;
const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const home = await mkdtemp(join(tmpdir(), 'mission-control-bench-'));
const config = join(home, 'config');
await cp(join(root, 'config'), config, { recursive: true });

let broken = false;
const service = createServer((_request, response) => { response.statusCode = broken ? 500 : 200; response.end(); });
await new Promise((resolve) => { service.listen(0, '127.0.0.1', resolve); });
const { port } = service.address();
const policy = readFileSync(join(config, 'policy.yaml'), 'utf8');
writeFileSync(join(config, 'policy.yaml'), policy.replace('allow: []', `allow: ["127.0.0.1:${port}"]`));
// One subsystem for each round: flapping is for one that breaks again and again.
const probe = (n) => `  bench${n}: {name: bench ${n}, probes: [{id: p, kind: http, url: "http://127.0.0.1:${port}/", interval_seconds: 1, keep_firing_for_seconds: 0}]}`;
writeFileSync(join(config, 'subsystems.yaml'), `subsystems:\n${probe(0)}\n`);

const launcher = spawn(process.execPath, [join(root, 'src', 'cli', 'start.mjs')], {
  env: { ...process.env, MISSION_CONTROL_HOME: join(home, 'data'), MISSION_CONTROL_PORT: '0', MISSION_CONTROL_CONFIG: config }, stdio: ['ignore', 'pipe', 'inherit'],
});
const ended = new Promise((resolve) => { launcher.once('close', resolve); });
await new Promise((resolve) => { createInterface({ input: launcher.stdout }).on('line', (line) => { if (line.includes('is ready')) resolve(); }); });
const { api_url: url } = JSON.parse(readFileSync(join(home, 'data', 'run.json'), 'utf8'));
const key = readFileSync(join(home, 'data', 'admin.key'), 'utf8').trim();
const get = async (path) => (await fetch(`${url}/mission-control${path}`, { headers: { authorization: `Bearer ${key}` } })).json();
async function until(look) {
  for (;;) {
    if (await look()) return;
    await new Promise((resolve) => { setTimeout(resolve, 20); });
  }
}

const fires = [];
const resolves = [];
for (let round = 0; round < rounds; round += 1) {
  writeFileSync(join(config, 'subsystems.yaml'), `subsystems:\n${probe(round)}\n`);
  await until(async () => (await get(`/subsystems/bench${round}`)).state === 'healthy');
  // Anywhere between two probes.
  await new Promise((resolve) => { setTimeout(resolve, Math.random() * 1_000); });
  const finding = async () => (await get(`/findings?subsystem_id=bench${round}`)).items[0]?.state;
  broken = true;
  const at = performance.now();
  await until(async () => (await finding()) === 'FIRING');
  fires.push(performance.now() - at);
  broken = false;
  const back = performance.now();
  await until(async () => (await finding()) === 'RESOLVED');
  resolves.push(performance.now() - back);
}
launcher.kill('SIGINT');
await ended;
service.close();
await rm(home, { recursive: true, force: true });
console.log(`\n| probe every second, ${rounds} times | median | worst |\n|---|---|---|`);
for (const [name, values] of [['break until FIRING', fires], ['return until RESOLVED', resolves]]) {
  console.log(`| ${name} | ${(quantile(values, 0.5) / 1000).toFixed(2)} s | ${(Math.max(...values) / 1000).toFixed(2)} s |`);
}
process.exit(0);
