/**
 * F7: no space left for artefacts, for worktrees, for everything at once: it is named, what is read is still read, and it
 * goes on once there is space.
 */
import { execFileSync } from 'node:child_process';
import { appendFileSync, cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { projectRoot } from '../../src/project.ts';
import { call, expectProblem, keyFor } from '../support/http.ts';
import { eventually, launch, missionEnd, stopLaunched } from '../support/launched.ts';
import { calculator, fixedAdd, makeRepository, temporaryFolder } from '../support/repository.ts';
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
  if (!mountSmall(folder, 1)) return false;
  fillUp(folder);
  return true;
}

function mountSmall(folder: string, mib: number): boolean {
  mkdirSync(folder, { recursive: true });
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${mib}m,mode=0755`, 'tmpfs', folder], { stdio: 'pipe' });
  } catch {
    return false;
  }
  mounted.add(folder);
  return true;
}

function fillUp(folder: string): void {
  const mib = Buffer.alloc(1024 * 1024);
  try {
    for (;;) appendFileSync(join(folder, 'filler'), mib);
  } catch { /* that was the point */ }
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

test('no space for anything, database, engine and logs: nothing dies of it, and what comes afterwards lands', async ({ skip }) => {
  const disk = temporaryFolder();
  const home = join(disk, 'home');
  if (!mountSmall(disk, 700)) skip('no tmpfs can be mounted here');
  const elsewhere = temporaryFolder();
  const config = join(elsewhere, 'config');
  cpSync(join(projectRoot, 'config'), config, { recursive: true });
  // All that this disk ever has free is less than the shipped floor.
  writeFileSync(join(config, 'workspaces.yaml'), 'disk_floor_gb: 0\n');
  const launched = await launch(home, [], { MISSION_CONTROL_REPO_ROOTS: elsewhere, MISSION_CONTROL_CONFIG: config });
  try {
    const repository = makeRepository(elsewhere, calculator);
    const { api_url: url, pids } = launched.run();
    const key = readFileSync(join(home, 'admin.key'), 'utf8').trim();
    const json = missionBody(repository, [repository.diff(fixedAdd)]);
    fillUp(disk);
    // Each refusal is logged: many of them need more than the last page of a log has.
    for (let i = 0; i < 40; i += 1) {
      expectProblem(await call(url, '/mission-control/missions', { key, json }), 507, 'DISK_FULL');
      expect((await call(url, '/mission-control/missions', { key })).status).toBe(200);
    }
    expect(launched.run().pids).toEqual(pids);
    makeSpace(disk);
    const made = await eventually(async () => {
      const answer = await call(url, '/mission-control/missions', { key, json: { ...json, execute: true } });
      return answer.status === 201 ? answer : undefined;
    });
    expect(await missionEnd(launched, made.body['mission_id'] as string)).toMatchObject({ status: 'resolved', outcome: 'landed' });
    expect(launched.run().pids).toEqual(pids);
  } finally {
    await stopLaunched(launched);
    rmSync(elsewhere, { recursive: true });
  }
}, 180_000);
