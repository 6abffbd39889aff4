/** Writing a mission that was checked: row, events and key in one transaction, once per Idempotency-Key. */
import { actorOf, type Principal } from '../domain/actor.ts';
import { noSubject } from '../domain/event.ts';
import type { MissionPackage } from '../domain/mission-package.ts';
import type { CreateMission } from '../domain/schema/mission-package.ts';
import { digestOf } from '../ledger/canonical.ts';
import type { Query } from '../store/database.ts';
import { insertEvents } from '../store/events.ts';
import { claimKey, findKey } from '../store/idempotency.ts';
import { findMission, insertMission, newMissionId } from '../store/missions.ts';
import type { ApiDeps } from './context.ts';
import { Problem } from './problem.ts';

/** Thrown inside the transaction when another request with the same key won; never leaves this file. */
class KnownMission extends Error {
  readonly missionId: string;
  constructor(missionId: string) {
    super(missionId);
    this.missionId = missionId;
  }
}

export interface Sender { principal: Principal; key: string | undefined; bodyDigest: string }

/** What the package of a mission has beside what every create body says in the same words. */
export type SpecificPart = Pick<MissionPackage, 'context' | 'acceptance_criteria' | 'workspace' | 'trust_requirements'> & Partial<Pick<MissionPackage, 'tracked'>>;

/**
 * @param specific what only this type of mission has, once its id is known
 * @param write what else belongs into the transaction
 * @returns the stored package; that of the first request when the key was used before
 * @throws Problem IDEMPOTENCY_MISMATCH
 */
export async function storeMission(
  { database }: ApiDeps, body: CreateMission, { principal, key, bodyDigest }: Sender,
  specific: (missionId: string) => SpecificPart, write: (query: Query, missionId: string) => Promise<void> = async () => undefined,
): Promise<MissionPackage> {
  const createdAt = new Date();
  try {
    return await database.transaction(async (query) => {
      const missionId = await newMissionId(query, createdAt);
      if (key !== undefined) {
        const known = await claimKey(query, principal.id, key, bodyDigest, missionId);
        if (known !== undefined) {
          refuseOtherBody(known.body_digest, bodyDigest);
          throw new KnownMission(known.mission_id);
        }
      }
      const mission: MissionPackage = {
        mission_id: missionId, mission_type: body.mission_type,
        title: body.title ?? firstCharacters(body.symptoms[0]?.description) ?? `${body.subsystem_id} mission`,
        description: body.description ?? null, subsystem_id: body.subsystem_id, severity: body.severity,
        detected_by: body.detected_by ?? null, assigned_to: body.assigned_to ?? null, symptoms: body.symptoms, ...specific(missionId),
        remediation_history: [], crypto_signatures: body.crypto_signatures, budget: body.budget ?? null, labels: body.labels,
        created_by: principal.id, created_at: createdAt.toISOString(), parent_mission_id: body.parent_mission_id ?? null,
      };
      await insertMission(query, mission, body.execute);
      await write(query, missionId);
      const subject = { ...noSubject, mission_id: missionId };
      await insertEvents(query, [
        {
          type: 'mission.created', actor: actorOf(principal), subject, idempotency_key: `${missionId}:created`,
          payload: {
            package_digest: digestOf(mission), title: mission.title, severity: mission.severity, subsystem_id: mission.subsystem_id,
            ...(body.template_id === undefined ? {} : { template_id: body.template_id }),
          },
        },
        ...(body.execute ? [{
          type: 'mission.execute_requested' as const, actor: actorOf(principal), subject, payload: {},
          idempotency_key: `${missionId}:execute_requested`,
        }] : []),
      ]);
      return mission;
    });
  } catch (error) {
    if (error instanceof KnownMission) return (await findMission(database.query, error.missionId))!.package;
    throw error;
  }
}

/** The mission of an earlier request with this key, if there was one. @throws Problem IDEMPOTENCY_MISMATCH */
export async function missionOfKey({ database }: ApiDeps, { principal, key, bodyDigest }: Sender): Promise<MissionPackage | undefined> {
  const known = key === undefined ? undefined : await findKey(database.query, principal.id, key);
  if (known === undefined) return undefined;
  refuseOtherBody(known.body_digest, bodyDigest);
  return (await findMission(database.query, known.mission_id))!.package;
}

/** The beginning of a text, no character cut in half. */
const firstCharacters = (text: string | undefined): string | undefined =>
  (text === undefined ? undefined : Array.from(text).slice(0, 100).join(''));

export function refuseOtherBody(first: string, now: string): void {
  if (first !== now) {
    throw new Problem(422, 'IDEMPOTENCY_MISMATCH', 'this Idempotency-Key was used with another body',
      [{ path: 'Idempotency-Key', message: 'used with another body' }]);
  }
}
