/** What else happened while a window watched: its samples may then speak of something other than the change. */
import type { WindowVerdict } from './judge.ts';
import type { WindowSpec } from './observation.ts';

export interface Confounder {
  /** The same for the same happening, however often it is found. */
  key: string;
  kind: 'landing' | 'healing' | 'config';
  /** RFC 3339 UTC. */
  at: string;
  mission_id: string | null;
  summary: string;
}

/**
 * The verdict of a confounded window, as its spec wants it. Confounders never improve a verdict: a pass becomes
 * INCONCLUSIVE, a failure stays one. `confounded: 'extend'` asks for one more window.
 */
export function withConfounders(spec: WindowSpec, verdict: WindowVerdict, confounders: readonly Confounder[]): WindowVerdict {
  const policy = spec.confounders ?? 'record';
  const first = confounders[0];
  if (first === undefined || policy === 'record' || verdict.unobserved) return verdict;
  if (verdict.verdict === 'RUNNING' || verdict.verdict === 'FAILED') return verdict;
  const others = confounders.length === 1 ? '' : ` and ${confounders.length - 1} more`;
  return {
    ...verdict, verdict: verdict.verdict === 'PASSED' ? 'INCONCLUSIVE' : verdict.verdict, confounded: policy,
    reason: `confounded by ${first.summary}${others} (by itself: ${verdict.verdict}: ${verdict.reason})`,
  };
}
