/** Landing a branch costs few processes, however many went before: each is most of what a landing takes. */
import { MockActivityEnvironment } from '@temporalio/testing';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { landingActivities } from '../../src/activities/landing.ts';
import type { LandingRequest } from '../../src/domain/landing.ts';
import type { Git } from '../../src/git/git.ts';
import { createMirrors } from '../../src/git/mirror.ts';
import { openWorkspace, type Workspace } from '../support/workspace.ts';

let workspace: Workspace;
beforeAll(async () => { workspace = await openWorkspace(); });
afterAll(() => workspace.close());

const landings = 30;

test('at most four processes for a landing besides the push, and every one lands what was built', async () => {
  const repository = workspace.repository({ 'a.txt': 'a\n' });
  const fetched = await workspace.fetched(repository);
  let commands: string[] = [];
  const counted: Git = {
    limits: workspace.git.limits,
    run: (args, options) => { commands.push(args[0]!); return workspace.git.run(args, options); },
    text: (args, options) => { commands.push(args[0]!); return workspace.git.text(args, options); },
  };
  const activities = landingActivities({ ...workspace.deps, git: counted, mirrors: createMirrors(counted, `${workspace.home}/mirrors`, workspace.deps.config.repoRoots) });
  const run = <T>(work: () => Promise<T>): Promise<T> => new MockActivityEnvironment().run(work);

  for (let i = 0; i < landings; i += 1) {
    const applied = (await workspace.apply(fetched, repository.diff({ [`file-${i}.txt`]: `${i}\n` }), `mission-${i}`)).candidate!;
    const request: LandingRequest = {
      kind: 'land', mission_id: `mission-${i}`, severity: 'low', repository_id: fetched.repository_id, target_branch: 'main', host_queue: 'none',
      head: applied.commit, base: fetched.base.commit, tested_trees: [], approved_tree: applied.tree, patch_id: applied.patch_id, carry_approval: true,
      must_pass_tests: [], setup_command: null, test_command: { argv: ['true'], timeout_seconds: 1, network: false }, commit_time: '2026-01-02T03:04:05Z',
      message: `Land mission-${i}\n`, request_id: `r-${i}`,
    };
    commands = [];
    const built = await run(() => activities.buildLanding(request));
    if (built.kind !== 'built') throw new Error(built.kind);
    const { commit, tree, tip, parents, patch_id } = built;
    expect(patch_id).toBe(applied.patch_id);
    expect(await run(() => activities.land({ request, commit, tree, tip: tip.commit, parents, same_patch: true }))).toMatchObject({ kind: 'landed', commit, tree });
    const besides = commands.filter((command) => command !== 'push');
    // The first one fetches; a repository that nobody else writes to is read once for each landing after that.
    if (i > 0) expect(besides.length, besides.join(' ')).toBeLessThanOrEqual(4);
    expect(repository.tree()).toBe(tree);
  }
  expect(repository.log()).toHaveLength(landings + 1);
});
