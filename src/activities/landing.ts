/** Stage 9 and rollbacks: build the merge, test a tree nobody has tested, land it by compare-and-swap, read it back. */
import type { CommitRef } from '../domain/coding.ts';
import type { LandedNeighbour, LandingRequest } from '../domain/landing.ts';
import { findRepository, type Repository } from '../store/repositories.ts';
import { failure } from '../engine/failure.ts';
import type { ActivityDeps } from './deps.ts';
import { withHeartbeat } from './heartbeat.ts';
import { buildMerge, buildRevert, type BuiltLanding } from './landing/build.ts';
import { landedSince } from './landing/neighbours.ts';
import { pushLanding, type LandAttempt, type LandInput } from './landing/push.ts';
import { testMerged, type MergedTest } from './landing/test.ts';

/** Reading the tip back after one landing is reading it for the next; older than this it is asked for again. */
const tipKeptMs = 2_000;

export const landingActivities = (deps: ActivityDeps) => {
  // Nothing depends on it: a tip that is the tip no more makes the push fail, and then it is fetched.
  const tips = new Map<string, { tip: CommitRef; at: number }>();
  const branchOf = ({ repository_id, target_branch }: LandingRequest): string => `${repository_id} ${target_branch}`;

  async function repositoryOf(id: string): Promise<Repository> {
    const repository = await findRepository(deps.database, id);
    if (repository === undefined) throw failure('REPOSITORY_UNREACHABLE', `no repository ${id}`);
    return repository;
  }

  async function tipOf(request: LandingRequest, signal: AbortSignal): Promise<CommitRef> {
    const known = tips.get(branchOf(request));
    tips.delete(branchOf(request));
    if (known !== undefined && Date.now() - known.at < tipKeptMs) return known.tip;
    return deps.mirrors.fetchTip(await repositoryOf(request.repository_id), request.target_branch, signal);
  }

  return {
    /**
     * Builds the commit to land on the target's present tip, in the mirror, without a worktree.
     * Safe to repeat: parents, dates and message are inputs. Finds its own landing of an earlier run.
     */
    async buildLanding(request: LandingRequest): Promise<BuiltLanding> {
      return withHeartbeat(async (signal) => {
        const tip = await tipOf(request, signal);
        return request.kind === 'land' ? buildMerge(deps, request, tip) : buildRevert(deps, request, tip);
      });
    },

    /** Tests a tree that has not been tested, against the tip's run. Safe to repeat: runs are keyed. */
    async testLanding(input: { request: LandingRequest; commit: CommitRef; tip: CommitRef }): Promise<MergedTest> {
      return withHeartbeat((signal) => testMerged(deps, input, signal));
    },

    /**
     * Puts the built commit on the target branch if the branch is still where it was built on.
     * Safe to repeat: an origin that has the commit already is read back, not pushed to again.
     */
    async land(input: LandInput): Promise<LandAttempt> {
      return withHeartbeat(async (signal) => {
        const { request, commit, tree } = input;
        const landed = await pushLanding(deps, await repositoryOf(request.repository_id), input, signal);
        if (landed.kind === 'landed' && landed.at_tip === true) tips.set(branchOf(request), { tip: { commit, tree }, at: Date.now() });
        return landed;
      });
    },

    /** What landed on the branch since a commit and touches the same files: what a revert that conflicts is up against. */
    async dependentsOf(request: LandingRequest): Promise<LandedNeighbour[]> {
      return withHeartbeat(async (signal) => {
        const tip = await deps.mirrors.fetchTip(await repositoryOf(request.repository_id), request.target_branch, signal);
        return landedSince(deps, request, request.head, tip.commit);
      });
    },
  };
};
