/** Testing is most of what a landing takes: the tree that one landing was tested as is what the next is compared with. */
import { MockActivityEnvironment } from '@temporalio/testing';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { landingActivities } from '../../src/activities/landing.ts';
import type { LandingRequest } from '../../src/domain/landing.ts';
import { openWorkspace, type Workspace } from '../support/workspace.ts';

let workspace: Workspace;
beforeAll(async () => { workspace = await openWorkspace(); });
afterAll(() => workspace.close());

test('three landings on a moving branch run the tests four times: once for the first tip, once for each merge', async () => {
  const repository = workspace.repository({ 'a.txt': 'a\n' });
  const fetched = await workspace.fetched(repository);
  let runs = 0;
  const activities = landingActivities({
    ...workspace.deps,
    processes: { ...workspace.processes, run: (request) => { if (request.argv[0] === 'true') runs += 1; return workspace.processes.run(request); } },
  });
  const run = <T>(work: () => Promise<T>): Promise<T> => new MockActivityEnvironment().run(work);
  const applied = [];
  for (const name of ['b', 'c', 'd']) applied.push((await workspace.apply(fetched, repository.diff({ [`${name}.txt`]: `${name}\n` }), `mission-${name}`)).candidate!);
  repository.commit({ 'outside.txt': 'moved\n' });

  for (const { commit: head, tree: approved_tree, patch_id } of applied) {
    const request: LandingRequest = {
      kind: 'land', mission_id: `mission-${head}`, severity: 'low', repository_id: fetched.repository_id, target_branch: 'main', host_queue: 'none',
      head, base: fetched.base.commit, tested_trees: [approved_tree], approved_tree, patch_id, carry_approval: true, must_pass_tests: [],
      setup_command: null, test_command: { argv: ['true'], timeout_seconds: 60, network: false }, commit_time: '2026-01-02T03:04:05Z',
      message: 'Land it\n', request_id: head,
    };
    const built = await run(() => activities.buildLanding(request));
    if (built.kind !== 'built') throw new Error(built.kind);
    const { commit, tree, tip, parents } = built;
    const tested = await run(() => activities.testLanding({ request, commit: { commit, tree }, tip }));
    expect(tested).toMatchObject({ passed: true });
    expect(await run(() => activities.land({ request, commit, tree, tip: tip.commit, parents }))).toMatchObject({ kind: 'landed', tree });
  }
  expect(runs).toBe(4);
});
