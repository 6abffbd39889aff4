/** The health of a subsystem from its probes, and what a failing subsystem explains in those that depend on it. */
import type { HealthState } from './subsystem.ts';

/** What a probe found. `unknown`: it could not measure, which is neither well nor failing. */
export interface ProbeReading {
  state: HealthState;
  reason: string | null;
  /** Class of the symptom that the failure itself shows, such as `database_locked`. */
  symptom: string | null;
  value: number | null;
  measured_at: number;
  duration_ms: number;
}

/** A reading as it is kept. */
export interface ProbeResult extends ProbeReading {
  probe_id: string;
  interval_seconds: number;
}

const worstFirst: readonly HealthState[] = ['unhealthy', 'degraded', 'unknown', 'healthy'];

export const worst = (states: readonly HealthState[]): HealthState => worstFirst.find((state) => states.includes(state)) ?? 'unknown';

/** A reading counts for three intervals, and never less than this: a schedule may be late on a busy machine. */
const leastFreshMs = 10_000;

export const isStale = ({ measured_at, interval_seconds, duration_ms }: ProbeResult, now: number): boolean =>
  now - measured_at > Math.max(leastFreshMs, 3 * interval_seconds * 1_000) + duration_ms;

export interface Health {
  state: HealthState;
  reason: string | null;
}

/** The worst of what the probes found; what is stale is unknown, and so is what nothing measures. */
export function healthOf(probes: readonly ProbeResult[], now: number): Health {
  if (probes.length === 0) return { state: 'unknown', reason: 'nothing has measured it yet' };
  const current = probes.map((probe): ProbeResult => (isStale(probe, now)
    ? { ...probe, state: 'unknown', reason: `last measured ${Math.round((now - probe.measured_at) / 1_000)} s ago` } : probe));
  const state = worst(current.map((probe) => probe.state));
  const reasons = current.filter((probe) => probe.state === state && probe.reason !== null).map((probe) => `${probe.probe_id}: ${probe.reason}`);
  return { state, reason: state === 'healthy' || reasons.length === 0 ? null : reasons.join('; ') };
}

export interface Dependency {
  subsystem_id: string;
  depends_on: readonly string[];
}

/**
 * The failing subsystem that explains a failure of this one: the nearest that it depends on, directly or through others.
 * Only a subsystem that was measured as unhealthy explains anything; an unknown one does not.
 * @param states present state by subsystem id
 */
export function inhibitedBy(subsystemId: string, dependencies: readonly Dependency[], states: ReadonlyMap<string, HealthState>): string | null {
  const parents = new Map(dependencies.map((one) => [one.subsystem_id, one.depends_on]));
  const seen = new Set([subsystemId]);
  let level = [...parents.get(subsystemId) ?? []];
  while (level.length > 0) {
    const next: string[] = [];
    for (const parent of level) {
      if (seen.has(parent)) continue;
      seen.add(parent);
      if (states.get(parent) === 'unhealthy') return parent;
      next.push(...parents.get(parent) ?? []);
    }
    level = next;
  }
  return null;
}
