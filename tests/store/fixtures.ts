/** Things to store: valid, small, and each with a name of its own. */
import { randomUUID } from 'node:crypto';
import { systemActor } from '../../src/domain/actor.ts';
import { noSubject, type NewEvent } from '../../src/domain/event.ts';
import type { MissionPackage } from '../../src/domain/mission-package.ts';
import type { MissionRecord } from '../../src/domain/record.ts';
import { pendingStage, type StageRecord } from '../../src/domain/stages.ts';
import { resolveWindow } from '../../src/domain/observation.ts';
import type { Database } from '../../src/store/database.ts';
import { insertMission, newMissionId } from '../../src/store/missions.ts';
import { registerRepository, type Repository } from '../../src/store/repositories.ts';

export const actor = systemActor('test');

export const event = (more: Partial<NewEvent> = {}): NewEvent =>
  ({ type: 'mission.created', actor, subject: noSubject, payload: { n: 1 }, idempotency_key: randomUUID(), ...more });

export const aRepository = (database: Database): Promise<Repository> => {
  const name = `repository-${randomUUID()}`;
  return registerRepository(database, {
    name, origin: `/repositories/${name}`, kind: 'path', default_branch: 'main',
    settings: { commands: {}, stress_thresholds: [], protected_paths: [] },
  }, actor);
};

export const missionPackage = (id: string, repository: Repository, more: Partial<MissionPackage> = {}): MissionPackage => ({
  mission_id: id, mission_type: 'coding', title: 'Adding is wrong', description: null, subsystem_id: 'calculator', severity: 'medium',
  detected_by: null, assigned_to: null, symptoms: [], labels: [], remediation_history: [], crypto_signatures: [], budget: null,
  context: { git_sha: null, git_tree: null, config_hash: null, env: 'test', branch: 'main', version: null },
  acceptance_criteria: {
    must_pass_tests: ['adds'], metric_targets: [], observation_window_minutes: 30, observation_window: resolveWindow(30, undefined, []),
  },
  workspace: {
    repo_path: repository.origin, repository: repository.name, repository_id: repository.repository_id, target_branch: 'main',
    working_branch: `mission-control/${id}`, patch_candidates: [], dependencies: [],
  },
  trust_requirements: { required_trust_score: 0, allowed_roles: [], memory_write_scope: 'persist', requires_governance_approval: true },
  created_by: 'agent', created_at: new Date().toISOString(), parent_mission_id: null, ...more,
});

/** Stores a mission the way the API does: id and row in one transaction. @returns its id */
export const aMission = (database: Database, repository: Repository, more: Partial<MissionPackage> = {}): Promise<string> =>
  database.transaction(async (query) => {
    const id = await newMissionId(query, new Date(more.created_at ?? Date.now()));
    await insertMission(query, missionPackage(id, repository, more), false);
    return id;
  });

export const record = (missionId: string, seq: number, more: Partial<MissionRecord> = {}): MissionRecord =>
  ({ mission_id: missionId, seq, state: {}, stages: [], events: [], ...more });

export const stage = (more: Partial<StageRecord> = {}): StageRecord => ({
  ...pendingStage('run_tests'), status: 'running', attempt: 1, started_at: '2025-01-10T12:00:00.000Z', ...more,
});
