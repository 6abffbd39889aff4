/** Edits and moves of CAPA records: every rule is checked on the locked record, and nothing is written when one is broken. */
import { actorOf, type Actor, type Principal } from '../domain/actor.ts';
import { edited, refuseEdit } from '../domain/capa-edit.ts';
import type { Capa, CapaState } from '../domain/capa.ts';
import { moved, refuseMove, type CapaRefusal } from '../domain/capa-transitions.ts';
import { isTerminal } from '../domain/mission.ts';
import type { CapaEdit } from '../domain/schema/capa.ts';
import { tellCapa } from '../engine/tell-capa.ts';
import { findCapa, lockCapa, saveCapa } from '../store/capas.ts';
import type { Query } from '../store/database.ts';
import { findMission } from '../store/missions.ts';
import type { ApiDeps } from './context.ts';
import { Problem, type FieldError } from './problem.ts';

export const capaNotFound = (id: string): Problem => new Problem(404, 'CAPA_NOT_FOUND', `there is no record ${id}`);

const statusOf: Record<CapaRefusal['code'], number> = {
  CAPA_STATE: 409, CAPA_FROZEN: 409, CAPA_INCOMPLETE: 422, FORBIDDEN: 403, SELF_APPROVAL: 403,
};

function refuse(refusal: CapaRefusal | null): void {
  if (refusal !== null) throw new Problem(statusOf[refusal.code], refusal.code, refusal.detail, refusal.errors);
}

/** @throws Problem CAPA_NOT_FOUND; CAPA_CHANGED when somebody changed it since the caller looked */
async function lockedAt(query: Query, id: string, version: number): Promise<Capa> {
  const capa = await lockCapa(query, id);
  if (capa === undefined) throw capaNotFound(id);
  if (capa.version !== version) {
    throw new Problem(409, 'CAPA_CHANGED', `${id} is at version ${capa.version}, and ${version} was named; look at it again`,
      [{ path: 'version', message: `is ${capa.version}` }]);
  }
  return capa;
}

/** Its workflow reads the record's dates again. One that cannot be told now is told by the reconciler. */
export async function tell(deps: Pick<ApiDeps, 'temporal' | 'database' | 'logger'>, id: string): Promise<void> {
  await tellCapa(deps.temporal, deps.database.query, id)
    .catch((error: Error) => deps.logger.warn({ event: 'capa.not_told', capa_id: id, reason: error.message }));
}

export interface EditInput { version: number; reason: string | null; edit: CapaEdit }

/** @throws Problem */
export async function editCapa(deps: ApiDeps, id: string, { version, reason, edit }: EditInput, principal: Principal): Promise<void> {
  await refuseUnknown(deps, id, edit);
  await deps.database.transaction(async (query) => {
    const capa = await lockedAt(query, id, version);
    const request = { edit, reason, actor: actorOf(principal), now: Date.now() };
    refuse(refuseEdit(capa, request));
    await refuseUnfinished(query, capa, edit, reason);
    await saveCapa(query, edited(capa, request), { type: 'capa.edited', actor: request.actor, payload: { changes: edit, reason } });
  });
  await tell(deps, id);
}

export interface MoveInput { to: CapaState; version: number; reason: string | null; duplicate_of: string | null }

/** @throws Problem */
export async function moveCapa(deps: ApiDeps, id: string, { version, ...input }: MoveInput, principal: Principal): Promise<void> {
  await deps.database.transaction(async (query) => {
    const capa = await lockedAt(query, id, version);
    const request = { ...input, actor: actorOf(principal), now: Date.now() };
    refuse(refuseMove(capa, request));
    if (input.to === 'VOIDED') await refuseOriginal(query, id, input.duplicate_of!);
    await saveCapa(query, moved(capa, request), {
      type: 'capa.transitioned', actor: request.actor,
      payload: { from: capa.state, to: input.to, reason: input.reason, ...(input.to === 'VOIDED' ? { duplicate_of: input.duplicate_of } : {}) },
    });
  });
  await tell(deps, id);
}

