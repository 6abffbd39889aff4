/** F7: no space left for artefacts, for worktrees: it is named, what is read is still read, and it goes on once there is space. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { call, expectProblem, keyFor } from '../support/http.ts';
import { calculator, fixedAdd } from '../support/repository.ts';
import { missionBody, startSystem, type System } from '../support/system.ts';

let system: System;
beforeAll(async () => {
  system = await startSystem();
  await system.startWorker();
});
afterAll(() => system.stop());

const mounted = new Set<string>();
afterEach(() => { for (const folder of mounted) unmount(folder); });

/** A file system of a megabyte in the folder's place, filled to the last byte. Needs root, and a kernel that lets it. */
function fill(folder: string): boolean {
  mkdirSync(folder, { recursive: true });
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m,mode=0700', 'tmpfs', folder], { stdio: 'pipe' });
  } catch {
    return false;
  }
  mounted.add(folder);
  try {
    writeFileSync(join(folder, 'filler'), Buffer.alloc(2 * 1024 * 1024));
  } catch { /* that was the point */ }
  return true;
}
const makeSpace = (folder: string): void => { rmSync(join(folder, 'filler')); };
function unmount(folder: string): void {
  execFileSync('umount', ['--lazy', folder]);
  mounted.delete(folder);
}

test('no space for artefacts: 507 DISK_FULL naming the store, reads still answer, and it takes them again', async ({ skip }) => {
  const repository = system.repository(calculator);
  const body = missionBody(repository, [repository.diff(fixedAdd)]);
  const key = await keyFor(system, 'operator', 'operator');
  const folder = join(system.home, 'artifacts');
  if (!fill(folder)) skip('no tmpfs can be mounted here');
  expectProblem(await call(system.url, '/mission-control/missions', { key, json: body }), 507, 'DISK_FULL');
  const refused = await call(system.url, '/mission-control/missions', { key, json: body });
  expect(refused.body['detail']).toContain('no space left in artifacts/ of the data directory');
  for (const path of ['missions', 'approvals', 'capa', 'metrics', 'status']) {
    expect((await call(system.url, `/mission-control/${path}`, { key })).status, path).toBe(200);
  }
  makeSpace(folder);
  expect((await call(system.url, '/mission-control/missions', { key, json: body })).status).toBe(201);
}, 120_000);

test('no space for worktrees: the mission waits for an operator and says DISK_FULL; retried with space, it lands', async ({ skip }) => {
  const repository = system.repository(calculator);
  const folder = join(system.home, 'worktrees');
  if (!fill(folder)) skip('no tmpfs can be mounted here');
  const { mission_id } = await system.send(repository, [repository.diff(fixedAdd)]);
  const waiting = await system.whenWaiting(mission_id, 'operator');
  expect(waiting.waiting_on!.reason).toMatch(/^pull_code: DISK_FULL: no space left/);
  expect(waiting.status).toBe('in_progress');
  makeSpace(folder);
  await (await system.as('operator', 'operator')).post(`/mission-control/missions/${mission_id}/retry`, {});
  expect(await system.whenEnded(mission_id)).toMatchObject({ status: 'resolved', outcome: 'landed' });
}, 180_000);
