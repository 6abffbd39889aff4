/** What an approval rests on, found in its mission's evidence by the very digests that it is bound to. */
import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import type { Approval } from '../../../domain/approval.ts';
import type { HealingPlan } from '../../../domain/healing.ts';
import type { EvidenceRef } from '../../../domain/stages.ts';
import type { TestVerdict } from '../../../domain/test-report.ts';
import { ApiProblem, artifactText, get, inPath } from '../../api.ts';

type Item = EvidenceRef & { stage: string; attempt: number };

export interface Candidate { commit: string; tree: string; files: string[]; touched_protected_paths: string[] }
export type Verdict = TestVerdict & { must_pass_tests: string[]; base: string; candidate: string };

export interface ChangeEvidence {
  candidate: Candidate | null;
  /** Text of the diff; null when it came as something else: `source` says as what. */
  diff: string | null;
  source: EvidenceRef | null;
  verdict: Verdict | null;
  /** Everything else that was gathered before it was asked for. */
  others: Item[];
}

/** Larger diffs are looked at as a file. */
const maxDiffBytes = 2_000_000;
const shownBeside = new Set(['candidate', 'patch', 'test_verdict']);

const json = async <T>({ sha256 }: EvidenceRef): Promise<T> => JSON.parse(await artifactText(sha256)) as T;

/** The newest evidence of a kind whose content fits: a mission may have had several candidates. */
async function fitting<T>(items: readonly Item[], kind: string, fits: (value: T) => boolean): Promise<{ item: Item; value: T } | null> {
  for (const item of items.filter((one) => one.kind === kind).reverse()) {
    const value = await json<T>(item);
    if (fits(value)) return { item, value };
  }
  return null;
}

const evidenceOf = async ({ mission_id }: Approval): Promise<Item[]> =>
  (await get<{ items: Item[] }>(`/missions/${inPath(mission_id)}/evidence`)).items;

export async function changeOf(approval: Approval): Promise<ChangeEvidence> {
  const items = await evidenceOf(approval);
  const tree = approval.digests.git_tree;
  const found = await fitting<Candidate>(items, 'candidate', (candidate) => candidate.tree === tree);
  const verdict = await fitting<Verdict>(items, 'test_verdict', (one) => one.candidate === tree);
  const source = items.find(({ kind, stage, attempt }) => kind === 'patch' && stage === found?.item.stage && attempt === found.item.attempt) ?? null;
  const isDiff = source !== null && source.media_type === 'text/x-diff' && source.size_bytes <= maxDiffBytes;
  return {
    candidate: found?.value ?? null, source, verdict: verdict?.value ?? null,
    diff: isDiff ? await artifactText(source.sha256) : null,
    others: items.filter(({ kind }) => !shownBeside.has(kind)),
  };
}

/** The plan whose artefact is named by the digest that was approved: the same canonical bytes. Null: not in the evidence. */
export async function planOf(approval: Approval): Promise<HealingPlan | null> {
  const item = (await evidenceOf(approval)).find(({ kind, sha256 }) => kind === 'healing_plan' && sha256 === approval.digests.plan_digest);
  return item === undefined ? null : json<HealingPlan>(item);
}

export type Looked<T> = { state: 'loading' } | { state: 'failed'; error: ApiProblem } | { state: 'there'; value: T };

/** Looks once for each approval: what it is bound to does not change. */
export function useEvidence<T>(approval: Approval, look: (approval: Approval) => Promise<T>): Looked<T> {
  const looked = useSignal<Looked<T>>({ state: 'loading' });
  useEffect(() => {
    let gone = false;
    looked.value = { state: 'loading' };
    look(approval).then(
      (value) => { if (!gone) looked.value = { state: 'there', value }; },
      (error: unknown) => { if (!gone) looked.value = { state: 'failed', error: error instanceof ApiProblem ? error : new ApiProblem(0, 'ERROR', String(error)) }; });
    return () => { gone = true; };
  }, [approval.approval_id]);
  return looked.value;
}
