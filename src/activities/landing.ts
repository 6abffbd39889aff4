/** Stage 9 and rollbacks: build the merge, test a tree nobody has tested, land it by compare-and-swap, read it back. */
import { judgeTests, testId, type TestRun } from '../domain/test-report.ts';
import type { CommitRef } from '../domain/coding.ts';
import type { LandingRequest } from '../domain/landing.ts';
import type { EvidenceRef } from '../domain/stages.ts';
import { evidence } from '../store/artifacts.ts';
import { findRepository, type Repository } from '../store/repositories.ts';
import type { ActivityDeps } from './deps.ts';
import { failure } from '../engine/failure.ts';
import { landingRef, originRef } from '../git/mirror.ts';
import { withHeartbeat } from './heartbeat.ts';
import { loadRun, runTestsOnce, sharedRunKey, type StoredTestRun } from './test-run.ts';
import { changedFiles, patchIdOf } from './workspace.ts';

export type BuiltLanding =
  | {
      kind: 'built'; commit: string; tree: string; tip: CommitRef; parents: string[]; patch_id: string;
      /** The target contains it already: an earlier run got that far, tests included. */
      landed_before: boolean;
    }
  | { kind: 'already_reverted' }
  | { kind: 'conflict'; paths: string[] };

export interface LandedCommit { commit: string; tree: string; parents: string[] }

export type LandAttempt =
  | ({ kind: 'landed'; evidence: EvidenceRef[] } & LandedCommit)
  | { kind: 'base_moved' }
  | { kind: 'blocked'; reason: string }
  | { kind: 'violation'; reason: string };

export const landingActivities = (deps: ActivityDeps) => ({
  /**
   * Builds the commit to land on the target's present tip, in the mirror, without a worktree.
   * Safe to repeat: parents, dates and message are inputs. Finds its own landing of an earlier run.
   */
  async buildLanding(request: LandingRequest): Promise<BuiltLanding> {
    return withHeartbeat((signal) => build(deps, request, signal));
  },

  /**
   * Tests a tree that has not been tested, against the tip's run. Safe to repeat: runs are keyed.
   * For a revert, a test that the reverted change had turned green may fail again.
   */
  async testLanding(input: { request: LandingRequest; commit: CommitRef; tip: CommitRef }): Promise<{ passed: boolean; reasons: string[]; evidence: EvidenceRef[] }> {
    return withHeartbeat(async (signal) => {
      const { request, commit, tip } = input;
      const { setup_command: setup, test_command: test } = request;
      const common = { repository_id: request.repository_id, holder: `${request.mission_id}:landing`, setup, test };
      const runAt = async (at: CommitRef, key: string): Promise<{ run: TestRun; stored: StoredTestRun }> => {
        const stored = await runTestsOnce(deps, { ...common, at, setup_counts: at === commit, key }, signal);
        return { run: await loadRun(deps, stored), stored };
      };
      try {
        const base = await runAt(tip, sharedRunKey(tip.tree, setup, test));
        const merged = await runAt(commit, `${request.request_id}:${commit.tree}`);
        let before = base.run;
        if (request.kind === 'revert') {
          const parent = await deps.mirrors.resolve(request.repository_id, `${request.head}^1`);
          before = withoutGained(base.run, (await runAt(parent, sharedRunKey(parent.tree, setup, test))).run);
        }
        const verdict = judgeTests(request.kind === 'land' ? request.must_pass_tests : [], before, merged.run);
        return { passed: verdict.passed, reasons: verdict.reasons, evidence: merged.stored.evidence };
      } finally {
        await deps.worktrees.release(request.repository_id, common.holder);
      }
    });
  },

  /**
   * Puts the built commit on the target branch if the branch is still where it was built on.
   * Safe to repeat: an origin that has the commit already is read back, not pushed to again.
   */
  async land(input: { request: LandingRequest; commit: string; tree: string; tip: string; parents: string[] }): Promise<LandAttempt> {
    return withHeartbeat((signal) => land(deps, input, signal));
  },
});

