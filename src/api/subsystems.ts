/** Every subsystem as it is now: our own parts and what is declared, with the age of what was measured. */
import { ownProbe, ownSubsystems } from '../domain/own-subsystems.ts';
import { healthOf, isStale, type ProbeResult } from '../domain/subsystem-health.ts';
import type { HealthState } from '../domain/subsystem.ts';
import { openFindings } from '../store/finding-list.ts';
import { allHealth } from '../store/subsystem-health.ts';
import { readSubsystems } from '../store/subsystems.ts';
import type { ApiDeps } from './context.ts';
import { measureHealth, measureStream } from './health.ts';

export interface SubsystemView {
  id: string;
  name: string;
  owner: string | null;
  built_in: boolean;
  state: HealthState;
  reason: string | null;
  since: string | null;
  measured_at: string | null;
  age_seconds: number | null;
  duration_ms: number | null;
  inhibited_by: string | null;
  depends_on: string[];
  probes: { id: string; state: HealthState; reason: string | null; value: number | null; measured_at: string; age_seconds: number; stale: boolean; duration_ms: number; interval_seconds: number }[];
  open_findings: { finding_id: string; state: string; severity: string; title: string; first_seen_at: string }[];
}

const never = (reason: string) => ({ state: 'unknown' as const, reason, since: null, measured_at: null, age_seconds: null, duration_ms: null, inhibited_by: null });

/** Those that answer us directly are measured now; the others show what the detector measured last, and stale is unknown. */
export async function subsystemsNow(deps: ApiDeps): Promise<SubsystemView[]> {
  const [measured, stored, findings, declared] = await Promise.all([
    Promise.all([measureHealth(deps), measureStream(deps)]).then((parts) => parts.flat()), allHealth(deps.database.query), openFindings(deps.database.query), readSubsystems(deps.config.configFolder),
  ]);
  const now = Date.now();
  const ageOf = (ms: number): number => Math.max(0, Math.round((now - ms) / 100) / 10);

  function healthNow(id: string, unmeasured: string) {
    const row = stored.find((one) => one.subsystem_id === id);
    const direct = measured.find((one) => one.id === id);
    if (row === undefined && direct === undefined) return never(unmeasured);
    const state = direct?.state ?? healthOf(row!.probes, now).state;
    const measured_at = direct?.measured_at ?? row!.measured_at;
    return {
      state, reason: direct === undefined ? healthOf(row!.probes, now).reason : direct.reason,
      since: row?.state === state ? row.since : null, measured_at, age_seconds: ageOf(Date.parse(measured_at)),
      duration_ms: direct?.duration_ms ?? row!.duration_ms, inhibited_by: row?.inhibited_by ?? null,
    };
  }

  const view = (one: { subsystem_id: string; name: string; owner: string | null; depends_on: readonly string[] }, built_in: boolean, unmeasured: string, probes: string[]): SubsystemView => ({
    id: one.subsystem_id, name: one.name, owner: one.owner, built_in, ...healthNow(one.subsystem_id, unmeasured), depends_on: [...one.depends_on],
    probes: (stored.find((row) => row.subsystem_id === one.subsystem_id)?.probes ?? []).filter((probe) => probes.includes(probe.probe_id)).map(probeView),
    open_findings: findings.filter((finding) => finding.subsystem_id === one.subsystem_id)
      .map(({ finding_id, state, severity, title, first_seen_at }) => ({ finding_id, state, severity, title, first_seen_at })),
  });
  const probeView = (probe: ProbeResult): SubsystemView['probes'][number] => ({
    id: probe.probe_id, state: probe.state, reason: probe.reason, value: probe.value, measured_at: new Date(probe.measured_at).toISOString(),
    age_seconds: ageOf(probe.measured_at), stale: isStale(probe, now), duration_ms: probe.duration_ms, interval_seconds: probe.interval_seconds,
  });

  const notYet = 'nothing has measured it yet';
  return [
    ...ownSubsystems.map((one) => view({ ...one, owner: null }, true, one.unmeasured ?? notYet, [ownProbe])),
    ...declared.map((one) => view(one, false, one.probes.length === 0 ? 'it has no probes' : notYet, one.probes.map((probe) => probe.id))),
  ];
}
