import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { restartService } from '../../src/workflows/playbooks/restart-service.ts';
import type { Planned } from '../support/playbook-bench.ts';
import { isAlive, whenGone } from '../support/processes.ts';
import { openServiceBench, type ServiceBench } from '../support/service.ts';

let bench: ServiceBench;
afterEach(() => bench.close());
const context = () => bench.context(restartService, 'web', 'service_down');
const plan = async () => bench.plan(restartService, await context());
async function killHard(id: string): Promise<void> {
  const pid = bench.pidOf(id);
  process.kill(pid, 'SIGKILL');
  await whenGone(pid);
}

test('an instance was killed: it is started again, the other one is not touched', async () => {
  bench = await openServiceBench();
  await bench.start();
  const [web1, web2] = [bench.identityOf('web1'), bench.identityOf('web2')];
  await killHard('web1');
  const at = await context();
  const planned = await bench.plan(restartService, at) as Planned;
  expect(planned.steps).toMatchObject([{ id: 'start-web1', action: 'service.start', with: { service: 'web', instance: 'web1' } }]);
  expect(await bench.execute(restartService, at, planned)).toEqual(['start-web1']);
  expect(await bench.verify(restartService, at, planned.facts)).toMatchObject({ symptom: { ok: true }, independent: { ok: true }, must_not_regress: { ok: true } });
  expect(bench.identityOf('web1')).not.toBe(web1);
  expect(bench.identityOf('web2')).toBe(web2);
});

test('one that runs and is not ready for longer than it may take is restarted', async () => {
  bench = await openServiceBench({ ready_timeout_seconds: 2 });
  await bench.start();
  await bench.post('web1', '/drain', {});
  while ((await bench.probe('web', 'service.status', { service: 'web' }) as { instances: { uptime_seconds: number }[] }).instances[0]!.uptime_seconds <= 2) await pause(100);
  const at = await context();
  const planned = await bench.plan(restartService, at) as Planned;
  expect(planned.steps).toMatchObject([{ id: 'restart-web1', with: { identity: bench.identityOf('web1') } }]);
  await bench.execute(restartService, at, planned);
  expect(await bench.verify(restartService, at, planned.facts)).toMatchObject({ symptom: { ok: true }, independent: { ok: true } });
});

test('nothing is down: healthy', async () => {
  bench = await openServiceBench();
  await bench.start();
  const declined = await plan();
  expect(declined).toMatchObject({ decline: 'healthy', code: 'ALL_READY' });
  expect(JSON.stringify(declined)).not.toContain(bench.script);
});

test('what does not stay up is not started for ever', async () => {
  bench = await openServiceBench({ min_healthy: 0 });
  await bench.start();
  for (let n = 0; n < 4; n += 1) {
    await killHard('web1');
    const at = await context();
    await bench.execute(restartService, at, await bench.plan(restartService, at) as Planned);
  }
  await killHard('web1');
  const at = await context();
  expect(await bench.plan(restartService, at)).toMatchObject({ decline: 'refused', code: 'RESTART_BUDGET' });
  // A start that was planned before is refused all the same.
  await expect(bench.act('web', 'service.start', { service: 'web', instance: 'web1' })).rejects.toMatchObject({ type: 'RESTART_BUDGET' });
  expect(bench.processesOf('web1')).toEqual([]);
});

test('a pid file that names somebody else: refused, and that process lives on', async () => {
  bench = await openServiceBench();
  const stranger = spawn('sleep', ['300'], { stdio: 'ignore' });
  try {
    writeFileSync(bench.pidFile('web1'), String(stranger.pid));
    expect(await plan()).toMatchObject({ decline: 'refused', code: 'FOREIGN_PROCESS' });
    expect(isAlive(stranger.pid!)).toBe(true);
  } finally {
    stranger.kill('SIGKILL');
  }
});

test('it ends again right after: ready once is not enough', async () => {
  bench = await openServiceBench();
  await bench.start();
  await killHard('web1');
  const at = await context();
  const planned = await bench.plan(restartService, at) as Planned;
  await bench.execute(restartService, at, planned);
  const sleep = async (ms: number): Promise<void> => { await killHard('web1'); await bench.act('web', 'service.start', { service: 'web', instance: 'web1' }); await pause(ms / 10); };
  expect(await restartService.verify.independent({ ...at, sleep, facts: planned.facts })).toMatchObject({ ok: false });
});

test('errors that got worse are said, from the metric that the service declares', async () => {
  bench = await openServiceBench();
  const { configFolder } = bench.deps.config;
  writeFileSync(join(configFolder, 'metrics_catalog.yaml'), stringify({ metrics: { 'web.errors': {
    source: { kind: 'http_json', url: `http://127.0.0.1:${bench.portOf('web2')}/errors`, pointer: '/rate' }, comparator: '<', target: 1, unit: '1/s',
  } } }));
  const [web1, web2, web3] = bench.declared;
  const configure = (rate: string) => bench.configure({ web: {
    ...bench.declaration, error_metric: 'web.errors', manager: { kind: 'process', instances: [web1, { ...web2, env: { ...web2!.env, ERROR_RATE: rate } }, web3] },
  } });
  await configure('0');
  await bench.start();
  await killHard('web1');
  const at = await context();
  const planned = await bench.plan(restartService, at) as Planned;
  expect(planned.facts).toMatchObject({ errors: { value: 0, met: true } });
  await bench.execute(restartService, at, planned);
  expect(await restartService.verify.must_not_regress({ ...at, facts: planned.facts })).toMatchObject({ ok: true });
  await configure('7');
  await bench.act('web', 'service.restart', { service: 'web', instance: 'web2' });
  expect(await restartService.verify.must_not_regress({ ...at, facts: planned.facts })).toMatchObject({ ok: false, measured: { errors: { value: 7 } } });
  await bench.act('web', 'service.stop', { service: 'web', instance: 'web2' });
  expect(await restartService.verify.must_not_regress({ ...at, facts: planned.facts })).toMatchObject({ ok: false, measured: { errors: { value: null } } });
});

test.each<[string, string, object, object]>([
  ['a silent service behind hooks', 'http', { state: 'unknown' }, { stuck: [{ instance: null, identity: null, uptime_seconds: null }] }],
  ['containers that are not all well', 'docker_compose', { state: 'running', identity: 'c0ffee@T1' }, { stuck: [{ identity: 'c0ffee@T1' }] }],
  ['a unit that is down', 'systemd', { state: 'stopped' }, { down: [null], stuck: [] }],
  ['a unit of an unknown state', 'systemd', { state: 'unknown' }, { decline: 'refused', code: 'STATE_UNKNOWN' }],
])('%s', async (_, manager, seen, expected) => {
  bench = await openServiceBench();
  const status = { instance: null, spare: false, identity: null, pid: null, uptime_seconds: null, ready: false, rss_bytes: null, argv: [], restarts: 0, reason: null, ...seen };
  const probe = async (name: string): Promise<unknown> => (name === 'service.status' ? { manager, min_healthy: 0, instances: [status] } : null);
  expect(await restartService.plan({ ...await context(), probe: probe as never })).toMatchObject(expected);
});
