/**
 * systemd and Docker have no daemon where tests run: programs that speak their command line stand in for `systemctl` and
 * `docker`, and note every call. What real daemons do with these calls is not tested here.
 */
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import type { Json } from '../../src/domain/healing.ts';
import { once } from '../../src/store/effects.ts';
import { openPlaybookBench, type PlaybookBench } from '../support/playbook-bench.ts';
import { temporaryFolder } from '../support/repository.ts';

const folder = temporaryFolder();
const state = join(folder, 'state.json');
const calls = join(folder, 'calls');
const path = process.env['PATH'];
let bench: PlaybookBench;
let hook: Server;
/** `late`: how often it still answers as the old one after a restart. */
let hooked: { identity: string; posted: unknown[]; late: number };

/** \`state.json\`: is it running, and how often was it started. */
const program = `#!${process.execPath}
const fs = require('node:fs');
const name = require('node:path').basename(process.argv[1]);
const args = process.argv.slice(2);
fs.appendFileSync(${JSON.stringify(calls)}, JSON.stringify([name, ...args]) + '\\n');
const state = JSON.parse(fs.readFileSync(${JSON.stringify(state)}));
const verb = ['start', 'stop', 'restart'].find((one) => args.includes(one));
if (state.broken) process.exit(4);
if (verb) {
  state.running = verb !== 'stop';
  if (verb === 'restart' || verb === 'start') state.starts += 1;
  fs.writeFileSync(${JSON.stringify(state)}, JSON.stringify(state));
} else if (name === 'systemctl') {
  console.log(['LoadState=' + (state.load ?? 'loaded'), 'ActiveState=' + (state.running ? 'active' : 'inactive'), 'MainPID=' + (state.running ? ${process.pid} : 0), 'InvocationID=' + 'abc' + state.starts].join('\\n'));
} else if (args.includes('ps')) console.log('c0ffee\\ndecade');
else for (const id of args.slice(args.indexOf('{{json .State}}') + 1)) console.log(JSON.stringify({ Running: state.running, Pid: 7, StartedAt: 'T' + state.starts, ...(state.health ? { Health: { Status: state.health } } : {}) }));
`;

const services = (port: number): Record<string, unknown> => Object.fromEntries(Object.entries({
  unit: { kind: 'systemd', unit: 'shop.service' },
  boxes: { kind: 'docker_compose', file: '/srv/shop/compose.yml', service: 'web' },
  hooked: { kind: 'http', restart_url: `http://127.0.0.1:${port}/restart`, status_url: `http://127.0.0.1:${port}/status` },
}).map(([id, manager]) => [id, { kind: 'service', manager, stop_timeout_seconds: 3, ready_timeout_seconds: 5 }]));

beforeAll(async () => {
  const bin = join(folder, 'bin');
  mkdirSync(bin);
  for (const name of ['systemctl', 'docker']) {
    writeFileSync(join(bin, name), program);
    chmodSync(join(bin, name), 0o755);
  }
  process.env['PATH'] = `${bin}:${path}`;
  hook = createServer((request, response) => {
    if (request.method === 'GET') {
      const old = hooked.posted.length > 0 && hooked.late > 0;
      if (old) hooked.late -= 1;
      return response.end(JSON.stringify({ identity: old ? 'run-0' : hooked.identity }));
    }
    let text = '';
    request.on('data', (chunk: Buffer) => { text += chunk.toString(); });
    request.on('end', () => {
      hooked = { identity: `run-${hooked.posted.length + 1}`, posted: [...hooked.posted, JSON.parse(text)], late: hooked.late };
      response.end();
    });
  });
  await new Promise<void>((resolve) => { hook.listen(0, '127.0.0.1', resolve); });
  const { port } = hook.address() as { port: number };
  bench = await openPlaybookBench(services(port));
  writeFileSync(join(bench.deps.config.configFolder, 'policy.yaml'), stringify({
    approvals: { required: 1, severities: [], on_protected_paths: true, on_vanished_tests: true, deadline_minutes: 10 },
    protected_paths: [], scan: { block_at: 'error' }, landing: { carry_approval: true }, observation: { allow_unobserved: true }, egress: { allow: [`127.0.0.1:${port}`] },
  }));
});
afterAll(async () => {
  process.env['PATH'] = path;
  hook.close();
  await bench.close();
});
beforeEach(async () => {
  set({ running: true, starts: 1 });
  writeFileSync(calls, '');
  hooked = { identity: 'run-0', posted: [], late: 0 };
  await bench.db.database.query('DELETE FROM restarts');
});