/** The tip's run as if the tests that only the reverted change made pass had failed there. */
function withoutGained(tip: TestRun, beforeChange: TestRun): TestRun {
  const passed = new Set(beforeChange.report?.cases.filter((test) => test.status === 'passed').map(testId));
  const cases = tip.report?.cases.map((test) => (passed.has(testId(test)) ? test : { ...test, status: 'failed' as const }));
  return { ...tip, report: cases === undefined ? null : { cases } };
}

async function repositoryOf({ database }: ActivityDeps, id: string): Promise<Repository> {
  const repository = await findRepository(database, id);
  if (repository === undefined) throw failure('REPOSITORY_UNREACHABLE', `no repository ${id}`);
  return repository;
}

async function build(deps: ActivityDeps, request: LandingRequest, signal: AbortSignal): Promise<BuiltLanding> {
  const { git, mirrors } = deps;
  const repository = await repositoryOf(deps, request.repository_id);
  const gitDir = mirrors.pathOf(request.repository_id);
  const tip = await mirrors.fetchTip(repository, request.target_branch, signal);
  const before = await landedBefore(deps, gitDir, request, tip.commit);
  if (before !== undefined) {
    const parent = await mirrors.resolve(request.repository_id, before.parents[0]!);
    return { kind: 'built', ...before, tip: parent, patch_id: request.patch_id, landed_before: true };
  }

  // A revert is the merge of "what M brought in, taken away": a commit with the tree of M's first parent on top of M.
  const head = request.kind === 'land' ? request.head : await commitTree(deps, gitDir, {
    tree: await git.text(['rev-parse', '--verify', '--end-of-options', `${request.head}^1^{tree}`], { gitDir }),
    parents: [request.head], message: `Undo ${request.head}\n`, time: request.commit_time,
  });
  const merged = await git.run(['merge-tree', '--write-tree', '--name-only', '-z', '--no-messages', tip.commit, head], { gitDir, okCodes: [1] });
  const [tree, ...conflicts] = merged.stdout.toString('utf8').split('\0').filter((part) => part !== '') as [string, ...string[]];
  if (merged.code === 1) return { kind: 'conflict', paths: conflicts };
  if (request.kind === 'revert' && tree === tip.tree) return { kind: 'already_reverted' };

  const parents = request.kind === 'land' ? [tip.commit, head] : [tip.commit];
  const commit = await commitTree(deps, gitDir, { tree, parents, message: request.message, time: request.commit_time });
  await git.run(['update-ref', landingRef(request.mission_id, request.kind), commit], { gitDir });
  return {
    kind: 'built', commit, tree, tip, parents, landed_before: false,
    patch_id: await patchIdOf(deps, gitDir, tip.commit, commit),
  };
}

/** The commit of an earlier run, if the target already contains it. */
async function landedBefore(
  { git }: ActivityDeps, gitDir: string, request: LandingRequest, tip: string,
): Promise<LandedCommit | undefined> {
  const known = await git.run(['rev-parse', '--verify', '--quiet', '--end-of-options', `${landingRef(request.mission_id, request.kind)}^{commit}`], { gitDir, okCodes: [1, 128] });
  if (known.code !== 0) return undefined;
  const commit = known.stdout.toString('utf8').trim();
  const { code } = await git.run(['merge-base', '--is-ancestor', commit, tip], { gitDir, okCodes: [1] });
  if (code !== 0) return undefined;
  return readCommit({ git }, gitDir, commit);
}

async function readCommit({ git }: Pick<ActivityDeps, 'git'>, gitDir: string, commit: string): Promise<LandedCommit> {
  const [tree, ...parents] = (await git.text(['log', '-1', '--format=%T %P', '--end-of-options', commit], { gitDir })).split(' ');
  return { commit, tree: tree!, parents: parents.filter((parent) => parent !== '') };
}

async function commitTree(
  { git }: ActivityDeps, gitDir: string, input: { tree: string; parents: string[]; message: string; time: string },
): Promise<string> {
  return git.text(
    ['commit-tree', input.tree, ...input.parents.flatMap((parent) => ['-p', parent]), '-F', '-'],
    { gitDir, input: input.message, env: { GIT_AUTHOR_DATE: input.time, GIT_COMMITTER_DATE: input.time } });
}

