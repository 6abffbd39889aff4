import { existsSync, readFileSync, statSync } from 'node:fs';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { isAlive } from '../../src/processes.mjs';
import type { MissionDetail } from '../../src/domain/mission-view.ts';
import { copyDatabase } from '../support/database.ts';
import { calculator, fixedAdd, makeRepository, temporaryFolder } from '../support/repository.ts';
import {
  eventually, identities, killHard, launch, makeGate, missionEnd, spawnLauncher, stopLaunched, type Launched,
} from '../support/launched.ts';
import { missionBody } from '../support/system.ts';

const started: Launched[] = [];
async function start(...args: Parameters<typeof launch>): Promise<Launched> {
  const system = await launch(...args);
  started.push(system);
  return system;
}
afterEach(async () => {
  for (const system of started.splice(0)) await stopLaunched(system);
});

const answers = (url: string): Promise<number | undefined> => fetch(url).then((response) => response.status, () => undefined);

test('npm start: private files, a run file, everything answers; Ctrl-C leaves no process and no run file', async () => {
  const system = await start();
  const { home } = system;
  const parts = identities(system);
  const run = system.run();
  expect(Object.keys(run.pids).sort()).toEqual(['api', 'launcher', 'postgres', 'temporal', 'worker']);
  for (const [path, mode] of [['', 0o700], ['admin.key', 0o600], ['run.json', 0o600], ['database.url', 0o600], ['keys', 0o700]] as const) {
    expect(statSync(join(home, path)).mode & 0o777, path).toBe(mode);
  }
  expect(readFileSync(join(home, 'admin.key'), 'utf8')).toMatch(/^mck_[0-9a-f]{16}_[0-9a-f]{72}\n$/);
  expect(await answers(`${run.api_url}/`)).toBe(200);
  expect(await answers(`${run.api_url}/health/ready`)).toBe(200);
  const link = new URL(/dashboard +(\S+)/.exec(system.output.join('\n'))?.[1] ?? '');
  expect(link.href.startsWith(`${run.api_url}/sign-in#`)).toBe(true);
  const signIn = await fetch(`${run.api_url}/mission-control/sign-in`, {
    method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ code: link.hash.slice(1) }),
  });
  expect(await signIn.json()).toMatchObject({ principal: { id: 'admin', role: 'admin' } });
  expect(await answers(run.temporal_ui_url!)).toBe(200);
  expect(await system.api().get('/mission-control/status')).toMatchObject({ overall_health: 'healthy', total_missions: 0 });

  system.child.kill('SIGINT');
  expect(await system.ended).toBe(0);
  for (const [name, identity] of Object.entries(parts)) expect(isAlive(identity), name).toBe(false);
  expect(existsSync(join(home, 'run.json'))).toBe(false);
  expect(existsSync(join(home, 'launcher.lock'))).toBe(false);
});

test('a second start says who is running and touches nothing', async () => {
  const system = await start();
  const before = readFileSync(join(system.home, 'run.json'), 'utf8');
  const second = spawnLauncher(system.home);
  expect(await second.ended).toBe(1);
  expect(second.output.join('\n')).toContain(`launcher pid ${system.child.pid}`);
  expect(second.output.join('\n')).toContain(system.run().api_url);
  expect(readFileSync(join(system.home, 'run.json'), 'utf8')).toBe(before);
  expect(await answers(`${system.run().api_url}/health/ready`)).toBe(200);
});

test('two starts at the same moment: one runs, the other says so', async () => {
  const home = temporaryFolder();
  const both = [spawnLauncher(home), spawnLauncher(home)];
  const refused = await Promise.race(both.map(async (launched) => ({ launched, code: await launched.ended })));
  expect(refused.code).toBe(1);
  const winner = both.find((launched) => launched !== refused.launched)!;
  started.push(winner);
  expect(refused.launched.output.join('\n')).toContain(`launcher pid ${winner.child.pid}`);
  await eventually(() => winner.output.some((line) => line.includes('is ready')));
});

test('a lock that a dead launcher left is no obstacle', async () => {
  const home = temporaryFolder();
  await writeFile(join(home, 'launcher.lock'), JSON.stringify({ pid: process.pid, started: 'another time' }));
  const system = await start(home);
  expect(await answers(`${system.run().api_url}/health/ready`)).toBe(200);
});

test('Ctrl-C while tests run leaves nothing running, and the next start finishes the mission', async () => {
  const system = await launch();
  const gate = await makeGate(join(system.home, 'gate'));
  const repository = makeRepository(join(system.home, 'repositories'), { ...calculator, 'test/gate.test.js': gate.source });
  const mission = await system.api().post<MissionDetail>('/mission-control/missions',
    { ...missionBody(repository, [repository.diff(fixedAdd)]), execute: true });
  await gate.begun(1);
  system.child.kill('SIGINT');
  expect(await system.ended).toBe(0);
  await gate.open();
  const again = await start(system.home);
  expect(await missionEnd(again, mission.mission_id)).toMatchObject({ status: 'resolved', outcome: 'landed' });
  expect(repository.log()).toHaveLength(2);
});

test('a taken port is an error that names who has it, and nothing is left behind', async () => {
  const holder = createServer();
  await new Promise<void>((resolve) => { holder.listen(0, '127.0.0.1', resolve); });
  const { port } = holder.address() as { port: number };
  const refused = spawnLauncher(temporaryFolder(), [], { MISSION_CONTROL_PORT: String(port) });
  expect(await refused.ended).toBe(1);
  expect(refused.output.join('\n')).toContain(`port ${port} on 127.0.0.1 is taken by`);
  expect(refused.output.join('\n')).toContain(`(pid ${process.pid})`);
  holder.close();
  expect(existsSync(join(refused.home, 'postgres'))).toBe(false);
  await rm(refused.home, { recursive: true, force: true });
});

test('DATABASE_URL and TEMPORAL_ADDRESS are used and nothing is started for them', async () => {
  const provider = await start();
  const db = await copyDatabase();
  const home = temporaryFolder();
  await mkdir(home, { recursive: true });
  const system = await start(home, [], {
    DATABASE_URL: db.url, TEMPORAL_ADDRESS: provider.run().temporal_address, TEMPORAL_NAMESPACE: provider.run().temporal_namespace,
  });
  expect(system.run().pids).toMatchObject({ postgres: null, temporal: null });
  expect(system.run()).toMatchObject({ temporal_address: provider.run().temporal_address, temporal_namespace: provider.run().temporal_namespace });
  expect(provider.run().temporal_namespace).toMatch(/^mission-control-[0-9a-f]{8}$/);
  expect(readFileSync(system.run().database_url_file, 'utf8').trim()).toBe(db.url);
  expect(existsSync(join(home, 'postgres'))).toBe(false);
  await stopLaunched(started.pop()!);
  await db.drop();
});

test('a child that dies comes back on its port', async () => {
  const system = await start();
  const url = system.run().api_url;
  const before = identities(system);
  await killHard(before.api);
  await eventually(async () => (await answers(`${url}/health/ready`)) === 200);
  expect(identities(system).api.pid).not.toBe(before.api.pid);
  expect(system.run().api_url).toBe(url);
});
