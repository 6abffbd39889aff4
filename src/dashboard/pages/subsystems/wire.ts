/** A subsystem as `GET /subsystems` gives it, and how it is shown once the answer is old. */
import type { Severity } from '../../../domain/mission.ts';
import type { FindingState } from '../../../domain/finding.ts';
import type { HealthState } from '../../../domain/subsystem.ts';

export interface SubsystemView {
  id: string;
  name: string;
  owner: string | null;
  built_in: boolean;
  state: HealthState;
  reason: string | null;
  since: string | null;
  measured_at: string | null;
  inhibited_by: string | null;
  depends_on: string[];
  probes: { id: string; state: HealthState; reason: string | null; value: number | null; measured_at: string; stale: boolean; duration_ms: number; interval_seconds: number }[];
  open_findings: { finding_id: string; state: FindingState; severity: Severity; title: string; first_seen_at: string }[];
}

export const lookEveryMs = 10_000;

/** An answer older than this says nothing of now: two looks that failed, and a moment. */
const answerHoldsMs = 3 * lookEveryMs;

export const worstFirst: readonly HealthState[] = ['unhealthy', 'degraded', 'unknown', 'healthy'];

/** @param loadedAt when the answer came; @param now milliseconds since the epoch */
export function shownNow(one: SubsystemView, loadedAt: string | null, now: number): SubsystemView {
  const old = loadedAt === null ? Infinity : now - Date.parse(loadedAt);
  if (old <= answerHoldsMs) return one;
  const reason = 'Mission Control has not answered since; this is not known now';
  return { ...one, state: 'unknown', reason, since: null, probes: one.probes.map((probe) => ({ ...probe, state: 'unknown', stale: true, reason })) };
}
