/** Once per run: a PostgreSQL server with a migrated template database, and the Temporal binary. */
import { openSync } from 'node:fs';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { preparePostgres } from '../../src/cli/launcher/postgres.ts';
import { freePort } from '../../src/cli/launcher/ports.ts';
import { findTemporal } from '../../src/cli/launcher/temporal.ts';
import { openHome } from '../../src/home.ts';
import { migrate } from '../../src/store/migrate.ts';
import { findChromium } from './chromium.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** URL of the template database; each test file copies it. */
    templateUrl: string;
    temporalBinary: string;
    chromium: string;
  }
}

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const temporalBinary = await findTemporal((line) => console.log(line));
  project.provide('chromium', await findChromium());
  // Everything that a test leaves behind lies below this folder, and goes with it. Others may pass through, as through /tmp.
  const run = await mkdtemp(join(tmpdir(), 'mc-'));
  await chmod(run, 0o755);
  process.env['TMPDIR'] = run;
  const home = await mkdtemp(join(run, 'mission-control-test-'));
  await openHome(home);
  const cluster = await preparePostgres(home, await freePort(0), () => undefined);
  const log = openSync(join(home, 'postgres.log'), 'a');
  const child = cluster.spawn([log, log]);
  await cluster.ready(AbortSignal.timeout(90_000));
  await migrate(cluster.url);
  project.provide('templateUrl', cluster.url);
  project.provide('temporalBinary', temporalBinary);
  return async () => {
    await cluster.stop();
    child.kill('SIGKILL');
    await rm(run, { recursive: true, force: true, maxRetries: 3 }).catch((error: Error) => console.error(`left behind: ${error.message}`));
  };
}
