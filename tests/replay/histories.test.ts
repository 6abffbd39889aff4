/** Histories of real runs must replay under today's code: missions outlive releases. Files are only ever added. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { historyFromJSON } from '@temporalio/common/lib/proto-utils.js';
import { DefaultLogger, Runtime, Worker } from '@temporalio/worker';
import { DeterminismViolationError } from '@temporalio/workflow';
import { beforeAll, expect, test } from 'vitest';
import { workflowBundle } from '../../src/project.ts';

const folder = join(import.meta.dirname, 'histories');
const names = readdirSync(folder).filter((name) => name.endsWith('.json'));

let code: string;
beforeAll(() => {
  Runtime.install({ logger: new DefaultLogger('ERROR') });
  code = readFileSync(workflowBundle, 'utf8');
});

const historyOf = (name: string) => historyFromJSON(JSON.parse(readFileSync(join(folder, name), 'utf8')));

test('there are histories of every workflow', () => {
  for (const workflow of [
    'coding-mission', 'dispatch-notifications', 'effects', 'healing-mission', 'maintain-metrics', 'merge-queue', 'observation-window',
    'reconcile-missions', 'reconcile-watches', 'tracked-mission', 'watch',
  ]) {
    expect(names.some((name) => name.startsWith(workflow)), workflow).toBe(true);
  }
});

test.each(names)('%s', async (name) => {
  await Worker.runReplayHistory({ workflowBundle: { code } }, historyOf(name), name.replace('.json', ''));
});

test('a changed workflow is noticed', async () => {
  const changed = code.replaceAll("'fetchContext'", "'fetchSomethingElse'").replaceAll('.fetchContext(', '.fetchSomethingElse(');
  expect(changed).not.toBe(code);
  await expect(Worker.runReplayHistory({ workflowBundle: { code: changed } }, historyOf(names.find((name) => name.startsWith('coding-mission'))!), 'changed'))
    .rejects.toBeInstanceOf(DeterminismViolationError);
});
