/** Reports on tracked missions: who may send one, once for each key, and what it becomes in the mission's own workflow. */
import type { Principal } from '../domain/actor.ts';
import { isTerminal } from '../domain/mission.ts';
import type { ReportBody } from '../domain/schema/tracked.ts';
import { mayReport, mayStart, toMicroUsd, type ReportedDetails, type TrackedDetails, type TrackedView } from '../domain/tracked.ts';
import { digestOf } from '../ledger/canonical.ts';
import type { Query } from '../store/database.ts';
import { claimKey, findKey } from '../store/idempotency.ts';
import type { MissionRow } from '../store/missions.ts';
import { introduce, trackedDetails, type TrackedIntroduction } from '../store/tracked.ts';
import * as messages from '../workflows/messages.ts';
import type { ApiDeps } from './context.ts';
import { ensureStarted, update, validUntil } from './engine.ts';
import { executeMission } from './execute-mission.ts';
import { missionOf } from './find-mission.ts';
import { Problem } from './problem.ts';
import { endUnstarted } from './steer-mission.ts';
import { refuseOtherBody } from './store-mission.ts';
import { trackedViews } from './tracked-view.ts';

export interface ReportRequest { missionId: string; principal: Principal; key: string | undefined }

export type ReportVerb = keyof typeof messageOf;

const maxKeptMetadataBytes = 65_536;

const messageOf = { progress: messages.progress, complete: messages.complete, fail: messages.fail, cancel: messages.cancel };

export async function trackedView(deps: ApiDeps, id: string): Promise<TrackedView> {
  const [view] = await trackedViews(deps.database.query, [await missionOf(deps, id)]);
  return view!;
}

/** @throws Problem MISSION_NOT_TRACKED: what we run ourselves is read here, and steered elsewhere */
async function trackedMissionOf(deps: ApiDeps, id: string): Promise<MissionRow> {
  const row = await missionOf(deps, id);
  if (row.package.mission_type === 'tracked') return row;
  throw new Problem(409, 'MISSION_NOT_TRACKED', `${id} is a ${row.package.mission_type} mission, which runs here: nobody reports on it; see /mission-control/missions/${id}`);
}

const notYours = (id: string): Problem =>
  new Problem(403, 'NOT_YOUR_MISSION', `${id} was neither sent nor started by you, nor is it assigned to you`);

/** Whether this very request was carried out before. @throws Problem IDEMPOTENCY_MISMATCH */
async function repeated(deps: ApiDeps, { principal, key }: ReportRequest, bodyDigest: string): Promise<boolean> {
  const known = key === undefined ? undefined : await findKey(deps.database.query, principal.id, key);
  if (known !== undefined) refuseOtherBody(known.body_digest, bodyDigest);
  return known !== undefined;
}

/** Keeps the key with what it was sent with. @throws Problem IDEMPOTENCY_MISMATCH */
async function claim(query: Query, { missionId, principal, key }: ReportRequest, bodyDigest: string): Promise<void> {
  const known = key === undefined ? undefined : await claimKey(query, principal.id, key, bodyDigest, missionId);
  if (known !== undefined) refuseOtherBody(known.body_digest, bodyDigest);
}

/**
 * Starts it for whoever is going to report on it, and waits a moment for it to run.
 * @throws Problem MISSION_STARTED when somebody did before
 */
export async function startTracked(deps: ApiDeps, request: ReportRequest, said: TrackedIntroduction): Promise<TrackedView> {
  const { missionId, principal } = request;
  const row = await trackedMissionOf(deps, missionId);
  const bodyDigest = digestOf({ mission_id: missionId, verb: 'start', ...said });
  if (await repeated(deps, request, bodyDigest)) return trackedView(deps, missionId);
  if (!mayStart(principal, row.package)) throw notYours(missionId);
  const asked = await executeMission(deps, missionId, principal, {
    payload: { agent_type: said.agent_type ?? null, model_used: said.model_used ?? null },
    async write(query) {
      await claim(query, request, bodyDigest);
      await introduce(query, missionId, principal.id, said);
    },
  });
  // Two requests with one key at once: the second finds the first one's claim.
  if (!asked && !(await repeated(deps, request, bodyDigest))) {
    throw new Problem(409, 'MISSION_STARTED', `${missionId} was started before, ${row.started_at ?? 'and runs as soon as a worker is there'}`);
  }
  await whenRunning(deps, missionId, principal);
  return trackedView(deps, missionId);
}

