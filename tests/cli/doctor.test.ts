import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { MissionDetail } from '../../src/domain/mission-view.ts';
import { identities, killHard, launch, makeGate, missionEnd, restarted, stopLaunched, type Launched } from '../support/launched.ts';
import { calculator, fixedAdd, makeRepository, temporaryFolder } from '../support/repository.ts';
import { missionBody } from '../support/system.ts';
import { startTool, tool } from './tool.ts';

interface Check { name: string; state: string; detail: string; todo: string | null }
const examine = async (home: string, env: Record<string, string> = {}): Promise<{ code: number | null; of: (name: string) => Check | undefined; checks: Check[] }> => {
  const { code, out } = await tool(['doctor', '--json'], { home, env });
  const { checks } = JSON.parse(out) as { checks: Check[] };
  return { code, checks, of: (name) => checks.find((check) => check.name === name) };
};

let running: Launched;
beforeAll(async () => { running = await launch(); }, 120_000);
afterAll(() => stopLaunched(running));

test('with nothing running, doctor says what a start would use and exits 0', async () => {
  const { code, of, checks } = await examine(join(temporaryFolder(), 'later'), { MISSION_CONTROL_PORT: '0' });
  expect(code).toBe(0);
  for (const name of ['node', 'git', 'data directory', 'disk', 'ports', 'clock']) expect(of(name)?.state, name).toBe('ok');
  expect(of('sandbox')).toMatchObject({ detail: expect.stringMatching(/^level (bwrap|unshare|prlimit|plain); (no )?control groups/) as string });
  expect(of('postgresql')?.detail).toContain('PostgreSQL) 18');
  expect(of('temporal')?.detail).toMatch(/server 1\.\d+\.\d+ found (on PATH|in our cache), \//);
  for (const name of ['launcher', 'api', 'worker']) expect(of(name)).toMatchObject({ state: 'warn', todo: 'missionctl start' });
  // What is not well says what to do.
  for (const { state, todo, name } of checks) expect(state === 'ok' || todo !== null, name).toBe(true);
});

test('with a running system, every part answers and is measured', async () => {
  const { code, of } = await examine(running.home);
  expect(code).toBe(0);
  for (const name of ['data directory', 'launcher', 'postgresql', 'temporal', 'clock', 'api', 'worker']) expect(of(name)?.state, `${name}: ${of(name)?.detail}`).toBe('ok');
  expect(of('clock')?.detail).toMatch(/PostgreSQL -?\d+\.\d s apart, Temporal -?\d+\.\d s apart/);
  expect(of('temporal')?.detail).toContain(running.run().temporal_address);
  const words = await tool(['doctor'], { home: running.home });
  expect(words).toMatchObject({ code: 0, out: expect.stringMatching(/^ok +api +http.* is ready/m) as string });
});

test('what is wrong fails, says what to do, and the exit is 1', async () => {
  const open = temporaryFolder();
  chmodSync(open, 0o755);
  const permissions = await examine(open);
  expect(permissions).toMatchObject({ code: 1 });
  expect(permissions.of('data directory')).toMatchObject({ state: 'fail', todo: `chmod go-rwx ${open}` });

  const killed = temporaryFolder();
  mkdirSync(join(killed, 'logs'));
  writeFileSync(join(killed, 'database.url'), 'postgresql://nobody:hidden@127.0.0.1:1/none\n', { mode: 0o600 });
  writeFileSync(join(killed, 'run.json'), JSON.stringify({
    api_url: 'http://127.0.0.1:1', temporal_address: '127.0.0.1:1', temporal_ui_url: null, database_url_file: join(killed, 'database.url'), pids: { launcher: 2 ** 22 },
  }), { mode: 0o600 });
  const dead = await examine(killed);
  expect(dead.code).toBe(1);
  for (const name of ['launcher', 'postgresql', 'temporal', 'api']) expect(dead.of(name)).toMatchObject({ state: 'fail', todo: expect.any(String) as string });
  expect(JSON.stringify(dead.checks)).not.toContain('hidden');

  const port = new URL(running.run().api_url).port;
  const taken = await examine(temporaryFolder(), { MISSION_CONTROL_PORT: port });
  expect(taken.of('ports')).toMatchObject({ state: 'fail', detail: expect.stringContaining(port) as string });
  expect((await examine(temporaryFolder(), { MISSION_CONTROL_PORT: 'http' })).of('environment')).toMatchObject({ state: 'fail', detail: expect.stringContaining('MISSION_CONTROL_PORT') as string });
});

test('whoever watches a mission outlives the api: killed and back, the watch goes on to the end', async () => {
  const gate = await makeGate(join(running.home, 'gate'));
  const repository = makeRepository(join(running.home, 'repositories'), { ...calculator, 'test/gate.test.js': gate.source });
  const { mission_id } = await running.api().post<MissionDetail>('/mission-control/missions', { ...missionBody(repository, [repository.diff(fixedAdd)]), execute: true });
  const watch = startTool(['mission', 'watch', mission_id], { home: running.home });
  await Promise.all([watch.line(/running +run_tests/), gate.begun(1)]);
  const before = identities(running).api;
  await killHard(before);
  await restarted(running, 'api', before);
  await gate.open();
  expect(await missionEnd(running, mission_id)).toMatchObject({ status: 'resolved' });
  expect(await watch.ended).toMatchObject({
    code: 0, out: expect.stringContaining('is resolved (landed)') as string, err: expect.stringMatching(/does not answer.*still asking/) as string,
  });
});

test('a second missionctl start on the same data directory says so and touches nothing', async () => {
  const second = await startTool(['start'], { home: running.home }).ended;
  expect(second).toMatchObject({ code: 1, err: expect.stringContaining('running already') as string });
  expect((await tool(['status'], { home: running.home })).code).toBe(0);
});
