import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { projectRoot } from '../../src/project.ts';
import { startedAt } from '../../src/processes.mjs';
import { firstLine, isAlive, whenGone } from '../support/processes.ts';
import { openServiceBench, type ServiceBench } from '../support/service.ts';

let bench: ServiceBench;
let children: ChildProcess[];
beforeEach(async () => { children = []; bench = await openServiceBench({ min_healthy: 0, ready_timeout_seconds: 10 }); });
afterEach(async () => {
  for (const child of children) child.kill('SIGKILL');
  await bench.close();
});

/** A living process that is not the service. */
async function stranger(argv = ['sleep', '300'], cwd = bench.folder, env = {}): Promise<number> {
  const child = spawn(argv[0]!, argv.slice(1), { cwd, stdio: 'ignore', env: { PATH: process.env['PATH'], ...env } });
  children.push(child);
  await once(child, 'spawn');
  return child.pid!;
}
const stop = (instance: string | null) => bench.act('web', 'service.stop', { service: 'web', instance });
const startOne = (instance: string) => bench.act('web', 'service.start', { service: 'web', instance });

test('a pid file that names a foreign process: nothing is signalled, nothing is started beside it', async () => {
  const pid = await stranger();
  writeFileSync(bench.pidFile('web1'), `${pid}\n`);
  for (const attempt of [
    () => stop('web1'), () => stop(null), () => startOne('web1'), () => bench.act('web', 'service.restart', { service: 'web', instance: 'web1' }),
  ]) await expect(attempt()).rejects.toMatchObject({ type: 'FOREIGN_PROCESS' });
  expect(isAlive(pid)).toBe(true);
  expect(bench.processesOf('web1')).toEqual([]);
  expect(await bench.probe('web', 'service.status', { service: 'web' })).toMatchObject({ instances: [{ instance: 'web1', state: 'foreign', ready: false }, {}, {}] });
});

test('another process of the same program in another folder is foreign, too', async () => {
  const pid = await stranger([process.execPath, bench.script], bench.folder, { PORT: '0' });
  writeFileSync(bench.pidFile('web1'), `${pid}\n`);
  await expect(stop('web1')).rejects.toMatchObject({ type: 'FOREIGN_PROCESS' });
  expect(isAlive(pid)).toBe(true);
});

test('a process of another instance of the same service is foreign', async () => {
  await startOne('web2');
  const pid = bench.pidOf('web2');
  writeFileSync(bench.pidFile('web1'), `${pid}\n`);
  await expect(stop('web1')).rejects.toMatchObject({ type: 'FOREIGN_PROCESS' });
  expect(isAlive(pid)).toBe(true);
});

test('a number that was given to somebody else after the instance died: it is down, and the other one is left alone', async () => {
  const pid = await stranger();
  writeFileSync(bench.pidFile('web1'), `${pid}\n`);
  utimesSync(bench.pidFile('web1'), 1_000, 1_000);
  expect(await stop('web1')).toEqual({ stopped: [] });
  await startOne('web1');
  expect(isAlive(pid)).toBe(true);
  expect(bench.pidOf('web1')).not.toBe(pid);
  await stop('web1');
  expect(isAlive(pid)).toBe(true);
});

test('what somebody else started with the declared command in the declared folder is the instance', async () => {
  const { argv, cwd, env } = bench.declared[0]!;
  const pid = await stranger(argv, cwd, env);
  writeFileSync(bench.pidFile('web1'), `${pid}\n`);
  expect(await bench.act('web', 'service.start', { service: 'web', instance: 'web1' })).toEqual({ instances: [{ instance: 'web1', identity: `${pid}@${startedAt(pid)}` }] });
  expect(await stop('web1')).toMatchObject({ stopped: [{ instance: 'web1', drained: true, killed: false }] });
  await whenGone(pid);
});

test.each(['', 'abc', '-1', '0', '1.5', '9'.repeat(100), `${process.pid} ; rm`])('a pid file that holds %j is no process', async (text) => {
  writeFileSync(bench.pidFile('web1'), text);
  expect(await stop('web1')).toEqual({ stopped: [] });
});

