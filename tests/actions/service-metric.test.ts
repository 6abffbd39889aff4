import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { openPlaybookBench, type PlaybookBench } from '../support/playbook-bench.ts';

let bench: PlaybookBench;
const service = (more: object) => ({ kind: 'service', manager: { kind: 'systemd', unit: 'shop' }, ...more });
beforeAll(async () => {
  bench = await openPlaybookBench({ web: service({ error_metric: 'errors', latency_metric: 'gone' }), plain: service({}) });
  writeFileSync(join(bench.deps.config.configFolder, 'metrics_catalog.yaml'), stringify({ metrics: { errors: { source: { kind: 'push' }, comparator: '<', target: 1, unit: '1/s' } } }));
});
afterAll(() => bench.close());

const read = (which: string, resource = 'web') => bench.probe(resource, 'service.metric', { service: resource, which });
const push = (value: number, secondsAgo: number) => bench.db.database.query(
  `INSERT INTO metric_samples (metric_id, at, value, source, pushed_by, pushed_role) VALUES ('errors', clock_timestamp() - make_interval(secs => $1), $2, 'push', 'x', 'admin')`, [secondsAgo, value]);

test('a pushed value counts as long as it is fresh; without one, nothing is known and the target is not met', async () => {
  expect(await read('error')).toMatchObject({ value: null, met: false });
  await push(0.5, 900);
  expect(await read('error')).toMatchObject({ value: null, met: false, reason: 'nothing was pushed of late' });
  await push(0.25, 10);
  expect(await read('error')).toEqual({ metric_id: 'errors', value: 0.25, met: true, comparator: '<', target: 1, reason: null });
  await push(4, 5);
  expect(await read('error')).toMatchObject({ value: 4, met: false });
});

test('no metric declared is no reading; a declared one that is in no catalog is an error', async () => {
  expect(await read('error', 'plain')).toBeNull();
  await expect(read('latency')).rejects.toMatchObject({ type: 'PLAN_DRIFT' });
});
