/** Taking a mission in: every rule that can be checked now is, and nothing is written when one is broken. */
import type { Principal } from '../domain/actor.ts';
import type { MissionPackage, PatchCandidate } from '../domain/mission-package.ts';
import { resolveWindow, whatCannotPass } from '../domain/observation.ts';
import type { CreateMission } from '../domain/schema/mission-package.ts';
import { digestOf } from '../ledger/canonical.ts';
import { findMission } from '../store/missions.ts';
import { readPolicy } from '../store/policy.ts';
import type { ApiDeps } from './context.ts';
import { refuseForTracked, storeTracked } from './create-tracked.ts';
import { Problem, type FieldError } from './problem.ts';
import { repositoryOf, requireBranch } from './repositories.ts';
import { refuseWithoutSandbox } from './sandbox.ts';
import { requireSignatures } from './signatures.ts';
import { missionOfKey, storeMission, type Sender } from './store-mission.ts';

const defaultWindowMinutes = 30;
/** Seven days at the default interval are 20,160. A workflow that had to lay out a billion would take its worker with it. */
const maxTicks = 25_000;

/**
 * Stores a mission and its event, once per Idempotency-Key.
 * @param sent the body before defaults were filled in: what signatures are over
 * @returns the stored package; that of the first request when the key was used before
 * @throws Problem naming the field
 */
export async function createMission(
  deps: ApiDeps, { body, sent }: { body: CreateMission; sent: object }, principal: Principal, idempotencyKey: string | undefined,
): Promise<MissionPackage> {
  const sender: Sender = { principal, key: idempotencyKey, bodyDigest: digestOf(body) };
  const known = await missionOfKey(deps, sender);
  if (known !== undefined) return known;
  if (body.mission_type === 'tracked') {
    refuseForTracked(sent);
    await requireSignatures(deps, body.crypto_signatures, sent);
    if (body.parent_mission_id !== undefined) await refuseParent(deps, body.parent_mission_id);
    return storeTracked(deps, body, sender);
  }
  refuseContradictions(body);
  await requireSignatures(deps, body.crypto_signatures, sent);
  const workspace = workspaceOf(body);
  await refuseUnknownMetrics(deps, body);
  await refuseUnobserved(deps, body);
  if (body.execute) await refuseWithoutSandbox(deps);
  const repository = await repositoryOf(deps, workspace, principal);
  const targetBranch = workspace.target_branch ?? repository.default_branch;
  await requireBranch(deps, repository, targetBranch);
  if (body.parent_mission_id !== undefined) await refuseParent(deps, body.parent_mission_id);
  await refuseUnknownDependencies(deps, workspace.dependencies);
  const candidates = await storeCandidates(deps, workspace.patch_candidates);

  const { acceptance_criteria: criteria, context } = body;
  const minutes = criteria.observation_window_minutes ?? criteria.observation_window?.duration_minutes ?? defaultWindowMinutes;
  return storeMission(deps, body, sender, (missionId) => ({
    context: {
      git_sha: context.git_sha ?? null, git_tree: context.git_tree ?? null, config_hash: context.config_hash ?? null,
      env: context.env ?? deps.config.environment, branch: context.branch ?? targetBranch, version: context.version ?? null,
    },
    acceptance_criteria: {
      must_pass_tests: criteria.must_pass_tests, metric_targets: criteria.metric_targets,
      observation_window_minutes: minutes,
      observation_window: resolveWindow(minutes, criteria.observation_window, criteria.metric_targets),
    },
    workspace: {
      repo_path: repository.kind === 'path' ? repository.origin : null, repository: repository.name,
      repository_id: repository.repository_id, target_branch: targetBranch,
      working_branch: workspace.working_branch ?? `mission-control/${missionId}`,
      patch_candidates: candidates, dependencies: [...new Set(workspace.dependencies)],
    },
    trust_requirements: body.trust_requirements,
  }));
}

type Workspace = NonNullable<CreateMission['workspace']>;

/** The nested form and the seed's flat form of the same thing. */
function workspaceOf(body: CreateMission): Workspace {
  const nested = body.workspace ?? { patch_candidates: [], dependencies: [] };
  const workspace: Workspace = {
    ...nested,
    repo_path: nested.repo_path ?? body.workspace_repo_path,
    working_branch: nested.working_branch ?? body.workspace_branch,
  };
  const named = [workspace.repo_path, workspace.repository].filter((name) => name !== undefined);
  if (named.length !== 1) {
    throw new Problem(422, 'REPOSITORY_MISSING', named.length === 0
      ? 'a coding mission needs workspace.repo_path or workspace.repository' : 'workspace.repo_path and workspace.repository are both given',
    [{ path: 'workspace', message: 'name exactly one of repo_path and repository' }]);
  }
  return workspace;
}

