/** Building what is to land, in the mirror and without a worktree: the merge of a candidate, or the revert of a landing. */
import type { CommitRef } from '../../domain/coding.ts';
import type { LandingRequest } from '../../domain/landing.ts';
import { writeCommit } from '../../git/commit.ts';
import { GitError, type Git } from '../../git/git.ts';
import { landingRef } from '../../git/mirror.ts';
import { patchIdOf } from '../../git/patch-id.ts';
import type { ActivityDeps } from '../deps.ts';

export type BuiltLanding =
  | {
      kind: 'built'; commit: string; tree: string; tip: CommitRef; parents: string[]; patch_id: string;
      /** The target contains it already: an earlier run got that far, tests included. */
      landed_before: boolean;
    }
  | { kind: 'already_reverted' }
  | Conflict;

/** `unrelated`: the target was rewritten from its root on. */
interface Conflict { kind: 'conflict'; paths: string[]; unrelated?: true }

export interface LandedCommit { commit: string; tree: string; parents: string[] }

type Deps = Pick<ActivityDeps, 'git' | 'mirrors'>;

export async function buildMerge(deps: Deps, request: LandingRequest, tip: CommitRef): Promise<BuiltLanding> {
  const { git } = deps;
  const gitDir = deps.mirrors.pathOf(request.repository_id);
  const merged = await merge(git, gitDir, tip.commit, request.head);
  if (merged.kind === 'conflict') return merged;
  const { tree } = merged;
  // Nothing to merge: an earlier run landed it, or somebody else brought the same change in.
  const before = tree === tip.tree ? await landingOf(git, gitDir, request.head, tip.commit) : undefined;
  if (before !== undefined) return landedBefore(deps, request, before);
  const parents = [tip.commit, request.head];
  const commit = await writeCommit(git, gitDir, { tree, parents, message: request.message, time: request.commit_time });
  const unmoved = tip.commit === request.base && tree === request.approved_tree;
  return {
    kind: 'built', commit, tree, tip, parents, landed_before: false,
    patch_id: unmoved ? request.patch_id : await patchIdOf(git, gitDir, tip.commit, commit),
  };
}

/** A revert is the merge of "what M brought in, taken away": a commit with the tree of M's first parent on top of M. */
export async function buildRevert(deps: Deps, request: LandingRequest, tip: CommitRef): Promise<BuiltLanding> {
  const { git } = deps;
  const gitDir = deps.mirrors.pathOf(request.repository_id);
  const ref = landingRef(request.mission_id, 'revert');
  const before = await knownRevert(git, gitDir, ref, tip.commit);
  if (before !== undefined) return landedBefore(deps, request, before);
  const { commit_time: time } = request;
  const undone = await git.text(['rev-parse', '--verify', '--end-of-options', `${request.head}^1^{tree}`], { gitDir });
  const undo = await writeCommit(git, gitDir, { tree: undone, parents: [request.head], message: `Undo ${request.head}\n`, time });
  const merged = await merge(git, gitDir, tip.commit, undo);
  if (merged.kind === 'conflict') return merged;
  const { tree } = merged;
  if (tree === tip.tree) return { kind: 'already_reverted' };
  const commit = await writeCommit(git, gitDir, { tree, parents: [tip.commit], message: request.message, time });
  // A landed revert has no parent that names it: what was built is noted before it is pushed.
  await git.run(['update-ref', ref, commit], { gitDir });
  return { kind: 'built', commit, tree, tip, parents: [tip.commit], patch_id: '', landed_before: false };
}

async function merge(git: Git, gitDir: string, tip: string, head: string): Promise<{ kind: 'merged'; tree: string } | Conflict> {
  const args = ['merge-tree', '--write-tree', '--name-only', '-z', '--no-messages', tip, head];
  const result = await git.run(args, { gitDir, okCodes: [1, 128] });
  const { code, stdout, stderr } = result;
  if (code === 128) {
    if (!stderr.includes('refusing to merge unrelated histories')) throw new GitError(args, result);
    return { kind: 'conflict', paths: [], unrelated: true };
  }
  const [tree, ...paths] = stdout.toString('utf8').split('\0').filter((part) => part !== '') as [string, ...string[]];
  return code === 1 ? { kind: 'conflict', paths } : { kind: 'merged', tree };
}

async function landedBefore({ mirrors }: Deps, request: LandingRequest, before: LandedCommit): Promise<BuiltLanding> {
  const onto = await mirrors.resolve(request.repository_id, before.parents[0]!);
  return { kind: 'built', ...before, tip: onto, patch_id: request.patch_id, landed_before: true };
}

/** How far back a mission's own landing is looked for. */
const commitsLookedAt = 10_000;

/** The merge of `head` that the tip has, if there is one. */
async function landingOf(git: Git, gitDir: string, head: string, tip: string): Promise<LandedCommit | undefined> {
  const log = await git.text(['log', `--max-count=${commitsLookedAt}`, '--merges', '--format=%H %T %P', '--end-of-options', `${head}..${tip}`], { gitDir });
  return log.split('\n').map(commitOf).find((commit) => commit.parents[1] === head);
}

/** The revert of an earlier run, if the target contains it. */
async function knownRevert(git: Git, gitDir: string, ref: string, tip: string): Promise<LandedCommit | undefined> {
  const known = await git.run(['log', '-1', '--format=%H %T %P', '--end-of-options', ref], { gitDir, okCodes: [128] });
  const revert = commitOf(known.stdout.toString('utf8').trim());
  return known.code === 0 && await contains(git, gitDir, tip, revert.commit) ? revert : undefined;
}

/** A line of `--format=%H %T %P`. */
function commitOf(line: string): LandedCommit {
  const [commit, tree, ...parents] = line.split(' ');
  return { commit: commit!, tree: tree!, parents: parents.filter((parent) => parent !== '') };
}

export const contains = async (git: Git, gitDir: string, tip: string, commit: string): Promise<boolean> =>
  (await git.run(['merge-base', '--is-ancestor', commit, tip], { gitDir, okCodes: [1] })).code === 0;
