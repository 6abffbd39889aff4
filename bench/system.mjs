/** Servers for benches: an embedded PostgreSQL, and Temporal dev servers, tuned as ours or as they come. */
import { spawn } from 'node:child_process';
import { openSync, rmSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Connection } from '@temporalio/client';
import { pino } from 'pino';
import { preparePostgres } from '../dist/cli/launcher/postgres.js';
import { freePort } from '../dist/cli/launcher/ports.js';
import { findTemporal, temporalServer } from '../dist/cli/launcher/temporal.js';
import { openHome } from '../dist/home.js';
import { createDatabase } from '../dist/store/database.js';
import { migrate } from '../dist/store/migrate.js';

export const silent = pino({ level: 'silent' });

/** Starts what a bench needs; `stop` ends all of it. */
export async function startServers() {
  const home = await mkdtemp(join(tmpdir(), 'mission-control-bench-'));
  await openHome(home);
  const log = openSync(join(home, 'servers.log'), 'a');
  const cluster = await preparePostgres(home, await freePort(0), () => undefined);
  const children = [cluster.spawn([log, log])];
  onAnyEnd(() => {
    for (const child of children) child.kill('SIGKILL');
    rmSync(home, { recursive: true, force: true, maxRetries: 5 });
  });
  await cluster.ready(AbortSignal.timeout(30_000));
  await migrate(cluster.url);
  const database = createDatabase(cluster.url, silent, 20);
  const binary = await findTemporal(console.log);

  async function temporal(tuned) {
    const [port, uiPort] = [await freePort(0), await freePort(0)];
    const name = tuned ? 'tuned' : 'untuned';
    const server = temporalServer(binary, join(home, `${name}.sqlite`), port, uiPort, 'default', 'normal');
    children.push(tuned ? server.spawn([log, log]) : spawn(binary, [
      'server', 'start-dev', '--ip', '127.0.0.1', '--port', String(port), '--headless', '--db-filename', join(home, `${name}.sqlite`), '--log-level', 'error',
    ], { stdio: ['ignore', log, log], detached: true }));
    await server.ready(AbortSignal.timeout(30_000));
    return { address: server.address, connection: await Connection.connect({ address: server.address }) };
  }

  return {
    home, url: cluster.url, database, temporal,
    async stop() {
      await database.close();
      await cluster.stop();
      for (const child of children) child.kill('SIGKILL');
      await rm(home, { recursive: true, force: true });
    },
  };
}

/** A bench that fails or is interrupted leaves nothing running either. */
export function onAnyEnd(clear) {
  process.once('exit', clear);
  for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(1));
}

/** Median and others of a list of figures. */
export function quantile(values, share) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)];
}
