/** What is watched at which interval, and what a reading means for which finding. */
import type { Evaluation } from './finding.ts';
import type { WatchedRule } from './finding-record.ts';
import type { CatalogMetric } from './metric.ts';
import type { ProbeReading } from './subsystem-health.ts';
import type { Probe } from './subsystem.ts';

/** Temporal's schedules have no shorter interval. */
const leastSeconds = 1;

/** Intervals are whole seconds: each distinct one is a schedule. */
export const watchInterval = (seconds: number): number => Math.max(leastSeconds, Math.round(seconds));

/** A SQLite probe without a symptom of its own tells these apart. */
const ownSymptoms = (probe: Probe): (string | null)[] =>
  (probe.kind === 'sqlite' && probe.symptom === null ? [null, 'database_locked', 'database_corruption'] : [probe.symptom]);

/** A failure that shows no symptom of its own is about the probe's. */
const shownSymptom = (probe: Probe, reading: ProbeReading): string | null => probe.symptom ?? reading.symptom;

const outcomes = { healthy: 'good', degraded: 'good', unhealthy: 'bad', unknown: 'no_data' } as const;

export interface RuledEvaluation { rule: WatchedRule; evaluation: Evaluation }

/**
 * The evaluations that a reading of a probe makes. A failure is evaluated for the symptom it shows, and says nothing of
 * the others; being well is well for all of them.
 */
export function evaluationsOfProbe(subsystemId: string, probe: Probe, reading: ProbeReading): RuledEvaluation[] {
  const outcome = outcomes[reading.state];
  const symptoms = outcome === 'bad' ? [shownSymptom(probe, reading)] : ownSymptoms(probe);
  return symptoms.map((symptom) => ({
    rule: probeRule(subsystemId, probe, symptom),
    evaluation: { outcome, value: reading.value, at: reading.measured_at, reason: reading.reason ?? 'well' },
  }));
}

export const probeRuleId = (subsystemId: string, probeId: string): string => `probe:${subsystemId}.${probeId}`;
export const metricRuleId = (metricId: string): string => `metric:${metricId}`;

const probeRule = (subsystemId: string, probe: Probe, symptom: string | null): WatchedRule => ({
  rule_id: probeRuleId(subsystemId, probe.id), source: 'probe', subsystem_id: subsystemId, resource_id: probe.resource, symptom,
  playbook_id: null, title: `${probe.id} of ${subsystemId} fails`, severity: probe.severity, for_seconds: probe.for_seconds,
  keep_firing_for_seconds: probe.keep_firing_for_seconds ?? 2 * probe.interval_seconds,
  attributes: { subsystem: subsystemId, probe: probe.id, symptom: symptom ?? 'none' },
});

/** Findings of a metric that no subsystem claims are about this. */
export const unassigned = 'unassigned';

/** @param symptom what the metric's first playbook is for; null without one */
export function evaluationOfMetric(metric: CatalogMetric, symptom: string | null, reading: ProbeReading): RuledEvaluation {
  const { metric_id, interval_seconds, for_seconds, severity, playbooks } = metric;
  return {
    rule: {
      rule_id: metricRuleId(metric_id), source: 'metric', subsystem_id: metric.subsystem_id ?? unassigned, resource_id: null, symptom,
      playbook_id: playbooks[0] ?? null, title: `${metric_id} is off its target`, severity, for_seconds, keep_firing_for_seconds: 2 * interval_seconds,
      attributes: { metric: metric_id },
    },
    evaluation: { outcome: outcomes[reading.state], value: reading.value, at: reading.measured_at, reason: reading.reason ?? 'on target' },
  };
}

/** What is opened when a rule could not be evaluated several times in a row. */
export const blindRule = (rule: Pick<WatchedRule, 'rule_id' | 'subsystem_id'>): WatchedRule => ({
  rule_id: 'detector_blind', source: 'detector', subsystem_id: rule.subsystem_id, resource_id: null, symptom: null, playbook_id: null,
  title: `${rule.rule_id} cannot be measured`, severity: 'medium', for_seconds: 0, keep_firing_for_seconds: 0, attributes: { rule: rule.rule_id },
});

/** What is opened when a notification could not be delivered: nobody would be told of it by that channel. */
export const channelRule = (channel: string): WatchedRule => ({
  rule_id: 'notification_channel', source: 'signal', subsystem_id: unassigned, resource_id: null, symptom: null, playbook_id: null,
  title: `notifications by ${channel} fail`, severity: 'high', for_seconds: 0, keep_firing_for_seconds: 0, attributes: { channel },
});

/** What is opened when a metric that a window needs gives nothing but errors. */
export const blindMetricRule = (metricId: string, subsystemId: string): WatchedRule =>
  blindRule({ rule_id: metricRuleId(metricId), subsystem_id: subsystemId });

export const stormRule = (cooldownSeconds: number): WatchedRule => ({
  rule_id: 'storm', source: 'storm', subsystem_id: unassigned, resource_id: null, symptom: null, playbook_id: null,
  title: 'many things fail at once', severity: 'critical', for_seconds: 0, keep_firing_for_seconds: cooldownSeconds, attributes: {},
});
