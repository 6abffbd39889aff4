/** Patches that agents post: checked and stored first, then told to the mission; and what became of them. */
import type { Principal } from '../domain/actor.ts';
import type { AgentPatch, PatchKind, PatchStage } from '../domain/agent-work.ts';
import { excerptBytes } from '../domain/agent.ts';
import type { Usage } from '../domain/budget.ts';
import { isTerminal } from '../domain/mission.ts';
import { maxDiffBytes } from '../domain/schema/mission-package.ts';
import type { StoredArtifact } from '../store/artifacts.ts';
import { findPatch } from '../store/agent-work.ts';
import * as messages from '../workflows/messages.ts';
import type { ApiDeps } from './context.ts';
import { update, validUntil } from './engine.ts';
import { missionOf } from './find-mission.ts';
import { Problem } from './problem.ts';
import { requireLease } from './take-mission.ts';

export const patchTypes: Readonly<Record<PatchKind, string>> = { diff: 'text/x-diff', bundle: 'application/x-git-bundle' };

/** The bytes themselves, or the digest under which they were stored before. */
export type PatchBytes = { bytes: Buffer } | { artifact: string };

export interface NewPatch extends Usage { lease_id: string; kind: PatchKind; source: PatchBytes }

/**
 * Hands a patch in. It is in the artefact store before the mission hears of it; the same bytes under the same lease are
 * the same patch. Nothing is stored for a lease that is over.
 * @throws Problem LEASE_LOST, PATCH_TESTING, NOT_A_PATCH, ARTIFACT_UNKNOWN, MISSION_ENDED, WORKER_UNAVAILABLE
 */
export async function postPatch(deps: ApiDeps, missionId: string, patch: NewPatch, principal: Principal): Promise<AgentPatch> {
  const row = await missionOf(deps, missionId);
  await requireLease(deps, missionId, patch.lease_id, principal);
  if (isTerminal(row.status)) throw new Problem(409, 'MISSION_ENDED', `${missionId} is ${row.status}`);
  const stored = await storePatch(deps, patch);
  const { lease_id, kind, tokens, cost_micro_usd } = patch;
  const { number } = await update(deps, missionId, messages.postPatch, {
    principal, lease_id, kind, tokens, cost_micro_usd, artifact: stored.sha256, size_bytes: stored.size_bytes, valid_until: validUntil(),
  });
  return (await findPatch(deps.database.query, missionId, number))!;
}

async function storePatch({ artifacts }: ApiDeps, { kind, source }: NewPatch): Promise<StoredArtifact> {
  if ('bytes' in source) {
    refuseOther(kind, source.bytes);
    return artifacts.put(source.bytes, patchTypes[kind]);
  }
  const known = await artifacts.describe(source.artifact);
  if (known === undefined || known.media_type !== patchTypes[kind]) {
    throw new Problem(422, 'ARTIFACT_UNKNOWN', `no ${kind} ${source.artifact}; send it by POST /mission-control/artifacts as ${patchTypes[kind]}`, [{ path: 'artifact', message: 'not stored' }]);
  }
  return known;
}

/** Bytes that are plainly something else cost no attempt. What they do is git's to say, and the vetting's. */
function refuseOther(kind: PatchKind, bytes: Buffer): void {
  if (kind === 'diff' && bytes.length > maxDiffBytes) throw new Problem(413, 'BODY_TOO_LARGE', `a diff has at most ${maxDiffBytes} bytes; send a larger change as a bundle`);
  const text = bytes.toString('latin1');
  const fits = kind === 'diff' ? /^(diff --git |--- )/m.test(text) : /^# v[23] git bundle\n/.test(text);
  if (!fits) throw new Problem(422, 'NOT_A_PATCH', kind === 'diff' ? 'these bytes are no diff: send what `git diff --binary` prints' : 'these bytes are no git bundle: send what `git bundle create` writes');
}

/** A patch as its agent reads it: with the end of what each failed stage printed. */
export interface PatchView extends Omit<AgentPatch, 'stages'> {
  stages: (PatchStage & { log_excerpt: string })[];
  mission_status: string;
}

export async function patchView({ artifacts }: Pick<ApiDeps, 'artifacts'>, patch: AgentPatch, missionStatus: string): Promise<PatchView> {
  const stages = await Promise.all(patch.stages.map(async (stage) => ({
    ...stage, log_excerpt: stage.status === 'failed' && stage.log !== null ? await endOf(artifacts, stage.log) : '',
  })));
  return { ...patch, stages, mission_status: missionStatus };
}

const endOf = async (artifacts: ApiDeps['artifacts'], digest: string): Promise<string> =>
  (await artifacts.read(digest).catch(() => Buffer.alloc(0))).subarray(-excerptBytes).toString('utf8');
