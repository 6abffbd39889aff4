/** Several workers on one Temporal and one database: a checkout lives on one host, and so does its mission. */
import { readFile, rm } from 'node:fs/promises';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { readConfig } from '../../src/config.ts';
import { workspaceQueue } from '../../src/engine/client.ts';
import { hostIdOf, openHome } from '../../src/home.ts';
import { workflowBundle } from '../../src/project.ts';
import { startWorker, type RunningWorker } from '../../src/worker/worker.ts';
import { silent } from '../support/database.ts';
import { makeGate } from '../support/launched.ts';
import { calculator, fixedAdd, temporaryFolder } from '../support/repository.ts';
import { startSystem, type System } from '../support/system.ts';

let system: System;
const otherHome = temporaryFolder();
const workers: RunningWorker[] = [];

beforeAll(async () => {
  system = await startSystem();
  await openHome(otherHome);
});
afterAll(async () => {
  await Promise.all(workers.map(stop));
  await system.stop();
  await rm(otherHome, { recursive: true, force: true });
});

async function start(home: string): Promise<RunningWorker> {
  const { config } = system;
  const environment = {
    MISSION_CONTROL_HOME: home, MISSION_CONTROL_REPO_ROOTS: join(system.home, 'repositories'), MISSION_CONTROL_CONFIG: config.configFolder, MISSION_CONTROL_ARTIFACTS: config.artifacts,
    MISSION_CONTROL_LEDGER_KEY: config.ledgerKey, DATABASE_URL: system.db.url, TEMPORAL_ADDRESS: config.temporal.address, MISSION_CONTROL_ENVIRONMENT: 'test',
  };
  const worker = await startWorker(readConfig(environment), system.db.url, { code: await readFile(workflowBundle, 'utf8') }, silent);
  workers.push(worker);
  return worker;
}
async function stop(worker: RunningWorker): Promise<void> {
  worker.stop();
  await worker.done;
}

/** The host queues that a mission's activities went to. */
async function queuesOf(missionId: string): Promise<string[]> {
  const { events } = await system.temporal.workflow.getHandle(missionId).fetchHistory();
  const queues = (events ?? []).map((event) => event.activityTaskScheduledEventAttributes?.taskQueue?.name ?? '');
  return [...new Set(queues.filter((queue) => queue.startsWith('workspace:')))];
}

test('a mission stays with the host that took it, whoever else comes; the next one may go elsewhere', async () => {
  const other = await start(otherHome);
  const [here, there] = [workspaceQueue(await hostIdOf(system.home)), workspaceQueue(await hostIdOf(otherHome))];
  const gate = await makeGate(join(system.home, 'gate'));
  const repository = system.repository({ ...calculator, 'test/gate.test.js': gate.source });
  const taken = await system.send(repository, [repository.diff(fixedAdd)]);
  await gate.begun(1);
  await start(system.home);
  await gate.open();
  expect(await system.whenEnded(taken.mission_id)).toMatchObject({ status: 'resolved', outcome: 'landed' });
  expect(await queuesOf(taken.mission_id)).toEqual([there]);
  expect(existsSync(join(system.home, 'mirrors'))).toBe(false);

  await stop(other);
  const second = system.repository(calculator);
  const next = await system.send(second, [second.diff(fixedAdd)]);
  expect(await system.whenEnded(next.mission_id)).toMatchObject({ status: 'resolved' });
  expect(await queuesOf(next.mission_id)).toEqual([here]);
  expect(readdirSync(join(otherHome, 'mirrors')).filter((name) => name.endsWith('.git'))).toHaveLength(1);
  for (const queue of [here, there]) {
    const { action } = await system.temporal.schedule.getHandle(queue.replace('workspace:', 'tidy-workspaces-')).describe();
    expect(action).toMatchObject({ workflowType: 'tidyWorkspaces', args: [queue] });
  }
}, 240_000);

test('two workers on one data directory land the missions of one repository side by side', async () => {
  await start(system.home);
  const repository = system.repository({ ...calculator, ...fixedAdd });
  const missions = await Promise.all(Array.from({ length: 3 }, (_, i) => system.send(repository, [repository.diff({ [`new-${i}.js`]: `// ${i}\n` })])));
  for (const { mission_id } of missions) expect(await system.whenEnded(mission_id)).toMatchObject({ status: 'resolved', outcome: 'landed' });
  expect(repository.log()).toHaveLength(4);
  expect(repository.git('fsck', '--no-dangling')).toBe('');
}, 240_000);
