/** A suite with a flaky test: a person is asked, and told which; a broken one stays broken. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { calculator, fixedAdd } from '../support/repository.ts';
import { startSystem, type System } from '../support/system.ts';

let system: System;
beforeAll(async () => {
  system = await startSystem();
  await system.startWorker();
});
afterAll(() => system.stop());

/** A test that fails the first time that it runs with the change, and passes from then on. */
function failsOnce(name: string): string {
  const folder = join(system.home, 'gates', name);
  mkdirSync(folder, { recursive: true });
  return [
    "import assert from 'node:assert/strict';", "import { existsSync, writeFileSync } from 'node:fs';", "import test from 'node:test';", "import { add } from '../add.js';",
    `const seen = ${JSON.stringify(join(folder, 'seen'))};`,
    "test('now and then', { skip: add(2, 2) !== 4 }, () => { const first = !existsSync(seen); writeFileSync(seen, ''); assert.equal(first, false); });", '',
  ].join('\n');
}

test('a test that fails and then passes on the same tree is named to a person, though nobody asked for an approval', async () => {
  const repository = system.repository({ ...calculator, 'test/flaky.test.js': failsOnce('one') });
  const { mission_id: id } = await system.send(repository, [repository.diff(fixedAdd)]);
  const approval = await system.approval(id);
  expect(approval.rules.join()).toMatch(/flaky tests, seen to fail and to pass on the same tree: .*now and then/);
  await system.decide(approval);
  const mission = await system.whenEnded(id);
  expect(mission).toMatchObject({ status: 'resolved', outcome: 'landed' });
  const tests = system.stage(mission, 'run_tests');
  expect(tests.reason).toContain('flaky, failed in another run of the same tree');
  expect(tests.evidence.map((item) => item.kind)).toEqual(expect.arrayContaining(['test_run', 'run_1_test_run', 'run_1_log']));
});

test('without re-runs in the policy, a failure is a failure', async () => {
  const { policy } = await system.reader.get<{ policy: Record<string, unknown> }>('/mission-control/policy');
  await system.configure('policy.yaml', JSON.stringify({ ...policy, tests: { reruns: 0 } }));
  const repository = system.repository({ ...calculator, 'test/flaky.test.js': failsOnce('two') });
  const mission = await system.whenEnded((await system.send(repository, [repository.diff(fixedAdd)])).mission_id);
  expect(mission.ended_reason).toContain('now and then');
  expect(repository.log()).toHaveLength(1);
});