/**
 * For a local origin with the branch checked out, its worktree is updated too, and only if it is clean.
 * Settings given to the client never reach receive-pack, so they are given to receive-pack itself. The text is a
 * constant: nothing of a mission or a repository gets into it.
 */
const receivePack = 'git -c core.hooksPath=/dev/null -c core.fsmonitor=false -c receive.denyCurrentBranch=updateInstead receive-pack';

async function land(
  deps: ActivityDeps, input: { request: LandingRequest; commit: string; tree: string; tip: string; parents: string[] }, signal: AbortSignal,
): Promise<LandAttempt> {
  const { git, mirrors } = deps;
  const { request, commit, tip } = input;
  const repository = await repositoryOf(deps, request.repository_id);
  const gitDir = mirrors.pathOf(request.repository_id);
  const branch = `refs/heads/${request.target_branch}`;
  const push = await git.run(
    ['push', '--porcelain', '--no-verify', '--atomic', `--force-with-lease=${branch}:${tip}`,
      ...(repository.kind === 'path' ? [`--receive-pack=${receivePack}`] : []),
      '--end-of-options', repository.origin, `${commit}:${branch}`],
    { gitDir, okCodes: [1, 128], signal });
  if (push.code !== 0) {
    const said = `${push.stdout.toString('utf8')}\n${push.stderr}`;
    // A push that was cut off, or a lease that our own earlier push broke: the origin itself says what is true.
    const now = await mirrors.fetchTip(repository, request.target_branch, signal);
    const contained = await git.run(['merge-base', '--is-ancestor', commit, now.commit], { gitDir, okCodes: [1] });
    if (contained.code !== 0) {
      if (now.commit !== tip || /stale info|fetch first|non-fast-forward/.test(said)) return { kind: 'base_moved' };
      return { kind: 'blocked', reason: blockedReason(said) };
    }
  }
  return readBack(deps, repository, gitDir, input, signal);
}

function blockedReason(said: string): string {
  if (/unstaged changes|uncommitted changes|untracked working tree|Working directory has/.test(said)) {
    return 'the branch is checked out in the origin and its working copy has changes; commit or stash them';
  }
  if (/denyCurrentBranch|refusing to update checked out branch/.test(said)) return 'the origin refuses to update its checked-out branch';
  return `the origin refused the push: ${said.trim().slice(0, 500)}`;
}

/** Law: landed tree = tested tree, compared after every landing, with the parents and the files. */
async function readBack(
  deps: ActivityDeps, repository: Repository, gitDir: string,
  { request, commit, tree, parents }: { request: LandingRequest; commit: string; tree: string; parents: string[] }, signal: AbortSignal,
): Promise<LandAttempt> {
  const { git, mirrors, artifacts } = deps;
  const now = await mirrors.fetchTip(repository, request.target_branch, signal);
  const landed = await readCommit(deps, gitDir, commit);
  const contained = await git.run(['merge-base', '--is-ancestor', commit, originRef(request.target_branch)], { gitDir, okCodes: [1] });
  if (contained.code !== 0) return { kind: 'violation', reason: `${request.target_branch} is at ${now.commit} and does not contain ${commit}` };
  if (landed.tree !== tree) return { kind: 'violation', reason: `the landed tree is ${landed.tree}, tested was ${tree}` };
  if (landed.parents.join(' ') !== parents.join(' ')) return { kind: 'violation', reason: `parents are ${landed.parents.join(' ')}` };
  if (request.kind === 'land') {
    const own = new Set(await changedFiles(deps, gitDir, request.base, request.head));
    const foreign = (await changedFiles(deps, gitDir, parents[0]!, commit)).filter((file) => !own.has(file));
    if (foreign.length > 0) return { kind: 'violation', reason: `the landing changed files outside of the patch: ${foreign.join(', ')}` };
  }
  const record = await artifacts.putJson({ ...landed, target_branch: request.target_branch, read_back_tip: now.commit });
  return { kind: 'landed', ...landed, evidence: [evidence('landing', record, `${request.target_branch} contains ${commit.slice(0, 12)}, tree ${tree.slice(0, 12)}`)] };
}
