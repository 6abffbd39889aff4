/** Two hosts with disks of their own on one system: a mission stays with its host, and outlives it. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startWorker, type RunningWorker } from '../../src/worker/worker.ts';
import { hostAlive } from '../../src/store/presence.ts';
import { workspaceQueue } from '../../src/engine/client.ts';
import { hostIdOf, openHome } from '../../src/home.ts';
import { silent } from '../support/database.ts';
import { makeGate } from '../support/launched.ts';
import { calculator, fixedAdd, temporaryFolder } from '../support/repository.ts';
import { startSystem, type System } from '../support/system.ts';

let system: System;
const hosts = new Map<string, { home: string; worker: RunningWorker }>();

async function startHost(): Promise<string> {
  const home = temporaryFolder();
  await openHome(home);
  // The artefact store and the ledger's key are what hosts share.
  const worker = await startWorker({ ...system.config, home, hostGraceSeconds: 1 }, system.db.url, { code: system.code }, silent);
  const queue = workspaceQueue(await hostIdOf(home));
  hosts.set(queue, { home, worker });
  return queue;
}

async function stopHost(queue: string): Promise<void> {
  const { worker } = hosts.get(queue)!;
  worker.stop();
  await worker.done;
}

beforeAll(async () => { system = await startSystem(); });
afterAll(async () => {
  for (const { worker } of hosts.values()) worker.stop();
  await Promise.all([...hosts.values()].map(({ worker }) => worker.done));
  await system.stop();
});

const moves = (id: string) => system.db.database.query<{ payload: { from: string; to: string } }>(
  "SELECT payload FROM events JOIN event_payloads USING (event_id) WHERE mission_id = $1 AND type = 'mission.moved'", [id]);
const worktreesOn = (queue: string): number => {
  try {
    return readdirSync(join(hosts.get(queue)!.home, 'worktrees')).length;
  } catch {
    return 0;
  }
};

test('a mission whose host is gone goes on elsewhere from the origin and its bundle; another host beside it changes nothing', async () => {
  const first = await startHost();
  const gate = await makeGate(join(system.home, 'gate'));
  const repository = system.repository({ ...calculator, 'test/gate.test.js': gate.source });
  const { mission_id: id } = await system.send(repository, [repository.diff(fixedAdd)]);
  await gate.begun(1);
  const second = await startHost();
  await system.until(() => hostAlive(system.db.database.query, second));
  expect(worktreesOn(second)).toBe(0);

  await stopHost(first);
  expect(await hostAlive(system.db.database.query, first)).toBe(false);
  await gate.begun(2);
  expect(await moves(id)).toMatchObject([{ payload: { from: first, to: second } }]);
  expect(worktreesOn(second)).toBe(1);
  await gate.open();
  const mission = await system.whenEnded(id);
  expect(mission).toMatchObject({ status: 'resolved', outcome: 'landed' });
  expect(repository.log()).toHaveLength(2);
  expect(repository.tree()).toBe(mission.landed_tree);
  // What was done stays done: only the stage under way began again.
  expect(mission.stages.map((stage) => stage.attempt)).toEqual([1, 1, 1, 2, 1, 1, 1, 1, 1, 1, 1]);
}, 180_000);
