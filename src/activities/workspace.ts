/** Stages 2 and 3, pull_code and branch_and_patch: a clean worktree at the base, and the candidate as a commit. */
import { randomUUID } from 'node:crypto';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import picomatch from 'picomatch';
import type { AdoptMissionInput, AppliedCandidate, ApplyCandidateInput, PullCodeInput } from '../domain/coding.ts';
import type { EvidenceRef, StageOutcome } from '../domain/stages.ts';
import { evidence, type StoredArtifact } from '../store/artifacts.ts';
import { findRepository } from '../store/repositories.ts';
import type { ActivityDeps } from './deps.ts';
import { failure, hasCode } from '../engine/failure.ts';
import { candidateRef } from '../git/mirror.ts';
import { patchIdOf } from '../git/patch-id.ts';
import { countFiles } from '../git/tree-limits.ts';
import { changesBetween, maxChangedFiles, vet } from '../git/vetting.ts';
import { withHeartbeat } from './heartbeat.ts';
import { tellNextInLine } from './room.ts';
import { prepareWorktree } from './worktree.ts';

export const workspaceActivities = (deps: ActivityDeps) => ({
  /** Stage 2. Safe to repeat: the same mission gets the same slot, reset and cleaned. */
  async pullCode(input: PullCodeInput): Promise<StageOutcome> {
    return withHeartbeat(async (signal) => {
      const started = Date.now();
      const worktree = await prepareWorktree(deps, input.repository_id, input.mission_id, input.base, input.setup, signal);
      try {
        const { setup_ms, dependencies } = worktree;
        const record = await deps.artifacts.putJson({
          commit: input.base.commit, tree: input.base.tree, clean: true, setup_ms, dependencies, total_ms: Date.now() - started,
        });
        return {
          outcome: 'passed', reason: null,
          evidence: [evidence('workspace', record, `clean worktree, tree ${input.base.tree.slice(0, 12)}, dependencies: ${dependencies.cache}`)],
        };
      } finally {
        await worktree.release();
      }
    });
  },

  /**
   * Stage 3. The patch is applied to an index of its own, vetted as a tree, and committed in the mirror.
   * Safe to repeat: author, dates and message are inputs, so a repeat makes the same commit.
   */
  async applyCandidate(input: ApplyCandidateInput): Promise<AppliedCandidate> {
    return withHeartbeat(() => applyCandidate(deps, input));
  },

  /** What a mission stands on, in this host's mirror: its own host is gone. Safe to repeat. */
  async adoptMission(input: AdoptMissionInput): Promise<void> {
    return withHeartbeat((signal) => adoptMission(deps, input, signal));
  },

  /** Frees what the mission may still hold, and kills what still runs for it. */
  async releaseWorkspace(input: { mission_id: string; repository_id: string }): Promise<void> {
    await deps.processes.sweep(input.mission_id);
    await deps.worktrees.release(input.repository_id, input.mission_id);
    await tellNextInLine(deps, input.repository_id);
  },
});

async function applyCandidate(deps: ActivityDeps, input: ApplyCandidateInput): Promise<AppliedCandidate> {
  const { git, mirrors, artifacts } = deps;
  const gitDir = mirrors.pathOf(input.repository_id);
  const tree = await treeOf(deps, input);
  const refuse = (reason: string): AppliedCandidate =>
    ({ outcome: 'failed', reason, evidence: tree.evidence, candidate: null });

  if ('problem' in tree) return refuse(`candidate ${input.number} does not apply: ${tree.problem}`);
  if (tree.tree === input.base.tree) return refuse(`candidate ${input.number} changes nothing`);
  const vetting = await vet(git, gitDir, input.base.tree, tree.tree);
  if (vetting.refused.length > 0) {
    const named = vetting.refused.slice(0, 20).map(({ code, path, rule }) => `${path || 'the patch'}: ${rule} (${code})`);
    return refuse(`candidate ${input.number} is refused: ${named.join('; ')}`);
  }

  const dates = { GIT_AUTHOR_DATE: input.commit_time, GIT_COMMITTER_DATE: input.commit_time };
  const commit = await git.text(['commit-tree', tree.tree, '-p', input.base.commit, '-F', '-'],
    { gitDir, env: dates, input: input.message });
  await git.run(['update-ref', candidateRef(input.mission_id, input.number), commit], { gitDir });
  const patchId = await patchIdOf(git, gitDir, input.base.commit, commit);
  const files = vetting.changes.map((change) => change.path);
  const isProtected = picomatch(input.protected_paths, { dot: true });
  const touched = input.protected_paths.length === 0 ? [] : files.filter((file) => isProtected(file));
  const bundle = await bundleOf(deps, gitDir, candidateRef(input.mission_id, input.number), input.base.commit);
  const record = await artifacts.putJson({ commit, tree: tree.tree, patch_id: patchId, files, touched_protected_paths: touched });
  return {
    outcome: 'passed', reason: null,
    evidence: [
      ...tree.evidence, evidence('candidate', record, `commit ${commit.slice(0, 12)}, ${files.length} files`),
      evidence('bundle', bundle, `commit ${commit.slice(0, 12)} as a git bundle on the base`),
    ],
    candidate: { commit, tree: tree.tree, patch_id: patchId, files, touched_protected_paths: touched, bundle: bundle.sha256 },
  };
}

