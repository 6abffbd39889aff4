import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { stalePidFile } from './stale-pid-file.ts';
import { openPlaybookBench, type Planned, type PlaybookBench } from '../../tests/support/playbook-bench.ts';

let bench: PlaybookBench;
let pidFile: string;

beforeAll(async () => {
  bench = await openPlaybookBench({
    web: { kind: 'service', manager: { kind: 'process', instances: [{ id: 'web1', pid_file: '/nowhere/web1.pid', argv: ['true'], cwd: '/' }] } },
  });
});
afterAll(() => bench.close());
beforeEach(() => { pidFile = join(bench.home, `${Math.random().toString(36).slice(2)}.pid`); });

const open = () => bench.context(stalePidFile, 'web', 'stale_pid_file', { pid_file: pidFile });
const deadPid = (): number => spawnSync('true').pid;

test('break, heal, verify', async () => {
  const dead = deadPid();
  writeFileSync(pidFile, `${dead}\n`);
  const context = await open();
  const plan = await bench.plan(stalePidFile, context) as Planned;
  expect(await bench.execute(stalePidFile, context, plan)).toEqual(['move_aside']);
  const checks = await bench.verify(stalePidFile, context, plan.facts);
  expect(Object.values(checks).map((check) => check.ok), JSON.stringify(checks)).toEqual([true, true, true]);
  expect(existsSync(pidFile)).toBe(false);
  expect(readFileSync(`${pidFile}.stale-${dead}`, 'utf8')).toBe(`${dead}\n`);
});

test('the service has started since: its new pid file is a good one', async () => {
  writeFileSync(pidFile, String(deadPid()));
  const context = await open();
  const plan = await bench.plan(stalePidFile, context) as Planned;
  await bench.execute(stalePidFile, context, plan);
  writeFileSync(pidFile, String(process.pid));
  expect((await bench.verify(stalePidFile, context, plan.facts)).symptom).toMatchObject({ ok: true });
});

test('what is not broken is left alone', async () => {
  expect(await bench.plan(stalePidFile, await open())).toMatchObject({ decline: 'healthy', code: 'PID_FILE_GONE' });
});

test('must refuse: the pid is alive', async () => {
  writeFileSync(pidFile, String(process.pid));
  expect(await bench.plan(stalePidFile, await open())).toMatchObject({ decline: 'refused', code: 'PID_ALIVE' });
  expect(existsSync(pidFile)).toBe(true);
});

test('must refuse: it is no pid file', async () => {
  for (const text of ['', 'listen 80;\n', '0', '-1', '12 13', '9'.repeat(20)]) {
    writeFileSync(pidFile, text);
    expect(await bench.plan(stalePidFile, await open()), text).toMatchObject({ decline: 'refused', code: 'NO_PID_FILE' });
  }
});

test('must refuse: a folder, a link', async () => {
  mkdirSync(pidFile);
  expect(await bench.plan(stalePidFile, await open())).toMatchObject({ decline: 'refused', code: 'NO_PID_FILE' });
  pidFile += '.link';
  writeFileSync(`${pidFile}.target`, String(deadPid()));
  symlinkSync(`${pidFile}.target`, pidFile);
  expect(await bench.plan(stalePidFile, await open())).toMatchObject({ decline: 'refused', code: 'NO_PID_FILE' });
});

test('must refuse: the service started between plan and step', async () => {
  writeFileSync(pidFile, String(deadPid()));
  const context = await open();
  const plan = await bench.plan(stalePidFile, context) as Planned;
  writeFileSync(pidFile, String(process.pid));
  await expect(bench.execute(stalePidFile, context, plan)).rejects.toThrow('exit code 3');
  expect(readFileSync(pidFile, 'utf8')).toBe(String(process.pid));
});

test('must refuse: the same pid is alive by the time of the step', async () => {
  const dead = String(deadPid());
  writeFileSync(pidFile, dead);
  const { steps: [move] } = await bench.plan(stalePidFile, await open()) as Planned;
  const alive = String(process.pid);
  writeFileSync(pidFile, alive);
  const argv = (move!.with['argv'] as string[]).map((word) => (word === dead ? alive : word));
  await expect(bench.act('web', move!.action, { ...move!.with, argv })).rejects.toThrow('exit code 3');
  expect(existsSync(pidFile)).toBe(true);
});

test('a second try of the same step finds it done', async () => {
  writeFileSync(pidFile, String(deadPid()));
  const { steps: [move] } = await bench.plan(stalePidFile, await open()) as Planned;
  await bench.act('web', move!.action, move!.with, 'twice');
  await bench.act('web', move!.action, move!.with, 'twice');
  await bench.act('web', move!.action, move!.with, 'as after a death in the middle');
  expect(existsSync(pidFile)).toBe(false);
});
