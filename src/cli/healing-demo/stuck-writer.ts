/** An SQLite file whose writer hangs in a transaction: nobody else can write. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { quickLimits, quickWindow, type Scene } from './scene.ts';

const library = fileURLToPath(import.meta.resolve('@photostructure/sqlite'));

const open = (database: string): string => `import { DatabaseSync } from ${JSON.stringify(library)};\nconst db = new DatabaseSync(${JSON.stringify(database)}, { timeout: 500 });\n`;

/** The name that the stuck process runs under: the only one that may be ended. */
const writer = 'nightly-report';

export async function stuckWriter(folder: string): Promise<Scene> {
  await mkdir(folder, { recursive: true });
  const database = join(folder, 'orders.db');
  const scripts = { make: join(folder, 'make.mjs'), hang: join(folder, 'hang.mjs'), order: join(folder, 'order.mjs') };
  await writeFile(scripts.make, `${open(database)}db.exec('PRAGMA journal_mode = WAL; CREATE TABLE IF NOT EXISTS orders (id INTEGER PRIMARY KEY, what TEXT)');\n`);
  await writeFile(scripts.hang, `${open(database)}db.exec('BEGIN IMMEDIATE');\nconsole.log('locked');\n// Held on to: a connection that is collected lets go of its lock.\nsetInterval(() => db.exec('SELECT 1'), 1000);\n`);
  await writeFile(scripts.order, `${open(database)}db.exec("INSERT INTO orders (what) VALUES ('a book')");\nconsole.log(db.prepare('SELECT count(*) AS n FROM orders').get().n);\n`);
  await run(scripts.make);
  let stuck: ChildProcess | undefined;

  return {
    id: 'orders',
    about: 'an SQLite file that a shop writes its orders to',
    subsystem: {
      name: 'Orders', resources: { 'orders-db': { kind: 'sqlite', path: database, canary_tables: ['orders'], allow_terminate: [writer] } },
      probes: [{ id: 'write', kind: 'sqlite', resource: 'orders-db', interval_seconds: 2, timeout_seconds: 4 }],
    },
    binding: {
      playbook: 'database_locked', subsystem: 'orders', resource: 'orders-db', limits: quickLimits, observe: quickWindow,
      params: { sqlite_wait_seconds: 1, sqlite_busy_timeout_ms: 500, sqlite_terminate_seconds: 2 },
    },
    metrics: {}, addresses: [],
    async breakIt() {
      stuck = spawn(process.execPath, [scripts.hang], { argv0: writer, stdio: ['ignore', 'pipe', 'ignore'] });
      await once(stuck.stdout!, 'data');
      return `${writer} (pid ${stuck.pid}) began a write transaction and hangs in it`;
    },
    use: async () => `an order was written; there are ${(await run(scripts.order)).trim()}`,
    async stop() { stuck?.kill('SIGKILL'); },
  };
}

async function run(script: string): Promise<string> {
  const child = spawn(process.execPath, [script], { stdio: ['ignore', 'pipe', 'pipe'] });
  let out = '';
  let err = '';
  child.stdout.on('data', (chunk: Buffer) => { out += chunk.toString(); });
  child.stderr.on('data', (chunk: Buffer) => { err += chunk.toString(); });
  const [code] = await once(child, 'close') as [number | null];
  if (code !== 0) throw new Error(/Error: (.*)/.exec(err)?.[1] ?? `ended with exit code ${code}`);
  return out;
}
