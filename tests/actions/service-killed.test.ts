/** The worker dies by `kill -9` in the middle of a restart: the second try ends it, once. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, expect, test } from 'vitest';
import { projectRoot } from '../../src/project.ts';
import { digestOf } from '../../src/ledger/canonical.ts';
import { isAlive } from '../support/processes.ts';
import { openServiceBench, type ServiceBench } from '../support/service.ts';

let bench: ServiceBench;
afterEach(() => bench.close());

/** Runs the step as a worker does, in a process of its own that can be killed. */
const program = `
  const built = (path) => import(process.argv[1] + '/dist/' + path);
  const { healingActivities } = await built('activities/healing.js');
  const { createDatabase } = await built('store/database.js');
  const { createProcessRunner } = await built('activities/process/runner.js');
  const { MockActivityEnvironment } = await import(process.argv[1] + '/node_modules/@temporalio/testing/lib/index.js');
  const { url, config, step } = JSON.parse(process.argv[2]);
  const database = createDatabase(url, { warn() {} });
  const deps = { database, config, processes: createProcessRunner(config.home) };
  await new MockActivityEnvironment().run(() => healingActivities(deps).runStep(step));`;

test.each<[string, (was: number) => Promise<boolean>]>([
  ['while the old one is drained and has not ended', async () => (await bench.get('web1', '/seen')).includes('/drain')],
  ['when the old one has ended', async (was) => !isAlive(was)],
  ['when the new one was started and is not ready', async (was) => bench.processesOf('web1').some((pid) => pid !== was)],
])('killed %s', async (_, moment) => {
  bench = await openServiceBench({ stop_timeout_seconds: 1.5 }, { web1: { env: { STUBBORN: 'yes', SLOW_MS: '1000' } } });
  await bench.start();
  const was = bench.identityOf('web1');
  const pid = bench.pidOf('web1');
  const input = { service: 'web', instance: 'web1', identity: was };
  const step = { mission_id: 'bench', subsystem_id: 'shop', resource_id: 'web', key: 'k', resource_digest: digestOf(await bench.resource('web')), step: { action: 'service.restart', with: input } };
  const worker = spawn(process.execPath, ['--input-type=module', '-e', program, projectRoot, JSON.stringify({ url: bench.db.url, config: bench.deps.config, step })], { detached: true, stdio: 'ignore' });
  while (worker.exitCode === null && !await moment(pid)) await pause(5);
  process.kill(-worker.pid!, 'SIGKILL');
  await once(worker, 'exit');
  expect(worker.signalCode).toBe('SIGKILL');
  expect(await bench.db.database.query(`SELECT 1 FROM effects WHERE key = 'k:result'`)).toEqual([]);

  expect(await bench.act('web', 'service.restart', input, 'k')).toMatchObject({ was, identity: bench.identityOf('web1') });
  expect(bench.identityOf('web1')).not.toBe(was);
  expect(bench.processesOf('web1')).toEqual([bench.pidOf('web1')]);
  expect(await bench.db.database.query(`SELECT key FROM restarts WHERE kind = 'restart'`)).toEqual([{ key: 'k:web1' }]);
});
