/** Mission Control watches its own parts: each is asked for real, on a database as it is today. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ownPart } from '../../src/activities/watching/own-parts.ts';
import type { WatchedOwnPart } from '../../src/domain/own-subsystems.ts';
import { saveQueue } from '../../src/store/merge-queues.ts';
import { aRepository } from '../store/fixtures.ts';
import { openWatchBench, type WatchBench } from '../support/watch-bench.ts';

let bench: WatchBench;
beforeAll(async () => { bench = await openWatchBench(); });
afterAll(() => bench.close());

describe('on a system that just began', () => {
  const found: [WatchedOwnPart, string][] = [
    ['postgres', 'healthy'], ['worker', 'unknown'], ['artifact_store', 'healthy'], ['merge_queues', 'healthy'],
    ['metric_sources', 'healthy'], ['sandbox', 'healthy'], ['governance', 'healthy'],
  ];
  test.each(found)('%s is %s', async (part, state) => {
    expect(await ownPart(part, bench.deps)).toMatchObject({ state });
  });
});

test('a frozen merge queue is degraded, with its branch and why', async () => {
  const repository = await aRepository(bench.db.database);
  await saveQueue(bench.db.database, {
    row: {
      repository_id: repository.repository_id, target_branch: 'main', current: null,
      frozen: { code: 'operator', reason: 'a release is under way', by: 'ann', since: '2026-01-01T00:00:00.000Z', mission_id: null },
    },
    event: null,
  });
  expect(await ownPart('merge_queues', bench.deps)).toMatchObject({ state: 'degraded', reason: 'main is frozen: a release is under way' });
});
