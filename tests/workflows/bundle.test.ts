import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { bundleWorkflowCode, DefaultLogger } from '@temporalio/worker';
import * as workflows from '../../src/workflows/index.ts';
import { workflowsPath } from '../../src/worker/bundle.ts';

test('the workflows bundle, export exactly what starts by name, and carry nothing that does I/O', async () => {
  expect(Object.keys(workflows).sort()).toEqual([
    'capa', 'codingMission', 'deliverNotification', 'dispatchNotifications', 'effects', 'healingMission', 'maintainMetrics', 'mergeQueue',
    'observationWindow', 'reconcileMissions', 'reconcileWatches', 'tidyWorkspaces', 'trackedMission', 'watch',
  ]);
  const { code } = await bundleWorkflowCode({ workflowsPath, logger: new DefaultLogger('ERROR') });
  const modules = [...code.matchAll(/"\.\/(src|node_modules)\/([^"]+)"/g)].map(([, root, path]) => `${root}/${path}`);
  expect(modules.some((path) => path.startsWith('src/workflows/coding-mission'))).toBe(true);
  const strangers = modules.filter((path) => path.startsWith('src/') && !/^src\/(workflows|domain)\//.test(path));
  expect(strangers).toEqual([]);
  expect(modules.filter((path) => /node_modules\/(pg|fastify|@prisma)/.test(path))).toEqual([]);
});

test('the workflows import no schema and no activity code, only types', async () => {
  for (const name of ['activities', 'coding-mission', 'mission', 'landing', 'merge-queue', 'observation-window', 'approval-gate', 'tracked-mission']) {
    const text = await readFile(new URL(`../../src/workflows/${name}.ts`, import.meta.url), 'utf8');
    for (const [line] of text.matchAll(/^import (?!type).*(\/activities\/|\/schema\/|\/store\/|\/engine\/).*$/gm)) expect(line).toBe('');
  }
});