const set = (to: object): void => writeFileSync(state, JSON.stringify(to));
const called = (): string[][] => readFileSync(calls, 'utf8').trim().split('\n').filter(Boolean).map((line) => JSON.parse(line) as string[]);
const commands = (): string[][] => called().filter((call) => call.some((word) => ['start', 'stop', 'restart'].includes(word)));
const act = (service: string, verb: string, more: Record<string, Json> = {}, key?: string) => bench.act(service, `service.${verb}`, { service, ...more }, key);

test('systemd: the unit is named after the end of the options, and its new invocation is what is waited for', async () => {
  expect(await act('unit', 'restart', { identity: 'abc1' })).toEqual({ instance: null, was: 'abc1', identity: 'abc2', drained: null, killed: null });
  expect(commands()).toEqual([['systemctl', '--no-ask-password', '--no-pager', 'restart', '--', 'shop.service']]);
  await act('unit', 'stop');
  await act('unit', 'stop');
  await act('unit', 'start');
  expect(commands().slice(1).map((call) => call[3])).toEqual(['stop', 'start']);
});

test('Docker Compose: file, deadline and service as arguments; every container must be another one since', async () => {
  expect(await act('boxes', 'restart')).toMatchObject({ was: 'c0ffee@T1 decade@T1', identity: 'c0ffee@T2 decade@T2' });
  expect(commands()).toEqual([['docker', 'compose', '-f', '/srv/shop/compose.yml', 'restart', '--timeout', '3', 'web']]);
  expect(called()).toContainEqual(['docker', 'inspect', '--format', '{{json .State}}', 'c0ffee', 'decade']);
});

test('hooks: the key of the effect goes with the request, so that the other side can tell a second try', async () => {
  hooked.late = 2;
  expect(await act('hooked', 'restart', {}, 'k1')).toMatchObject({ was: 'run-0', identity: 'run-1' });
  expect(hooked.posted).toEqual([{ key: 'k1' }]);
  await expect(act('hooked', 'stop')).rejects.toMatchObject({ type: 'NOT_SUPPORTED' });
});

test.each(['unit', 'boxes', 'hooked'])('%s: a worker killed after the restart does not restart a second time', async (service) => {
  const { instances } = await bench.probe(service, 'service.status', { service }) as { instances: { identity: string }[] };
  await once(bench.db.database.query, `${service}-k:before`, async () => ({ before: { identity: instances[0]!.identity } }));
  set({ running: true, starts: 2 });
  hooked.identity = 'run-1';
  expect(await act(service, 'restart', { identity: instances[0]!.identity }, `${service}-k`)).toMatchObject({ was: instances[0]!.identity });
  expect([...commands(), ...hooked.posted]).toEqual([]);
});

test.each<[string, object, string, object]>([
  ['a unit that is not there', { running: true, starts: 1, load: 'not-found' }, 'unit', { state: 'unknown', ready: false }],
  ['a unit that is down', { running: false, starts: 1 }, 'unit', { state: 'stopped', ready: false, pid: null }],
  ['containers that are not well', { running: true, starts: 1, health: 'unhealthy' }, 'boxes', { state: 'running', ready: false }],
  ['containers that are down', { running: false, starts: 1 }, 'boxes', { state: 'stopped', ready: false }],
])('%s', async (_, to, service, expected) => {
  set(to);
  expect(await bench.probe(service, 'service.status', { service })).toMatchObject({ instances: [expected] });
});

test('a manager that fails is a failure with its exit code; another invocation than planned with is drift', async () => {
  await expect(act('unit', 'restart', { identity: 'abc0' })).rejects.toMatchObject({ type: 'PLAN_DRIFT' });
  set({ broken: true });
  await expect(act('unit', 'restart')).rejects.toMatchObject({ type: 'MANAGER_FAILED', message: expect.stringContaining('exit code 4') as string });
  expect(commands()).toEqual([]);
});

test('a service that is restarted as a whole cannot keep anybody ready', async () => {
  const { port } = hook.address() as { port: number };
  const unit = { ...(services(port)['unit'] as object), min_healthy: 1 };
  await bench.configure({ ...services(port), unit });
  await expect(act('unit', 'restart')).rejects.toMatchObject({ type: 'MIN_HEALTHY' });
  await bench.configure(services(port));
});

test('the budget holds for these, too', async () => {
  for (let n = 1; n <= 5; n += 1) await act('unit', 'restart', {}, `n${n}`);
  await expect(act('unit', 'restart', {}, 'n6')).rejects.toMatchObject({ type: 'RESTART_BUDGET' });
  expect(commands()).toHaveLength(5);
});