/** Without a worker it stays pending, which the answer then says; the request to run is kept. */
export async function whenRunning(deps: ApiDeps, missionId: string, principal: Principal): Promise<void> {
  await update(deps, missionId, messages.whenRunning, { asked_by: principal.id })
    .catch((error: Error) => deps.logger.warn({ event: 'mission.start_deferred', mission_id: missionId, reason: error.message }));
}

/**
 * Gives a report to the mission's workflow; it is written when this returns.
 * @throws Problem MISSION_NOT_TRACKED, NOT_YOUR_MISSION, METADATA_FULL, MISSION_ENDED, MISSION_NOT_RUNNING, WORKER_UNAVAILABLE, IDEMPOTENCY_MISMATCH
 */
export async function report(deps: ApiDeps, request: ReportRequest, verb: ReportVerb, body: ReportBody, reason: string | null): Promise<TrackedView> {
  const { missionId, principal, key } = request;
  const row = await trackedMissionOf(deps, missionId);
  const bodyDigest = digestOf({ mission_id: missionId, verb, reason, ...body });
  if (await repeated(deps, request, bodyDigest)) return trackedView(deps, missionId);
  const details = (await trackedDetails(deps.database.query, [missionId])).get(missionId);
  if (!mayReport(principal, row.package, details?.started_by ?? null)) throw notYours(missionId);
  if (isTerminal(row.status)) throw new Problem(409, 'MISSION_ENDED', `${missionId} is ${row.status}, and that is final`);
  if (body.metadata !== undefined) refuseOverflow(missionId, { ...details?.metadata, ...body.metadata });
  if (row.execute_requested_at === null) {
    const claimed = (query: Query): Promise<void> => claim(query, request, bodyDigest);
    if (verb === 'cancel' && await endUnstarted(deps, missionId, reason ?? 'no reason was given', principal, claimed)) return trackedView(deps, missionId);
    throw new Problem(409, 'MISSION_NOT_RUNNING', `${missionId} has not been started: POST /api/missions/${missionId}/start`);
  }
  if (row.status === 'open') await ensureStarted(deps, row.package);
  await update(deps, missionId, messageOf[verb], {
    principal, reason, details: detailsOf(body), valid_until: validUntil(),
    key: key === undefined ? null : { principal_id: principal.id, key, body_digest: bodyDigest },
    // Two requests with one key at once are one message.
  }, key === undefined ? undefined : digestOf([principal.id, key, bodyDigest]));
  return trackedView(deps, missionId);
}

/**
 * Metadata grow field by field, and are under every list and every write of the mission. Reports that are under way at once
 * may go beyond the bound together; without new fields every report is still taken.
 * @throws Problem METADATA_FULL
 */
function refuseOverflow(id: string, metadata: NonNullable<TrackedDetails['metadata']>): void {
  if (Buffer.byteLength(JSON.stringify(metadata)) <= maxKeptMetadataBytes) return;
  throw new Problem(422, 'METADATA_FULL', `the metadata of ${id} would exceed ${maxKeptMetadataBytes} bytes of JSON: report without new fields`, [{ path: 'metadata', message: 'too much with what is there' }]);
}

function detailsOf({ cost_estimate, ...said }: ReportBody): ReportedDetails {
  const given = { ...said, ...(cost_estimate === undefined ? {} : { cost_micro_usd: toMicroUsd(cost_estimate) }) };
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
}
