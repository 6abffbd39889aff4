/** Artefacts that the page shows itself. What is stored under a digest never changes: each is read once. */
import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import type { EvidenceRef, StageRecord } from '../../../domain/stages.ts';
import { artifactText } from '../../api.ts';

/** Larger ones are offered for download instead. */
export const shownBytes = 2 * 1_048_576;

export interface Shown { text: string | null; error: string | null }

const nothing: Shown = { text: null, error: null };

export function useArtifact(of: EvidenceRef | undefined): Shown {
  const state = useSignal<Shown & { sha256: string }>({ ...nothing, sha256: '' });
  const sha256 = of !== undefined && of.size_bytes <= shownBytes ? of.sha256 : '';
  useEffect(() => {
    let gone = false;
    if (sha256 === '') return undefined;
    artifactText(sha256).then(
      (text) => { if (!gone) state.value = { sha256, text, error: null }; },
      (error: Error) => { if (!gone) state.value = { sha256, text: null, error: error.message }; });
    return () => { gone = true; };
  }, [sha256]);
  return state.value.sha256 === sha256 ? state.value : nothing;
}

/** What was stored as JSON; undefined while it loads, or when it is none. */
// oxlint-disable-next-line no-unnecessary-type-parameters -- what we stored ourselves is named by its kind, not checked again
export function useJsonArtifact<T>(of: EvidenceRef | undefined): { value: T | undefined; error: string | null } {
  const { text, error } = useArtifact(of);
  if (text === null) return { value: undefined, error };
  try {
    return { value: JSON.parse(text) as T, error: null };
  } catch {
    return { value: undefined, error: 'what was stored is not JSON' };
  }
}

/** Of the stages' evidence, all of one kind; the latest stage last. */
export const evidenceOf = (stages: readonly StageRecord[], kind: string): EvidenceRef[] =>
  stages.flatMap((stage) => stage.evidence.filter((item) => item.kind === kind));
