import { readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { freePort } from '../../src/cli/launcher/ports.ts';
import { once } from '../../src/store/effects.ts';
import { isAlive } from '../support/processes.ts';
import { openServiceBench, type ServiceBench } from '../support/service.ts';

let bench: ServiceBench;
afterEach(() => bench.close());
const one = { service: 'web', instance: 'web1' };
/** web1 with options for Node before its script. */
const withOptions = async (options: string[], more: Record<string, unknown> = {}, service: Record<string, unknown> = {}): Promise<void> => {
  bench = await openServiceBench({ min_healthy: 0, ...service });
  const [first, ...rest] = bench.declared;
  const web1 = { ...first, argv: [process.execPath, ...options, bench.script], ...more };
  await bench.configure({ web: { ...bench.declaration, manager: { kind: 'process', instances: [web1, ...rest] } } });
  await bench.act('web', 'service.start', one);
};

test('a process that handles SIGUSR2 writes its heap: kept to ourselves, told by size and digest, the process goes on', async () => {
  await withOptions(['--heapsnapshot-signal=SIGUSR2']);
  const identity = bench.identityOf('web1');
  const result = await bench.act('web', 'service.heap_evidence', { ...one, identity }, 'k') as { file: string; size_bytes: number; sha256: string };
  const folder = join(bench.home, 'evidence');
  const kept = statSync(join(folder, result.file));
  expect(kept.size).toBe(result.size_bytes);
  expect(result.size_bytes).toBeGreaterThan(100_000);
  expect([kept.mode & 0o777, statSync(folder).mode & 0o777]).toEqual([0o600, 0o700]);
  expect(readdirSync(bench.declared[0]!.cwd).filter((file) => file.endsWith('.heapsnapshot'))).toEqual([]);
  expect(bench.identityOf('web1')).toBe(identity);
  // As after a worker that died before it could tell.
  await bench.db.database.query(`DELETE FROM effects WHERE key = 'k:result'`);
  expect(await bench.act('web', 'service.heap_evidence', { ...one, identity }, 'k')).toEqual(result);
  expect(readdirSync(folder)).toEqual([result.file]);
});

test('a snapshot that an earlier try asked for is taken, no second one is asked for', async () => {
  await withOptions(['--heapsnapshot-signal=SIGUSR2']);
  await once(bench.db.database.query, 'k:before', async () => ({ before: { snapshots: [] } }));
  const name = `Heap.20260102.030405.${bench.pidOf('web1')}.0.001.heapsnapshot`;
  writeFileSync(join(bench.declared[0]!.cwd, name), '{"snapshot":{}}');
  expect(await bench.act('web', 'service.heap_evidence', one, 'k')).toMatchObject({ size_bytes: 15 });
});

test('SIGUSR2 is not sent to a process that it would end', async () => {
  await withOptions([]);
  const pid = bench.pidOf('web1');
  await expect(bench.act('web', 'service.heap_evidence', one)).rejects.toMatchObject({ type: 'SIGNAL_NOT_HANDLED' });
  expect(isAlive(pid)).toBe(true);
});

test('a process stands still while it writes: refused when too few others are ready', async () => {
  await withOptions(['--heapsnapshot-signal=SIGUSR2'], {}, { min_healthy: 1 });
  await expect(bench.act('web', 'service.heap_evidence', one)).rejects.toMatchObject({ type: 'MIN_HEALTHY' });
});

test('garbage is collected over the inspector of that very process', async () => {
  const port = await freePort(0);
  await withOptions([`--inspect=127.0.0.1:${port}`], { inspector_port: port });
  const identity = bench.identityOf('web1');
  const result = await bench.act('web', 'service.collect_garbage', { ...one, identity }) as { heap_before_bytes: number; heap_after_bytes: number };
  expect(result.heap_after_bytes).toBeLessThan(result.heap_before_bytes);
  expect(bench.identityOf('web1')).toBe(identity);
});

test('the inspector of another process is not asked', async () => {
  const port = await freePort(0);
  await withOptions([`--inspect=127.0.0.1:${port}`], { inspector_port: port });
  const [web1, web2, ...rest] = bench.declared;
  await bench.configure({ web: { ...bench.declaration, manager: { kind: 'process', instances: [web1, { ...web2, inspector_port: port }, ...rest] } } });
  await bench.act('web', 'service.start', { service: 'web', instance: 'web2' });
  await expect(bench.act('web', 'service.collect_garbage', { service: 'web', instance: 'web2' })).rejects.toMatchObject({ type: 'PLAN_DRIFT' });
  await expect(bench.act('web', 'service.collect_garbage', one)).rejects.toMatchObject({ type: 'NOT_SUPPORTED' });
});

test('cache entries are forgotten by name, and nothing else', async () => {
  bench = await openServiceBench();
  const cacheUrl = `http://127.0.0.1:${bench.portOf('web1')}/cache`;
  await bench.configure({ web: { ...bench.declaration, cache_url: cacheUrl } });
  await bench.start();
  expect(await bench.act('web', 'service.clear_cache', { service: 'web', keys: ['a', 'b'] })).toEqual({ keys: 2 });
  expect(JSON.parse(await bench.get('web1', '/seen'))).toEqual([{ url: '/cache', body: { keys: ['a', 'b'] } }]);
  await expect(bench.act('web', 'service.clear_cache', { service: 'web', keys: [] })).rejects.toMatchObject({ type: 'STEP_INVALID' });
  await bench.configure({ web: bench.declaration });
  await expect(bench.act('web', 'service.clear_cache', { service: 'web', keys: ['a'] })).rejects.toMatchObject({ type: 'NOT_SUPPORTED' });
});

test('memory: as many samples as asked for, of what runs; the limit that Node was given', async () => {
  await withOptions(['--max-old-space-size=64']);
  const { instances } = await bench.probe('web', 'service.memory', { service: 'web', seconds: 0.5, samples: 9 }) as { instances: Record<string, unknown>[] };
  expect(instances).toHaveLength(1);
  expect(instances[0]).toMatchObject({ instance: 'web1', identity: bench.identityOf('web1'), limit_bytes: 64 * 1024 * 1024, limit_source: '--max-old-space-size', snapshots: false });
  expect(instances[0]!['samples']).toHaveLength(9);
});

test('spares start and stop, and neither counts as a restart', async () => {
  bench = await openServiceBench();
  await bench.start();
  await bench.act('web', 'service.scale', { service: 'web', instances: ['web3'] }, 'scale');
  expect(await bench.get('web3', '/pid')).toBe(String(bench.pidOf('web3')));
  await expect(bench.act('web', 'service.scale', { service: 'web', instances: ['web3'] })).rejects.toMatchObject({ type: 'PLAN_DRIFT' });
  await expect(bench.act('web', 'service.scale', { service: 'web', instances: ['web1'] })).rejects.toMatchObject({ type: 'NOT_A_SPARE' });
  await expect(bench.act('web', 'service.scale_in', { service: 'web', instances: ['web1'] })).rejects.toMatchObject({ type: 'NOT_A_SPARE' });
  expect(await bench.act('web', 'service.scale_in', { service: 'web', instances: ['web3'] })).toEqual({ stopped: ['web3'] });
  expect(bench.processesOf('web3')).toEqual([]);
  expect(await bench.db.database.query(`SELECT 1 FROM restarts WHERE target = 'shop/web/web3'`)).toEqual([]);
});
