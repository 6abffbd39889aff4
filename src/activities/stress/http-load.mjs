/**
 * HTTP load on a service of the worktree, both inside of the command's sandbox: starts the service on a free port of
 * 127.0.0.1 (PORT and HOST in its environment), waits until it answers, loads it and prints {"metrics": {…}}.
 *
 * usage: http-load <load as JSON> <argv of the service…>
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import autocannon from 'autocannon';

const [loadText, command, ...args] = process.argv.slice(2);
/** @type {import('../../domain/commands.ts').HttpLoad} */
const load = JSON.parse(/** @type {string} */ (loadText));

const port = await freePort();
// What the service prints is for people: standard output is the report's.
const service = spawn(/** @type {string} */ (command), args, { env: { ...process.env, PORT: String(port), HOST: '127.0.0.1' }, stdio: ['ignore', 2, 2] });
/** @type {{ how: string | null }} */
const end = { how: null };
service.on('error', (error) => { end.how = `cannot be started: ${error.message}`; });
service.on('exit', (code, signal) => { end.how = `ended with ${code === null ? signal : `exit code ${code}`}`; });

const url = `http://127.0.0.1:${port}${load.path}`;
await ready();
if (load.warm_up_seconds > 0) await fire(load.warm_up_seconds);
const result = await fire(load.duration_seconds);
if (end.how !== null) fail(`the service ${end.how} under load`);
const { latency, requests } = result;
console.log(JSON.stringify({
  metrics: {
    http_requests_per_second: requests.average, http_requests: requests.total,
    http_latency_p50_ms: latency.p50, http_latency_p90_ms: latency.p90, http_latency_p99_ms: latency.p99, http_latency_max_ms: latency.max,
    http_errors: result.errors, http_non_2xx: result.non2xx,
  },
}));
service.kill('SIGTERM');
process.exit(0);

/** @param {number} seconds */
function fire(seconds) {
  return autocannon({ url, connections: load.connections, duration: seconds, timeout: 10 });
}

/** Any answer will do: whether it is the right one, the figures tell. */
async function ready() {
  const until = Date.now() + load.ready_timeout_seconds * 1_000;
  for (;;) {
    if (end.how !== null) fail(`the service ${end.how} before it answered`);
    if (await fetch(url, { signal: AbortSignal.timeout(2_000) }).then(() => true, () => false)) return;
    if (Date.now() > until) fail(`the service did not answer on 127.0.0.1:${port} (PORT) within ${load.ready_timeout_seconds} s`);
    await new Promise((resolve) => { setTimeout(resolve, 100); });
  }
}

async function freePort() {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port: free } = /** @type {import('node:net').AddressInfo} */ (server.address());
  server.close();
  await once(server, 'close');
  return free;
}

/**
 * @param {string} why
 * @returns {never}
 */
function fail(why) {
  console.error(why);
  service.kill('SIGKILL');
  process.exit(1);
}
