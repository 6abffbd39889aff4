/** Taking in a tracked mission: the work is done elsewhere, so there is no repository, no window and nothing to approve. */
import type { MissionPackage } from '../domain/mission-package.ts';
import { resolveWindow } from '../domain/observation.ts';
import { createMissionSchema, trustRequirementsSchema, type CreateMission } from '../domain/schema/mission-package.ts';
import { trackedWorkSchema, type CreateTracked } from '../domain/schema/tracked.ts';
import { insertTracked } from '../store/tracked.ts';
import type { ApiDeps } from './context.ts';
import { Problem } from './problem.ts';
import { storeMission, type Sender } from './store-mission.ts';

/** What a create body may say of a coding mission and nobody would act on here. */
const notOfATrackedOne = [
  'workspace', 'workspace_repo_path', 'workspace_branch', 'acceptance_criteria', 'trust_requirements', 'budget',
] as const;

/** @throws Problem naming what does not apply */
export function refuseForTracked(sent: object): void {
  const errors = notOfATrackedOne.filter((name) => Object.hasOwn(sent, name)).map((path) => ({ path, message: 'does not apply to a tracked mission' }));
  if (errors.length > 0) throw new Problem(422, 'INVALID_MISSION', errors.map(({ path, message }) => `${path}: ${message}`).join('; '), errors);
}

/** The dashboard's own body as a create body. */
export function fromDashboard(body: CreateTracked): CreateMission {
  const { priority, title, description, subsystem_id, assigned_to, labels, execute, ...work } = body;
  return createMissionSchema.parse({
    mission_type: 'tracked', title, subsystem_id, severity: priority, assigned_to, labels, execute, tracked: work,
    ...(description === undefined || description === '' ? {} : { description }),
  });
}

/** @returns the stored package; that of the first request when the key was used before */
export async function storeTracked(deps: ApiDeps, body: CreateMission, sender: Sender): Promise<MissionPackage> {
  const { stale_after_minutes, ...introduction } = body.tracked ?? trackedWorkSchema.parse({});
  const { git_sha, git_tree, config_hash, env, branch, version } = body.context;
  return storeMission(deps, body, sender, () => ({
    context: {
      git_sha: git_sha ?? null, git_tree: git_tree ?? null, config_hash: config_hash ?? null, env: env ?? deps.config.environment,
      branch: branch ?? null, version: version ?? null,
    },
    acceptance_criteria: {
      must_pass_tests: [], metric_targets: [], observation_window_minutes: 30,
      observation_window: { ...resolveWindow(30, undefined, []), reason: 'a tracked mission ends by what is reported, and has no window' },
    },
    workspace: null, trust_requirements: { ...trustRequirementsSchema.parse({}), requires_governance_approval: false },
    tracked: { stale_after_minutes },
  }), async (query, missionId) => insertTracked(query, missionId, introduction));
}
