import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { highLatency } from '../../src/workflows/playbooks/high-latency.ts';
import { allowEgress } from '../support/egress-policy.ts';
import type { Planned } from '../support/playbook-bench.ts';
import { openServiceBench, type ServiceBench } from '../support/service.ts';
import { openWebShop, type WebShop } from '../support/web-shop.ts';

let bench: ServiceBench;
let web: WebShop;
beforeAll(async () => {
  bench = await openServiceBench();
  // Slow whatever is done about it.
  web = await openWebShop(() => new Promise((resolve) => { setTimeout(() => resolve(200), 200); }));
  await allowEgress(bench.deps.config.configFolder, [web.address, ...bench.declared.map(({ id }) => `127.0.0.1:${bench.portOf(id)}`)]);
  await bench.start();
});
afterAll(async () => {
  await web.close();
  await bench.close();
});

test('a spare that does not help is seen not to, and stopped again', async () => {
  const running = await bench.context(highLatency, 'web', 'high_latency', { url: web.url, requests: 5, concurrency: 5, target_ms: 100, last_resort: 'none' });
  const planned = await bench.plan(highLatency, running) as Planned;
  expect(planned.steps).toMatchObject([{ id: 'scale_out', action: 'service.scale', with: { service: 'web', instances: ['web3'] }, reversibility: 'compensable' }]);
  expect(await bench.execute(highLatency, running, planned)).toEqual(['scale_out']);
  expect(bench.processesOf('web3')).toHaveLength(1);
  expect(await bench.verify(highLatency, running, planned.facts)).toMatchObject({ symptom: { ok: false }, independent: { ok: true }, must_not_regress: { ok: true } });
  const { action, with: input } = planned.steps[0]!.compensate!;
  await bench.act('web', action, input);
  expect(bench.processesOf('web3')).toEqual([]);
  expect(bench.processesOf('web1')).toHaveLength(1);
});

test('the last resort is a restart of what is running now, one at a time', async () => {
  const running = await bench.context(highLatency, 'web', 'high_latency', { url: web.url, requests: 5, concurrency: 5, target_ms: 100, max_scale: 0 });
  const planned = await bench.plan(highLatency, running) as Planned;
  expect(planned.steps.map(({ with: input }) => input)).toMatchObject([
    { instance: 'web1', identity: bench.identityOf('web1') }, { instance: 'web2', identity: bench.identityOf('web2') },
  ]);
  const before = bench.identityOf('web1');
  expect(await bench.execute(highLatency, running, planned)).toEqual(['restart_web1', 'restart_web2']);
  expect(bench.identityOf('web1')).not.toBe(before);
});

test('a service\'s own figures are judged by their own targets: more successes are no regression', async () => {
  const web1 = `http://127.0.0.1:${bench.portOf('web1')}`;
  await writeFile(join(bench.deps.config.configFolder, 'metrics_catalog.yaml'), stringify({ metrics: {
    'web.p95': { target: 100, comparator: '<', unit: 'ms', source: { kind: 'http_json', url: `${web1}/pid`, pointer: '' } },
    'web.successes': { target: 1e9, comparator: '>', unit: '', source: { kind: 'http_json', url: `${web1}/pid`, pointer: '' } },
  } }));
  await bench.configure({ web: { ...bench.declaration, latency_metric: 'web.p95', error_metric: 'web.successes' } });
  const running = await bench.context(highLatency, 'web', 'high_latency', {});
  const planned = await bench.plan(highLatency, running) as Planned;
  expect(planned.facts).toMatchObject({ before: { source: 'web.p95', target: '< 100', known: true, met: false }, service: { errors: { met: false } } });
  const before = planned.facts as { service: { errors: { value: number } } };
  const found = async (value: number) => (await bench.verify(highLatency, running, { ...before, service: { ...before.service, errors: { ...before.service.errors, value } } })).must_not_regress.ok;
  expect(await found(before.service.errors.value - 1)).toBe(true);
  expect(await found(before.service.errors.value + 1)).toBe(false);
});