test('a helper that outlives its instance is not the instance, and ends before the next one starts', async () => {
  await bench.close();
  const program = `require('node:child_process').spawn('sleep', ['300'], { stdio: 'ignore', detached: true }); setInterval(() => {}, 1000); console.log('up')`;
  bench = await openServiceBench({}, { web1: { argv: [process.execPath, '-e', program], ready_url: null, drain_url: null } });
  await startOne('web1');
  await firstLine(join(bench.home, 'services', 'shop.web.web1.log'));
  const first = bench.pidOf('web1');
  const [helper] = bench.processesOf('web1').filter((pid) => pid !== first);
  process.kill(first, 'SIGKILL');
  await whenGone(first);
  expect(await bench.probe('web', 'service.status', { service: 'web' })).toMatchObject({ instances: [{ instance: 'web1', state: 'stopped' }, {}, {}] });
  expect(isAlive(helper!)).toBe(true);
  await startOne('web1');
  expect(isAlive(helper!)).toBe(false);
  expect(bench.pidOf('web1')).not.toBe(first);
});

test('what the instance started ends with it', async () => {
  await bench.close();
  const family = `require('node:child_process').spawn('sleep', ['300'], { stdio: 'ignore' }); require('node:child_process').spawn('sleep', ['300'], { stdio: 'ignore', detached: true });`;
  bench = await openServiceBench({}, { web1: { argv: [process.execPath, '-e', `${family} setInterval(() => {}, 1000); console.log('up')`], ready_url: null, drain_url: null } });
  await startOne('web1');
  await firstLine(join(bench.home, 'services', 'shop.web.web1.log'));
  const all = bench.processesOf('web1');
  expect(all).toHaveLength(3);
  await stop('web1');
  expect(all.filter(isAlive)).toEqual([]);
});

test('secrets of ours do not reach it, and its log and pid file are where they should be', async () => {
  process.env['DATABASE_URL_OF_A_TEST'] = 'secret';
  try {
    await startOne('web1');
  } finally {
    delete process.env['DATABASE_URL_OF_A_TEST'];
  }
  const environment = readFileSync(`/proc/${bench.pidOf('web1')}/environ`, 'utf8');
  expect(environment).not.toContain('DATABASE_URL_OF_A_TEST');
  expect(environment).toContain(`PORT=${bench.portOf('web1')}\0`);
  const log = join(bench.home, 'services', 'shop.web.web1.log');
  expect(await firstLine(log)).toBe('listening');
  expect(statSync(log).mode & 0o777).toBe(0o600);
});

test('it does not start: said so, with the reason', async () => {
  await bench.close();
  bench = await openServiceBench({ ready_timeout_seconds: 1 }, {
    web1: { argv: ['/nowhere/server'] }, web2: { argv: [process.execPath, '-e', 'process.exit(1)'] }, web3: { env: { SLOW_MS: '60000' } },
  });
  await expect(startOne('web1')).rejects.toMatchObject({ type: 'START_FAILED', message: expect.stringContaining('ENOENT') as string });
  await expect(startOne('web2')).rejects.toMatchObject({ type: expect.stringMatching(/START_FAILED|NOT_READY/) as string });
  await expect(startOne('web3')).rejects.toMatchObject({ type: 'NOT_READY' });
});

test('an address that the policy forbids is said at once, not waited for', async () => {
  writeFileSync(join(bench.deps.config.configFolder, 'policy.yaml'), readFileSync(join(bench.deps.config.configFolder, 'policy.yaml'), 'utf8').replace(/allow:[^]*$/, 'allow: []\n'));
  await expect(startOne('web1')).rejects.toMatchObject({ type: 'URL_FORBIDDEN' });
});

test('the service outlives the worker that started it, killed with -9 and its whole group', async () => {
  const input = JSON.stringify({ instance: bench.declared[0], home: bench.home, config: bench.deps.config.configFolder });
  const program = `
    import { startInstance } from '${join(projectRoot, 'dist/activities/actions/service/starting.js')}';
    const { instance, home, config } = JSON.parse(process.argv[1]);
    const tools = { deps: { config: { home, configFolder: config } }, subsystem_id: 'shop', signal: new AbortController().signal };
    await startInstance({ id: 'web', resource: { manager: { kind: 'process', instances: [instance] }, ready_timeout_seconds: 20 }, tools }, { ...instance, inspector_port: null }, 'k');
    console.log('started');
    setInterval(() => {}, 1000);`;
  const worker = spawn(process.execPath, ['--input-type=module', '-e', program, input], { detached: true, stdio: ['ignore', 'pipe', 'inherit'] });
  children.push(worker);
  await once(worker.stdout, 'data');
  process.kill(-worker.pid!, 'SIGKILL');
  await once(worker, 'exit');
  expect(await bench.get('web1', '/pid')).toBe(String(bench.pidOf('web1')));
  // Without its pid file it is found again by its mark.
  rmSync(bench.pidFile('web1'));
  const [pid] = bench.processesOf('web1');
  await startOne('web1');
  expect(bench.processesOf('web1')).toEqual([pid]);
  expect(bench.pidOf('web1')).toBe(pid);
});