/** The candidate outside of any one host's mirror: nothing of it is lost with a host, and its ref may be tidied away. */
async function bundleOf({ git, artifacts }: ActivityDeps, gitDir: string, ref: string, base: string): Promise<StoredArtifact> {
  const { stdout } = await git.run(['bundle', 'create', '--quiet', '-', ref, `^${base}`], { gitDir });
  return artifacts.put(stdout, 'application/x-git-bundle');
}

async function adoptMission(deps: ActivityDeps, { mission_id, repository_id, target_branch, base, candidate }: AdoptMissionInput, signal: AbortSignal): Promise<void> {
  const { git, mirrors, artifacts, database } = deps;
  const repository = await findRepository(database, repository_id);
  if (repository === undefined) throw failure('REPOSITORY_UNREACHABLE', `no repository ${repository_id}`);
  await mirrors.fetchTip(repository, target_branch, signal);
  await mirrors.fetchCommit(repository, base.commit);
  if (candidate === null) return;
  const gitDir = mirrors.pathOf(repository_id);
  const path = artifacts.pathOf(candidate.bundle);
  await artifacts.read(candidate.bundle).catch(() => {
    throw failure('ARTIFACT_MISSING', `the candidate's bundle ${candidate.bundle} is not in the artefact store: hosts must share it`);
  });
  await git.run(['bundle', 'unbundle', path], { gitDir });
  await git.run(['update-ref', candidateRef(mission_id, candidate.number), candidate.commit], { gitDir });
}

type Applied = { tree: string } | { problem: string };

/** The tree that the candidate makes of the base, whatever kind it is, and what it came as. */
async function treeOf(deps: ActivityDeps, input: ApplyCandidateInput): Promise<Applied & { evidence: EvidenceRef[] }> {
  const { artifacts, mirrors } = deps;
  const { candidate, base, number } = input;
  const gitDir = mirrors.pathOf(input.repository_id);
  if (candidate.kind === 'branch' || candidate.kind === 'commit') {
    const source = await artifacts.putJson({ ...candidate });
    const applied = await mergeOf(deps, gitDir, base.commit, await fetchCandidate(deps, input.repository_id, candidate));
    return { ...applied, evidence: [evidence('patch', source, `candidate ${number}, ${candidate.kind} ${candidate.ref}`)] };
  }
  const bytes = await artifacts.read(candidate.artifact).catch(() => {
    throw failure('ARTIFACT_MISSING', `the ${candidate.kind} ${candidate.artifact} is not in the artefact store`);
  });
  const media_type = candidate.kind === 'diff' ? 'text/x-diff' : 'application/x-git-bundle';
  const source = evidence('patch', { sha256: candidate.artifact, size_bytes: bytes.length, media_type }, `candidate ${number}, ${candidate.kind} of ${bytes.length} bytes`);
  const applied = candidate.kind === 'diff'
    ? await applyToTree(deps, gitDir, base.commit, bytes)
    : await mergeOf(deps, gitDir, base.commit, await unbundle(deps, gitDir, artifacts.pathOf(candidate.artifact)));
  return { ...applied, evidence: [source] };
}

