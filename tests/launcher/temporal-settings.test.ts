/** A wrong dynamic config key is silently ignored by the server, so what counts is the effect. */
import { existsSync, openSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { DefaultLogger, NativeConnection, Runtime, Worker } from '@temporalio/worker';
import { Client, Connection } from '@temporalio/client';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { freePort } from '../../src/cli/launcher/ports.ts';
import { findTemporal, temporalServer } from '../../src/cli/launcher/temporal.ts';
import { projectRoot } from '../../src/project.ts';
import { temporaryFolder } from '../support/repository.ts';

Runtime.install({ logger: new DefaultLogger('ERROR') });

const folder = temporaryFolder();
let stop: () => Promise<void>;
let client: Client;

beforeAll(async () => {
  const server = temporalServer(inject('temporalBinary'), join(folder, 'temporal.sqlite'), await freePort(0), await freePort(0), 'default', 'normal');
  const log = openSync(join(folder, 'log'), 'a');
  const child = server.spawn([log, log]);
  await server.ready(AbortSignal.timeout(30_000));
  const connection = await Connection.connect({ address: server.address });
  const native = await NativeConnection.connect({ address: server.address });
  const worker = await Worker.create({
    connection: native, taskQueue: 'settings', workflowsPath: join(projectRoot, 'tests', 'support', 'settings-workflows.ts'),
    activities: { nothing: async () => undefined },
  });
  const running = worker.run();
  client = new Client({ connection });
  stop = async () => {
    worker.shutdown();
    await running;
    await Promise.all([native.close(), connection.close()]);
    child.kill('SIGKILL');
    await rm(folder, { recursive: true, force: true });
  };
});
afterAll(() => stop());

/** Best of five: the settings make it possible, a busy machine only makes it late. Defaults miss these in every run. */
async function best(workflow: string): Promise<number> {
  const times: number[] = [];
  for (let i = 0; i < 5; i += 1) {
    times.push(await client.workflow.execute(workflow, { taskQueue: 'settings', workflowId: `${workflow}-${i}` }) as number);
  }
  return Math.min(...times);
}

test('a 50 ms timer fires within 200 ms (about a second at the defaults)', async () => {
  expect(await best('shortSleep')).toBeLessThan(200);
});

test('five activities take less than 150 ms (550 ms at the defaults)', async () => {
  expect(await best('fiveActivities')).toBeLessThan(150);
});

test('the database is in WAL mode: what was acknowledged survives a kill', () => {
  expect(existsSync(join(folder, 'temporal.sqlite-wal'))).toBe(true);
});

test('without any server, the message names everything that was tried', async () => {
  const { PATH: path, XDG_CACHE_HOME: cache } = process.env;
  process.env['PATH'] = '';
  process.env['XDG_CACHE_HOME'] = join(folder, 'empty');
  try {
    await expect(findTemporal(() => undefined)).rejects.toThrow(
      /TEMPORAL_ADDRESS: not set\n  temporal on PATH: .*\n  our cache: .*\n  the SDK's download: .*\n  go install: go is not installed/);
  } finally {
    process.env['PATH'] = path;
    if (cache === undefined) delete process.env['XDG_CACHE_HOME'];
    else process.env['XDG_CACHE_HOME'] = cache;
  }
});
