/** Everything that is due at one interval, measured: probes, our own parts, metrics of the catalog. */
import type { EgressPolicy } from '../../domain/egress.ts';
import { ownIntervalSeconds, ownProbe, ownSubsystems, watchedOwnParts, type WatchedOwnPart } from '../../domain/own-subsystems.ts';
import type { Dependency, ProbeReading, ProbeResult } from '../../domain/subsystem-health.ts';
import { isProbeMetric, type Probe, type Subsystem } from '../../domain/subsystem.ts';
import { evaluationOfMetric, evaluationsOfProbe, metricRuleId, probeRuleId, watchInterval, type RuledEvaluation } from '../../domain/watch-rules.ts';
import type { CatalogMetric } from '../../domain/metric.ts';
import { readPolicy } from '../../store/policy.ts';
import { readSubsystems } from '../../store/subsystems.ts';
import { playbooks } from '../../workflows/playbooks/index.ts';
import type { ActivityDeps } from '../deps.ts';
import { metricNow } from './metric.ts';
import { ownPart, ownPartTimeoutSeconds } from './own-parts.ts';
import { runProbe, within } from './probes.ts';
import { failing, unknown } from './reading.ts';

/** What is watched, as the configuration says now. */
export interface Watched {
  /** Why the configuration is not usable: then only our own parts are watched, and one of them says so. */
  problem: string | null;
  subsystems: Subsystem[];
  metrics: CatalogMetric[];
  egress: EgressPolicy;
}

export async function readWatched({ config, catalog }: Pick<ActivityDeps, 'config' | 'catalog'>): Promise<Watched> {
  try {
    const [subsystems, { egress }, metrics] = await Promise.all([
      readSubsystems(config.configFolder), readPolicy(config.configFolder), catalog.all(),
    ]);
    return { problem: null, subsystems, egress, metrics: metrics.filter((metric) => !isProbeMetric(metric.metric_id)) };
  } catch (error) {
    return { problem: (error as Error).message, subsystems: [], metrics: [], egress: { allow: [] } };
  }
}

/** Every interval at which something is watched, in seconds. */
export const intervalsOf = ({ subsystems, metrics }: Watched): number[] => [...new Set([
  ownIntervalSeconds, ...subsystems.flatMap(({ probes }) => probes.map((probe) => watchInterval(probe.interval_seconds))),
  ...metrics.map(({ interval_seconds }) => watchInterval(interval_seconds)),
])].sort((a, b) => a - b);

/** Ids of the rules that the configuration makes, as findings name them. */
export const rulesOf = ({ subsystems, metrics }: Watched): Set<string> => new Set([
  ...watchedOwnParts.map((part) => probeRuleId(part, ownProbe)),
  ...subsystems.flatMap(({ subsystem_id, probes }) => probes.map((probe) => probeRuleId(subsystem_id, probe.id))),
  ...metrics.map((metric) => metricRuleId(metric.metric_id)),
]);

export const dependenciesOf = ({ subsystems }: Watched): Dependency[] => [...ownSubsystems, ...subsystems];

export interface Measured {
  /** Results by subsystem, with the ids of all probes that it has. */
  results: { subsystem_id: string; declared: string[]; result: ProbeResult }[];
  evaluations: RuledEvaluation[];
}

/** At once: enough to be done within an interval, few enough that commands do not crowd the host. */
const atOnce = 8;

export async function measureDue(watched: Watched, interval: number, deps: ActivityDeps): Promise<Measured> {
  const measured: Measured = { results: [], evaluations: [] };
  const keep = (subsystem_id: string, declared: string[], probe: Probe, reading: ProbeReading): void => {
    measured.results.push({ subsystem_id, declared, result: { ...reading, probe_id: probe.id, interval_seconds: probe.interval_seconds } });
    measured.evaluations.push(...evaluationsOfProbe(subsystem_id, probe, reading));
  };
  const probes = watched.subsystems.flatMap((subsystem) => subsystem.probes.filter((probe) => watchInterval(probe.interval_seconds) === interval)
    .map((probe) => async () => {
      keep(subsystem.subsystem_id, subsystem.probes.map(({ id }) => id), probe, await runProbe(probe, subsystem, deps, watched.egress));
    }));
  const own = interval !== ownIntervalSeconds ? [] : watchedOwnParts.map((part) => async () => {
    keep(part, [ownProbe], ownPartProbe, await within(ownPartTimeoutSeconds, () => ownPart(part, deps), isItsOwnFailure(part) ? failing : unknown));
  });
  const metrics = watched.metrics.filter((metric) => metric.interval_seconds !== undefined && watchInterval(metric.interval_seconds) === interval)
    .map((metric) => async () => {
      const reading = await metricReading(metric, deps, watched.egress);
      if (reading !== undefined) measured.evaluations.push(evaluationOfMetric(metric, symptomOf(metric), reading));
    });
  await inTurn([...own, ...probes, ...metrics]);
  return measured;
}

async function inTurn(work: (() => Promise<void>)[]): Promise<void> {
  const queue = [...work];
  await Promise.all(Array.from({ length: atOnce }, async () => {
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) await next();
  }));
}

/** Metric sources have their own limits, none above 60 s. */
const metricTimeoutSeconds = 60;

async function metricReading(metric: CatalogMetric, deps: ActivityDeps, egress: EgressPolicy): Promise<ProbeReading | undefined> {
  let begun = true;
  const reading = await within(metricTimeoutSeconds, async () => {
    const found = await metricNow(metric, deps, egress, `watch:${metric.metric_id}`);
    begun = found !== undefined;
    return found ?? unknown('there never was a sample');
  });
  return begun ? reading : undefined;
}

const symptomOf = ({ playbooks: ids }: CatalogMetric): string | null => playbooks.get(ids[0] ?? '')?.match.symptoms[0] ?? null;

const ownPartProbe: Probe = {
  id: ownProbe, kind: 'temporal', interval_seconds: ownIntervalSeconds, timeout_seconds: ownPartTimeoutSeconds, for_seconds: 30,
  severity: 'high', symptom: null, resource: null,
};

/** Where an error is the part's failure; elsewhere it comes from what the part is asked through, and the part is unknown. */
const isItsOwnFailure = (part: WatchedOwnPart): boolean => ['postgres', 'temporal', 'artifact_store', 'workspaces', 'governance'].includes(part);
