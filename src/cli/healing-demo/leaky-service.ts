/** A small web service that can be told to leak memory. */
import { spawn } from 'node:child_process';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { freePort } from '../launcher/ports.ts';
import { quickLimits, quickWindow, type Scene } from './scene.ts';

const source = `
import { createServer } from 'node:http';
const kept = [];
const server = createServer((request, response) => {
  if (request.method === 'POST' && request.url === '/leak') setInterval(() => kept.push(Buffer.alloc(400_000, 1)), 50);
  response.end(JSON.stringify({ pid: process.pid, kept: kept.length }));
});
process.on('SIGTERM', () => process.exit(0));
server.listen(Number(process.argv[2]), '127.0.0.1');
`;

/** Bytes a second that are growth; the leak is 8 MB/s. */
const tolerated = 1_000_000;

export async function leakyService(folder: string): Promise<Scene> {
  await mkdir(folder, { recursive: true });
  const script = join(folder, 'server.mjs');
  const pidFile = join(folder, 'web.pid');
  await writeFile(script, source);
  const port = await freePort(0);
  const url = `http://127.0.0.1:${port}`;
  const argv = [process.execPath, script, String(port)];
  const first = spawn(argv[0]!, argv.slice(1), { cwd: folder, detached: true, stdio: 'ignore' });
  first.unref();
  await writeFile(pidFile, `${first.pid}\n`);
  for (let tries = 0; tries < 200 && !(await fetch(url).then(() => true, () => false)); tries += 1) await new Promise((resolve) => { setTimeout(resolve, 25); });

  return {
    id: 'web',
    about: 'a web service of one process',
    subsystem: {
      name: 'Web',
      resources: {
        'web-service': {
          kind: 'service', stop_timeout_seconds: 3, ready_timeout_seconds: 10,
          manager: { kind: 'process', instances: [{ id: 'web1', pid_file: pidFile, argv, cwd: folder, ready_url: url }] },
        },
      },
    },
    binding: {
      playbook: 'memory_leak', subsystem: 'web', resource: 'web-service', limits: quickLimits, observe: { ...quickWindow, duration_minutes: 0.2 },
      params: { sample_seconds: 4, samples: 16, warm_up_seconds: 2, min_slope_bytes_per_second: tolerated, heap_snapshot: 'never' },
    },
    metrics: {
      'web.memory_growth': {
        comparator: '<', target: tolerated, unit: 'B/s', subsystem_id: 'web', description: 'how fast the memory of web1 grows',
        source: { kind: 'process', pid_file: pidFile, figure: 'rss_bytes' }, aggregation: 'rate', rolling_window_minutes: 0.1,
        interval_seconds: 1, stale_after_seconds: 10, for_seconds: 3, severity: 'high', playbooks: ['memory_leak'],
      },
    },
    addresses: [`127.0.0.1:${port}`],
    async breakIt() {
      await fetch(`${url}/leak`, { method: 'POST' });
      return `web1 (pid ${await pid(pidFile)}) keeps 8 MB more every second`;
    },
    async use() {
      const answer = await (await fetch(url)).json() as { pid: number; kept: number };
      if (answer.kept > 0) throw new Error(`pid ${answer.pid} still keeps ${answer.kept} buffers`);
      return `web1 answers as pid ${answer.pid} and keeps nothing`;
    },
    async stop() {
      try { process.kill(await pid(pidFile), 'SIGKILL'); } catch { /* it has ended */ }
    },
  };
}

const pid = async (file: string): Promise<number> => Number((await readFile(file, 'utf8')).trim());