/** A commit of the origin, in our mirror; null when the origin does not have it. */
async function fetchCandidate(
  { database, mirrors }: ActivityDeps, repositoryId: string, candidate: { kind: 'branch' | 'commit'; ref: string },
): Promise<string | { problem: string }> {
  const repository = await findRepository(database, repositoryId);
  if (repository === undefined) throw failure('REPOSITORY_UNREACHABLE', `no repository ${repositoryId}`);
  try {
    return candidate.kind === 'branch'
      ? (await mirrors.fetchTip(repository, candidate.ref)).commit
      : await mirrors.fetchCommit(repository, candidate.ref);
  } catch (error) {
    if (hasCode(error, 'BRANCH_UNKNOWN')) return { problem: `the origin has no ${candidate.kind} ${candidate.ref}` };
    // The candidate's own fault: the next one is tried.
    if (hasCode(error, 'REPO_LIMIT') || hasCode(error, 'REPOSITORY_UNSOUND')) return { problem: `${error.message} (${error.type})` };
    throw error;
  }
}

/** The newest commit that a bundle brings. */
async function unbundle({ git }: ActivityDeps, gitDir: string, path: string): Promise<string | { problem: string }> {
  const heads = await git.run(['bundle', 'list-heads', path], { gitDir, okCodes: [1, 128] });
  const [commit] = heads.stdout.toString('utf8').split(/\s/);
  if (heads.code !== 0 || !commit) return { problem: `not a git bundle: ${heads.stderr.trim().slice(0, 300)}` };
  const { code, stderr } = await git.run(['bundle', 'unbundle', path], { gitDir, okCodes: [1, 128] });
  return code === 0 ? commit : { problem: `the bundle cannot be read: ${stderr.trim().slice(0, 300)}` };
}

/** What the commit makes of the base: its own tree when it stands on the base, else the merge of both. */
async function mergeOf({ git }: ActivityDeps, gitDir: string, base: string, commit: string | { problem: string }): Promise<Applied> {
  if (typeof commit !== 'string') return commit;
  // Counted before git merges or compares it: both put every file of a tree into memory.
  const most = 2 * await countFiles(git, gitDir, base, git.limits.tree_entries) + maxChangedFiles;
  if (await countFiles(git, gitDir, commit, most) > most) return { problem: `it has more than ${most} files (PATCH_LIMIT)` };
  const merged = await git.run(['merge-tree', '--write-tree', '--name-only', '-z', '--no-messages', base, commit], { gitDir, okCodes: [1, 128] });
  const [tree, ...conflicts] = merged.stdout.toString('utf8').split('\0').filter((part) => part !== '');
  if (merged.code === 0) return { tree: tree! };
  return { problem: merged.code === 1 ? `conflicts with the base in ${conflicts.join(', ')}` : merged.stderr.trim().slice(0, 300) };
}

async function applyToTree({ config, git }: ActivityDeps, gitDir: string, base: string, patch: Buffer): Promise<Applied> {
  const folder = join(config.home, 'scratch');
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const indexFile = join(folder, `index-${randomUUID()}`);
  try {
    await git.run(['read-tree', base], { gitDir, indexFile });
    const { code, stderr } = await git.run(['apply', '--cached', '--whitespace=nowarn', '-'],
      { gitDir, indexFile, input: patch, okCodes: [1, 128] });
    if (code !== 0) {
      const said = stderr.trim().replaceAll(/^error: /gm, '').slice(0, 1_000);
      // What git itself does not apply, whatever the tree looks like.
      return { problem: /invalid path '|is beyond a symbolic link/.test(said) ? `${said} (PATCH_PATH_FORBIDDEN)` : said };
    }
    return { tree: await git.text(['write-tree'], { gitDir, indexFile }) };
  } finally {
    await Promise.all([indexFile, `${indexFile}.lock`].map((path) => rm(path, { force: true })));
  }
}

export const changedFiles = async ({ git }: Pick<ActivityDeps, 'git'>, gitDir: string, from: string, to: string): Promise<string[]> =>
  (await changesBetween(git, gitDir, from, to)).map((change) => change.path);
