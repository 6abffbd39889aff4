/** Asks for a healing mission: one row, its events, and its workflow. */
import type { Client } from '@temporalio/client';
import type { Actor } from '../domain/actor.ts';
import type { HealingRequest } from '../domain/healing.ts';
import type { HealingPackage } from '../domain/mission-package.ts';
import { resolveWindow } from '../domain/observation.ts';
import { noSubject } from '../domain/event.ts';
import { digestOf } from '../ledger/canonical.ts';
import type { Database, Query } from '../store/database.ts';
import { insertEvents } from '../store/events.ts';
import { claimKey } from '../store/idempotency.ts';
import { insertMission, newMissionId } from '../store/missions.ts';
import { startMission } from './start-mission.ts';

/** This Idempotency-Key asked for this mission before. */
class AskedBefore extends Error {
  readonly missionId: string;
  readonly sameRequest: boolean;
  constructor(missionId: string, sameRequest: boolean) {
    super(missionId);
    this.missionId = missionId;
    this.sameRequest = sameRequest;
  }
}

/** @returns the mission of this key; undefined when the key was used for another request */
export async function requestHealingOnce(
  deps: { database: Database; temporal: Client }, request: HealingRequest, actor: Actor, key: string,
): Promise<string | undefined> {
  try {
    return (await requestHealing(deps, request, actor, key))!;
  } catch (error) {
    // Thrown, so that nothing of the second mission is left.
    if (error instanceof AskedBefore) return error.sameRequest ? error.missionId : undefined;
    throw error;
  }
}

/**
 * Creates and starts a healing mission. At most one for a finding, however often it is asked for.
 * A crash between row and start is mended by the reconciler.
 * @returns the mission's id; null when the finding has one already
 */
export async function requestHealing(
  { database, temporal }: { database: Database; temporal: Client }, request: HealingRequest, actor: Actor, key?: string,
): Promise<string | null> {
  const pack = await database.transaction(async (query) => {
    const created = await packageFor(query, request, actor);
    if (key !== undefined) {
      const digest = digestOf(request);
      const known = await claimKey(query, actor.id, key, digest, created.mission_id);
      if (known !== undefined) throw new AskedBefore(known.mission_id, known.body_digest === digest);
    }
    if (request.finding_id !== null && !(await claimFinding(query, request.finding_id, created.mission_id))) return null;
    await insertMission(query, created, true);
    await insertEvents(query, [
      {
        type: 'mission.created', actor, subject: { ...noSubject, mission_id: created.mission_id },
        payload: { package_digest: digestOf(created), mission_type: 'healing' }, idempotency_key: `${created.mission_id}:created`,
      },
      {
        type: 'healing.requested', actor, subject: { ...noSubject, mission_id: created.mission_id },
        payload: {
          subsystem_id: request.subsystem_id, resource_id: request.resource_id, symptom: request.symptom, finding_id: request.finding_id,
          playbook_id: request.playbook_id, dry_run: request.dry_run,
        },
        idempotency_key: `${created.mission_id}:healing`,
      },
    ]);
    return created;
  });
  if (pack === null) return null;
  // The row asks for it: whatever keeps it from starting now, the reconciler starts it.
  await startMission(temporal, pack).catch(() => undefined);
  return pack.mission_id;
}

/** The finding takes this mission, unless it has one. In one transaction with the mission's row, so neither is without the other. */
async function claimFinding(query: Query, findingId: string, missionId: string): Promise<boolean> {
  const claimed = await query(
    'UPDATE findings SET healing_mission_id = $2 WHERE finding_id = $1 AND healing_mission_id IS NULL RETURNING finding_id', [findingId, missionId]);
  return claimed.length > 0;
}

async function packageFor(query: Query, request: HealingRequest, actor: Actor): Promise<HealingPackage> {
  const now = new Date();
  const what = request.resource_id === null ? request.subsystem_id : `${request.subsystem_id}/${request.resource_id}`;
  return {
    mission_id: await newMissionId(query, now), mission_type: 'healing',
    title: `${request.dry_run ? 'Plan' : 'Heal'} ${request.symptom} of ${what}`, description: null,
    subsystem_id: request.subsystem_id, severity: request.severity, detected_by: actor.id, assigned_to: null,
    context: { git_sha: null, git_tree: null, config_hash: null, env: null, branch: null, version: null },
    symptoms: [{ description: request.symptom }],
    acceptance_criteria: {
      must_pass_tests: [], metric_targets: [], observation_window_minutes: 30,
      observation_window: { ...resolveWindow(30, undefined, []), reason: 'set by the binding of the playbook that is chosen' },
    },
    workspace: null, healing: request,
    trust_requirements: { required_trust_score: 0, allowed_roles: [], memory_write_scope: 'persist', requires_governance_approval: false },
    remediation_history: [], crypto_signatures: [], budget: null, labels: [], created_by: actor.id, created_at: now.toISOString(),
    parent_mission_id: null,
  };
}
