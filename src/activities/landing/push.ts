/** Landing by compare-and-swap on the origin, and reading back what is there now. */
import type { LandingRequest } from '../../domain/landing.ts';
import type { EvidenceRef } from '../../domain/stages.ts';
import { commitId } from '../../git/commit.ts';
import { evidence } from '../../store/artifacts.ts';
import type { Repository } from '../../store/repositories.ts';
import type { ActivityDeps } from '../deps.ts';
import { changedFiles } from '../workspace.ts';
import { contains, type LandedCommit } from './build.ts';

export type LandAttempt =
  | ({
      kind: 'landed'; evidence: EvidenceRef[];
      /** Whether it was the branch's tip when it was read back. */
      at_tip?: boolean;
    } & LandedCommit)
  | { kind: 'base_moved'; now?: string }
  | { kind: 'blocked'; reason: string }
  | { kind: 'violation'; reason: string };

export interface LandInput {
  request: LandingRequest;
  commit: string;
  tree: string;
  tip: string;
  parents: string[];
  /** It does to the tip what the candidate does to its base, to the letter. Absent: not known. */
  same_patch?: boolean;
}

/**
 * For a local origin with the branch checked out, its worktree is updated too, and only if it is clean.
 * Settings given to the client never reach receive-pack, so they are given to receive-pack itself. The text is a
 * constant: nothing of a mission or a repository gets into it.
 */
const receivePack = ['git -c core.hooksPath=/dev/null -c core.fsmonitor=false -c core.alternateRefsCommand=true -c receive.autogc=false',
  '-c receive.denyCurrentBranch=updateInstead receive-pack'].join(' ');

export async function pushLanding(deps: ActivityDeps, repository: Repository, input: LandInput, signal: AbortSignal): Promise<LandAttempt> {
  const { git, mirrors } = deps;
  const { request, commit, tip } = input;
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
    if (!await contains(git, gitDir, now.commit, commit)) {
      if (now.commit !== tip || /stale info|fetch first|non-fast-forward/.test(said)) return { kind: 'base_moved', now: now.commit };
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

/**
 * Law: landed tree = tested tree, compared after every landing, with the parents and the files. The origin names its
 * commit, and a commit's id is a digest of its tree and parents: computed anew from what was planned, it proves them.
 */
async function readBack(
  deps: ActivityDeps, repository: Repository, gitDir: string, { request, commit, tree, parents, same_patch: samePatch }: LandInput, signal: AbortSignal,
): Promise<LandAttempt> {
  const { git, mirrors, artifacts } = deps;
  const violation = (reason: string): LandAttempt => ({ kind: 'violation', reason });
  const planned = commitId({ tree, parents, message: request.message, time: request.commit_time });
  if (planned !== commit) return violation(`${commit} is not the commit of tree ${tree} on ${parents.join(' ')}`);
  let tip = await mirrors.originTip(repository, request.target_branch, signal);
  if (tip !== commit) {
    // Somebody went on from it already, or it is not there at all.
    tip = (await mirrors.fetchTip(repository, request.target_branch, signal)).commit;
    if (!await contains(git, gitDir, tip, commit)) return violation(`${request.target_branch} is at ${tip} and does not contain ${commit}`);
  }
  if (request.kind === 'land' && samePatch !== true) {
    const own = new Set(await changedFiles(deps, gitDir, request.base, request.head));
    const foreign = (await changedFiles(deps, gitDir, parents[0]!, commit)).filter((file) => !own.has(file));
    if (foreign.length > 0) return violation(`the landing changed files outside of the patch: ${foreign.join(', ')}`);
  }
  const landed = { commit, tree, parents };
  const record = await artifacts.putJson({ ...landed, target_branch: request.target_branch, read_back_tip: tip });
  return {
    kind: 'landed', ...landed, at_tip: tip === commit,
    evidence: [evidence('landing', record, `${request.target_branch} contains ${commit.slice(0, 12)}, tree ${tree.slice(0, 12)}`)],
  };
}
