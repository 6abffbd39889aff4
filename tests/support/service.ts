/** A small real service: Node processes that answer over HTTP, leak when told to, and end as told to. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { freePort } from '../../src/cli/launcher/ports.ts';
import { startedAt } from '../../src/processes.mjs';
import { stringify } from 'yaml';
import { openPlaybookBench } from './playbook-bench.ts';
import { pidsWith } from './processes.ts';
import { temporaryFolder } from './repository.ts';

/**
 * GET /ready, POST /drain, POST /leak {bytes_per_second}, POST /cache {keys}, GET /seen (what was POSTed), GET /pid.
 * Environment: `STUBBORN` ignores SIGTERM, `LEAKS` leaks bytes a second from the start, `BULK` holds that much, `SLOW_MS` is not ready before.
 */
const source = `
const { createServer } = require('node:http');
const kept = []; const seen = []; let draining = false;
const bornAt = Date.now(); const slow = Number(process.env.SLOW_MS ?? 0);
const leak = (bytes) => setInterval(() => { kept.push(Buffer.alloc(Math.round(bytes / 20), 1)); }, 50);
if (process.env.BULK) kept.push(Buffer.alloc(Number(process.env.BULK), 1));
if (process.env.LEAKS) leak(Number(process.env.LEAKS));
if (process.env.STUBBORN) process.on('SIGTERM', () => {}); else process.on('SIGTERM', () => { server.close(); setTimeout(() => process.exit(0), 50); });
const server = createServer((request, response) => {
  if (request.method === 'GET') {
    if (request.url === '/seen') return response.end(JSON.stringify(seen));
    if (request.url === '/pid') return response.end(String(process.pid));
    if (request.url === '/errors') return response.end(JSON.stringify({ rate: Number(process.env.ERROR_RATE ?? 0) }));
    response.statusCode = draining || Date.now() - bornAt < slow ? 503 : 200;
    return response.end('{}');
  }
  let text = '';
  request.on('data', (chunk) => { text += chunk; });
  request.on('end', () => {
    const body = JSON.parse(text || '{}');
    seen.push({ url: request.url, body });
    if (request.url === '/drain') draining = true;
    if (request.url === '/leak') leak(body.bytes_per_second);
    response.end('{}');
  });
});
server.listen(Number(process.env.PORT), '127.0.0.1', () => console.log('listening'));
`;

export type ServiceBench = Awaited<ReturnType<typeof openServiceBench>>;
type Shape = Record<string, unknown>;

/** @param service what the declaration of `web` says beside its instances web1, web2 and the spare web3 */
export async function openServiceBench(service: Shape = {}, instances: Record<string, Shape> = {}) {
  const folder = temporaryFolder();
  const script = join(folder, 'server.cjs');
  writeFileSync(script, source);
  const declared = await Promise.all(['web1', 'web2', 'web3'].map(async (id) => {
    const port = await freePort(0);
    const folderOf = join(folder, id);
    mkdirSync(folderOf);
    const { env, argv, ...more } = (instances[id] ?? {}) as { env?: Shape; argv?: string[] };
    return {
      id, pid_file: join(folderOf, 'web.pid'), argv: argv ?? [process.execPath, script], cwd: folderOf, spare: id === 'web3',
      env: { PORT: String(port), HOME: folderOf, ...env }, ready_url: `http://127.0.0.1:${port}/ready`, drain_url: `http://127.0.0.1:${port}/drain`, ...more,
    };
  }));
  const declaration = { kind: 'service', manager: { kind: 'process', instances: declared }, stop_timeout_seconds: 5, ready_timeout_seconds: 20, min_healthy: 1, ...service };
  const bench = await openPlaybookBench({ web: declaration });
  const portOf = (id: string): number => Number(declared.find((one) => one.id === id)!.env['PORT']);
  const allowed = declared.map((one) => `127.0.0.1:${portOf(one.id)}`);
  await writeFile(join(bench.deps.config.configFolder, 'policy.yaml'), stringify({
    approvals: { required: 1, severities: [], on_protected_paths: true, on_vanished_tests: true, deadline_minutes: 10 },
    protected_paths: [], scan: { block_at: 'error' }, landing: { carry_approval: true }, observation: { allow_unobserved: true }, egress: { allow: allowed },
  }));
  const pidFile = (id: string): string => join(folder, id, 'web.pid');
  const pidOf = (id: string): number => Number(readFileSync(pidFile(id), 'utf8'));

  return {
    ...bench, folder, script, declaration, declared, portOf, pidFile, pidOf,
    identityOf: (id: string): string => `${pidOf(id)}@${startedAt(pidOf(id))}`,
    get: async (id: string, path: string): Promise<string> => (await fetch(`http://127.0.0.1:${portOf(id)}${path}`)).text(),
    post: async (id: string, path: string, body: unknown): Promise<void> => {
      await fetch(`http://127.0.0.1:${portOf(id)}${path}`, { method: 'POST', body: JSON.stringify(body) });
    },
    start: () => bench.act('web', 'service.start', { service: 'web' }),
    /** Every process of the instance, found by what its environment says. */
    processesOf: (id: string): number[] => pidsWith(`MISSION_CONTROL_INSTANCE=${pidFile(id)}`),
    /**
     * Asks the instances over and over whether at least one answers, while `work` runs.
     * @returns how often at least one answered, and how often none did
     */
    async watchedWhile(ids: string[], work: () => Promise<unknown>): Promise<{ answered: number; silent: number }> {
      const count = { answered: 0, silent: 0 };
      const over = new AbortController();
      const prober = (async () => {
        while (!over.signal.aborted) {
          const answers = await Promise.all(ids.map((id) => fetch(`http://127.0.0.1:${portOf(id)}/ready`).then((answer) => answer.status === 200, () => false)));
          count[answers.includes(true) ? 'answered' : 'silent'] += 1;
          await pause(5);
        }
      })();
      try {
        await work();
      } finally {
        over.abort();
        await prober;
      }
      return count;
    },
    async close(): Promise<void> {
      for (const { id } of declared) {
        for (const pid of pidsWith(`MISSION_CONTROL_INSTANCE=${pidFile(id)}`)) process.kill(pid, 'SIGKILL');
      }
      await bench.close();
    },
  };
}
