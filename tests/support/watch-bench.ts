/** The detector on a bench: its looks, one at a time, at real things and without a server in between. */
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { MockActivityEnvironment } from '@temporalio/testing';
import { stringify } from 'yaml';
import type { ActivityDeps } from '../../src/activities/deps.ts';
import { watchActivities, type WatchResult } from '../../src/activities/watch.ts';
import type { Finding } from '../../src/domain/finding-record.ts';
import { createCatalog } from '../../src/store/catalog.ts';
import { listFindings } from '../../src/store/finding-list.ts';
import { allHealth, type StoredHealth } from '../../src/store/subsystem-health.ts';
import { openWorkspace } from './workspace.ts';

export type WatchBench = Awaited<ReturnType<typeof openWatchBench>>;

export const policyAllowing = (...addresses: string[]) => ({
  approvals: { required: 1, severities: [], on_protected_paths: true, on_vanished_tests: true, deadline_minutes: 60 }, protected_paths: [],
  scan: { block_at: 'error' }, landing: { carry_approval: true }, observation: { allow_unobserved: true }, egress: { allow: addresses },
});

/** A command that is well while the file is there. */
export const wellWhile = (file: string): string[] => ['test', '-e', file];

export async function openWatchBench(allow: string[] = []) {
  const workspace = await openWorkspace();
  const { home, db } = workspace;
  const configFolder = join(home, 'config');
  await mkdir(configFolder, { recursive: true });
  const deps: ActivityDeps = { ...workspace.deps, config: { ...workspace.deps.config, configFolder }, catalog: createCatalog(configFolder, db.database) };
  const activities = watchActivities(deps);
  const bench = {
    home, db, deps,
    configure: (file: string, value: unknown): Promise<void> => writeFile(join(configFolder, file), typeof value === 'string' ? value : stringify(value)),
    subsystems: (subsystems: Record<string, unknown>): Promise<void> => bench.configure('subsystems.yaml', { subsystems }),
    look: (interval_seconds = 1): Promise<WatchResult> => new MockActivityEnvironment().run(() => activities.watchOnce({ interval_seconds, tick: Date.now() })),
    set: (name: string): Promise<void> => writeFile(join(home, name), ''),
    unset: (name: string): Promise<void> => rm(join(home, name), { force: true }),
    file: (name: string): string => join(home, name),
    findings: async (subsystem_id: string): Promise<Finding[]> => (await listFindings(db.database.query, { subsystem_id }, 200, null)).reverse(),
    health: async (id: string): Promise<StoredHealth | undefined> => (await allHealth(db.database.query)).find((one) => one.subsystem_id === id),
    samples: async (metric: string): Promise<number[]> =>
      (await db.database.query<{ value: number }>('SELECT value FROM metric_samples WHERE metric_id = $1 ORDER BY sample_id', [metric])).map(({ value }) => value),
    async close(): Promise<void> {
      await workspace.close();
      await rm(home, { recursive: true, force: true });
    },
  };
  await bench.subsystems({});
  await bench.configure('policy.yaml', policyAllowing(...allow));
  await bench.configure('metrics_catalog.yaml', { metrics: {} });
  return bench;
}
