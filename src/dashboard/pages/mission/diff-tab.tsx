import type { StageRecord } from '../../../domain/stages.ts';
import { artifactPath } from '../../api.ts';
import { Diff } from '../../parts/diff.tsx';
import { Empty, Loading } from '../../parts/states.tsx';
import { evidenceOf, shownBytes, useArtifact } from './artifact.ts';

/** The patch of the latest candidate, as it was given. */
export function DiffTab({ stages }: { stages: readonly StageRecord[] }) {
  const patch = evidenceOf(stages, 'patch').at(-1);
  const isDiff = patch?.media_type.startsWith('text/x-diff') ?? false;
  const { text, error } = useArtifact(isDiff ? patch : undefined);
  if (patch === undefined) return <Empty title="No patch yet">An agent is asked for one, or the next given candidate is tried.</Empty>;
  if (!isDiff) return <Empty title="Not a diff">{patch.summary}. <a href={artifactPath(patch.sha256)} download>Download what was given</a></Empty>;
  if (patch.size_bytes > shownBytes) return <Empty title="Too large to show"><a href={artifactPath(patch.sha256)} download>Download the diff</a></Empty>;
  if (text === null) return error === null ? <Loading what="the diff" /> : <Empty title="Not readable">{error}</Empty>;
  return <Diff text={text} />;
}
