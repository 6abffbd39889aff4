import { rm } from 'node:fs/promises';
import { afterEach, expect, test } from 'vitest';
import { once } from '../../src/store/effects.ts';
import { isAlive } from '../support/processes.ts';
import { openServiceBench, type ServiceBench } from '../support/service.ts';

let bench: ServiceBench;
afterEach(() => bench.close());

const restart = (instance: string, key?: string, more: Record<string, string> = {}) =>
  bench.act('web', 'service.restart', { service: 'web', instance, ...more }, key);

test('what is started answers, outlives us in a session of its own, and is named by its pid file', async () => {
  bench = await openServiceBench();
  await bench.start();
  expect(await bench.get('web1', '/pid')).toBe(String(bench.pidOf('web1')));
  expect(await bench.get('web2', '/pid')).toBe(String(bench.pidOf('web2')));
  expect(bench.processesOf('web3')).toEqual([]);
  const status = await bench.act('web', 'service.start', { service: 'web' }) as { instances: { identity: string }[] };
  expect(status.instances.map((one) => one.identity)).toEqual([bench.identityOf('web1'), bench.identityOf('web2')]);
});

test('a restart gives another process that is ready, drained first', async () => {
  bench = await openServiceBench();
  await bench.start();
  const was = bench.identityOf('web1');
  const other = bench.identityOf('web2');
  expect(await restart('web1', 'r1', { identity: was })).toEqual({ instance: 'web1', was, identity: bench.identityOf('web1'), drained: true, killed: false });
  expect(bench.identityOf('web1')).not.toBe(was);
  expect(bench.identityOf('web2')).toBe(other);
});

test('the same key a second time restarts nothing', async () => {
  bench = await openServiceBench();
  await bench.start();
  const first = await restart('web1', 'same');
  const identity = bench.identityOf('web1');
  expect(await restart('web1', 'same')).toEqual(first);
  expect(bench.identityOf('web1')).toBe(identity);
});

test('one that ignores SIGTERM is killed at its deadline', async () => {
  bench = await openServiceBench({ stop_timeout_seconds: 0.3 }, { web1: { env: { STUBBORN: 'yes' } } });
  await bench.start();
  const pid = bench.pidOf('web1');
  expect(await restart('web1')).toMatchObject({ killed: true });
  expect(isAlive(pid)).toBe(false);
});

test('it does not return before the new one is ready', async () => {
  bench = await openServiceBench({}, { web1: { env: { SLOW_MS: '700' } } });
  await bench.start();
  await restart('web1');
  const answer = await fetch(`http://127.0.0.1:${bench.portOf('web1')}/ready`);
  expect(answer.status).toBe(200);
});

test('too few others ready: refused, and nothing is touched', async () => {
  bench = await openServiceBench({ min_healthy: 1 });
  await bench.act('web', 'service.start', { service: 'web', instance: 'web1' });
  const was = bench.identityOf('web1');
  await expect(restart('web1')).rejects.toMatchObject({ type: 'MIN_HEALTHY' });
  expect(bench.identityOf('web1')).toBe(was);
});

test('another process than planned with is drift', async () => {
  bench = await openServiceBench();
  await bench.start();
  const was = bench.identityOf('web1');
  await expect(restart('web1', 'r1', { identity: `${bench.pidOf('web1')}@1` })).rejects.toMatchObject({ type: 'PLAN_DRIFT' });
  expect(bench.identityOf('web1')).toBe(was);
});

test('the sixth restart within ten minutes is refused, whatever asked for the others', async () => {
  bench = await openServiceBench({ min_healthy: 0 });
  await bench.start();
  await bench.act('web', 'service.stop', { service: 'web', instance: 'web1' }, 'counted');
  await bench.act('web', 'service.start', { service: 'web', instance: 'web1' });
  for (const n of [1, 2, 3]) await restart('web1', `r${n}`);
  // A second try is the same restart.
  await restart('web1', 'r3');
  const was = bench.identityOf('web1');
  await expect(restart('web1', 'r4')).rejects.toMatchObject({ type: 'RESTART_BUDGET', nonRetryable: true });
  await expect(bench.act('web', 'service.stop', { service: 'web' })).rejects.toMatchObject({ type: 'RESTART_BUDGET' });
  expect(bench.identityOf('web1')).toBe(was);
  expect(bench.processesOf('web2')).toHaveLength(1);
  await bench.db.database.query(`UPDATE restarts SET at = at - interval '11 minutes'`);
  await restart('web1', 'r5');
});

test('a worker killed between noting and acting: the second try does it, once', async () => {
  bench = await openServiceBench();
  await bench.start();
  const was = bench.identityOf('web1');
  await once(bench.db.database.query, 'k:before', async () => ({ before: { identity: was } }));
  expect(await restart('web1', 'k', { identity: was })).toMatchObject({ was });
  expect(bench.identityOf('web1')).not.toBe(was);
});

test('a worker killed after stopping: the second try only starts', async () => {
  bench = await openServiceBench();
  await bench.start();
  const was = bench.identityOf('web1');
  await once(bench.db.database.query, 'k:before', async () => ({ before: { identity: was } }));
  await bench.act('web', 'service.stop', { service: 'web', instance: 'web1' });
  expect(await restart('web1', 'k', { identity: was })).toEqual({ instance: 'web1', was, identity: bench.identityOf('web1'), drained: null, killed: null });
});

test('a worker killed after starting: the second try finds the new process and leaves it alone, even without a pid file', async () => {
  bench = await openServiceBench();
  await bench.start();
  const was = bench.identityOf('web1');
  await restart('web1', 'k', { identity: was });
  const now = bench.identityOf('web1');
  await bench.db.database.query(`DELETE FROM effects WHERE key = 'k:result'`);
  await rm(bench.pidFile('web1'));
  expect(await restart('web1', 'k', { identity: was })).toMatchObject({ was, identity: now });
  expect(bench.processesOf('web1')).toEqual([Number(now.split('@')[0])]);
  expect(bench.identityOf('web1')).toBe(now);
});