/** Notes on an action that a mission was started for it. Once, however often; not at all when the action is gone by now. */
export async function linkMission(deps: ApiDeps, id: string, actionId: string, missionId: string, actor: Actor): Promise<void> {
  await deps.database.transaction(async (query) => {
    const capa = await lockCapa(query, id);
    const action = capa?.actions.find(({ action_id }) => action_id === actionId);
    if (capa === undefined || action === undefined || action.missions.includes(missionId)) return;
    const actions = capa.actions.map((one) => (one === action ? { ...one, missions: [...one.missions, missionId] } : one));
    await saveCapa(query, { ...capa, actions, version: capa.version + 1 }, {
      type: 'capa.edited', actor, payload: { changes: { action_id: actionId, mission_id: missionId }, reason: null },
    });
  });
  await tell(deps, id);
}

/** An action is done when its last mission is resolved; if that ended otherwise, somebody says why it is done all the same. */
async function refuseUnfinished(query: Query, capa: Capa, edit: CapaEdit, reason: string | null): Promise<void> {
  const errors: FieldError[] = [];
  for (const [i, id] of (edit.done ?? []).entries()) {
    const missionId = capa.actions.find(({ action_id }) => action_id === id)?.missions.at(-1);
    const mission = missionId === undefined ? undefined : await findMission(query, missionId);
    if (mission === undefined || mission.status === 'resolved') continue;
    if (!isTerminal(mission.status)) errors.push({ path: `done.${i}`, message: `its mission ${missionId} is ${mission.status}` });
    else if (reason === null) errors.push({ path: 'reason', message: `its mission ${missionId} ended ${mission.status}; say why ${id} is done all the same` });
  }
  if (errors.length > 0) throw new Problem(422, 'CAPA_INCOMPLETE', errors.map(({ path, message }) => `${path}: ${message}`).join('; '), errors);
}

/** A record repeats another one, which stands. */
async function refuseOriginal(query: Query, id: string, original: string): Promise<void> {
  const found = original === id ? undefined : await findCapa(query, original);
  if (found !== undefined && found.state !== 'VOIDED') return;
  const message = original === id ? 'is this record' : found === undefined ? `there is no record ${original}` : `is voided itself, for ${found.duplicate_of ?? 'another'}`;
  throw new Problem(422, 'DUPLICATE_UNKNOWN', `duplicate_of: ${message}`, [{ path: 'duplicate_of', message }]);
}

/** What an edit names must be there: metrics, artefacts, other records. */
async function refuseUnknown(deps: ApiDeps, id: string, edit: CapaEdit): Promise<void> {
  const errors: FieldError[] = [];
  const metric = edit.criterion?.metric_id;
  if (metric !== undefined && (await deps.catalog.find(metric)) === undefined) {
    errors.push({ path: 'criterion.metric_id', message: `${metric} is not in the catalog; add it by PUT /mission-control/metrics/${metric}` });
  }
  for (const [i, other] of (edit.investigation?.similar_records ?? []).entries()) {
    if (other === id || (await findCapa(deps.database.query, other)) === undefined) {
      errors.push({ path: `investigation.similar_records.${i}`, message: `there is no other record ${other}` });
    }
  }
  errors.push(...await unknownArtifacts(deps, 'evidence', edit.evidence), ...await unknownArtifacts(deps, 'verification.evidence', edit.verification?.evidence));
  if (errors.length > 0) throw new Problem(422, 'CAPA_INCOMPLETE', errors.map(({ path, message }) => `${path}: ${message}`).join('; '), errors);
}

async function unknownArtifacts({ artifacts }: ApiDeps, path: string, digests: readonly string[] = []): Promise<FieldError[]> {
  const known = await Promise.all(digests.map((sha256) => artifacts.describe(sha256)));
  return digests.flatMap((sha256, i) => (known[i] === undefined ? [{ path: `${path}.${i}`, message: `no artefact ${sha256}; send it by POST /mission-control/artifacts` }] : []));
}