/** What each field allows and the fields together do not; and what is not offered yet is refused, not ignored. */
function refuseContradictions(body: CreateMission): void {
  const { observation_window: window, observation_window_minutes: minutes, metric_targets: targets } = body.acceptance_criteria;
  const errors: FieldError[] = [];
  let code = 'INVALID_MISSION';
  const refuse = (path: string, message: string, as = code): void => {
    errors.push({ path, message });
    code = as;
  };
  if (minutes !== undefined && window?.duration_minutes !== undefined && minutes !== window.duration_minutes) {
    refuse('acceptance_criteria.observation_window.duration_minutes', 'differs from observation_window_minutes');
  }
  if (window?.metrics === 'none' && window.reason === undefined) {
    refuse('acceptance_criteria.observation_window.reason', 'metrics "none" needs a reason');
  }
  if (window?.metrics === 'none' && targets.length > 0) {
    refuse('acceptance_criteria.observation_window.metrics', 'is "none", and metric_targets are given');
  }
  if (window?.metrics === undefined && targets.length === 0) {
    refuse('acceptance_criteria.observation_window.metrics',
      'nothing is observed: give metric_targets, metrics, or metrics "none" with a reason', 'OBSERVATION_MISSING');
  }
  const seconds = (minutes ?? window?.duration_minutes ?? defaultWindowMinutes) * 60;
  if (window?.interval_seconds !== undefined && seconds / window.interval_seconds > maxTicks) {
    refuse('acceptance_criteria.observation_window.interval_seconds', `is too short: the window would have more than ${maxTicks} samples of each metric`);
  } else {
    for (const { path, message } of whatCannotPass(resolveWindow(seconds / 60, window, targets))) {
      refuse(`acceptance_criteria.observation_window.${path}`, message);
    }
  }
  if (body.workspace_repo_path !== undefined && body.workspace?.repo_path !== undefined) refuse('workspace_repo_path', 'workspace.repo_path is given too');
  if (body.workspace_branch !== undefined && body.workspace?.working_branch !== undefined) refuse('workspace_branch', 'workspace.working_branch is given too');
  if (body.tracked !== undefined) refuse('tracked', `does not apply to a ${body.mission_type} mission`);
  if (body.mission_type !== 'coding') refuse('mission_type', `${body.mission_type} missions are not offered yet`, 'NOT_OFFERED');
  if (errors.length > 0) throw new Problem(422, code, errors.map((e) => `${e.path}: ${e.message}`).join('; '), errors);
}

async function refuseUnknownMetrics(deps: ApiDeps, body: CreateMission): Promise<void> {
  const { metric_targets: targets, observation_window: window } = body.acceptance_criteria;
  const named = [
    ...targets.map((target, i) => ({ id: target.metric_id, path: `acceptance_criteria.metric_targets.${i}.metric_id` })),
    ...(Array.isArray(window?.metrics) ? window.metrics : []).map((metric, i) =>
      ({ id: metric.metric_id, path: `acceptance_criteria.observation_window.metrics.${i}.metric_id` })),
    ...(Array.isArray(window?.metrics) ? window.metrics : []).flatMap(({ baseline }, i) => (baseline?.kind === 'peer'
      ? [{ id: baseline.peer_metric_id, path: `acceptance_criteria.observation_window.metrics.${i}.baseline.peer_metric_id` }] : [])),
  ];
  const known = new Set((await deps.catalog.all()).map((metric) => metric.metric_id));
  const errors = named.filter(({ id }) => !known.has(id))
    .map(({ id, path }) => ({ path, message: `${id} is not in the catalog; add it by PUT /mission-control/metrics/${id}` }));
  if (errors.length > 0) throw new Problem(422, 'METRIC_UNKNOWN', errors[0]!.message, errors);
}

async function refuseUnobserved(deps: ApiDeps, body: CreateMission): Promise<void> {
  if (body.acceptance_criteria.observation_window?.metrics !== 'none') return;
  const policy = await readPolicy(deps.config.configFolder);
  if (policy.observation.allow_unobserved) return;
  throw new Problem(422, 'OBSERVATION_MISSING', 'the policy forbids windows without metrics',
    [{ path: 'acceptance_criteria.observation_window.metrics', message: 'must name metrics' }]);
}

async function refuseParent(deps: ApiDeps, parentId: string): Promise<void> {
  let depth = 1;
  for (let id: string | null = parentId; id !== null; depth += 1) {
    const parent = await findMission(deps.database.query, id);
    if (parent === undefined) {
      throw new Problem(422, 'PARENT_UNKNOWN', `there is no mission ${id}`, [{ path: 'parent_mission_id', message: 'not there' }]);
    }
    if (depth > 3) {
      throw new Problem(422, 'TOO_DEEP', 'missions nest at most 3 deep', [{ path: 'parent_mission_id', message: 'too deep' }]);
    }
    id = parent.package.parent_mission_id;
  }
}

async function refuseUnknownDependencies(deps: ApiDeps, ids: readonly string[]): Promise<void> {
  const found = await Promise.all(ids.map((id) => findMission(deps.database.query, id)));
  const errors = ids.flatMap((id, i) => (found[i] === undefined ? [{ path: `workspace.dependencies.${i}`, message: `there is no mission ${id}` }] : []));
  if (errors.length > 0) throw new Problem(422, 'DEPENDENCY_UNKNOWN', errors[0]!.message, errors);
}

/** Diffs become artefacts before the transaction: an artefact nobody names does no harm, a missing one would. */
async function storeCandidates(deps: ApiDeps, candidates: Workspace['patch_candidates']): Promise<PatchCandidate[]> {
  return Promise.all(candidates.map(async (candidate, i): Promise<PatchCandidate> => {
    if (candidate.kind === 'branch' || candidate.kind === 'commit') return candidate;
    if (candidate.kind === 'diff' && candidate.text !== undefined) {
      const stored = await deps.artifacts.put(candidate.text, 'text/x-diff');
      return { kind: 'diff', artifact: stored.sha256, size_bytes: stored.size_bytes };
    }
    const known = await deps.artifacts.describe(candidate.artifact!);
    if (known === undefined) {
      throw new Problem(422, 'ARTIFACT_UNKNOWN', `no artefact ${candidate.artifact}; send it by POST /mission-control/artifacts`,
        [{ path: `workspace.patch_candidates.${i}.artifact`, message: 'not stored' }]);
    }
    return { kind: candidate.kind, artifact: known.sha256, size_bytes: known.size_bytes };
  }));
}
