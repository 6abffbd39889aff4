/** A window's verdict from what is stored, with what confounded it and who went blind; written together, once. */
import { systemActor } from '../domain/actor.ts';
import { withConfounders, type Confounder } from '../domain/confounders.ts';
import type { EventType, NewEvent } from '../domain/event.ts';
import { blindMetrics, judge, type WindowVerdict } from '../domain/judge.ts';
import type { WindowSpec } from '../domain/observation.ts';
import { digestOf } from '../ledger/canonical.ts';
import { insertEvents } from '../store/events.ts';
import { findMission } from '../store/missions.ts';
import { lockWindow, otherChanges, saveVerdict } from '../store/observation-windows.ts';
import { readPolicy } from '../store/policy.ts';
import { windowSamples } from '../store/window-samples.ts';
import type { ActivityDeps } from './deps.ts';
import { blindMetricRule, unassigned } from '../domain/watch-rules.ts';
import { evaluate } from '../store/findings.ts';
import { activeSilences } from '../store/silences.ts';

interface Judged {
  mission_id: string;
  window: number;
  spec: WindowSpec;
  t0: number;
}

/**
 * Judges the stored samples. A window that has its verdict keeps it, with the confounders that were known then: whoever
 * judges the stored samples again later gets the same.
 * @param now milliseconds since the epoch, on the window's own grid
 */
export async function judgeStored(deps: ActivityDeps, { mission_id, window, spec, t0 }: Judged, now: number): Promise<WindowVerdict> {
  const digest = await configDigest(deps, mission_id, spec);
  return deps.database.transaction(async (query) => {
    const row = await lockWindow(query, mission_id, window);
    if (row.verdict !== null) return row.verdict;
    const found = await otherChanges(query, mission_id, t0, now);
    if (digest !== row.config_digest) found.push(configChange(digest, now));
    const fresh = found.filter((one) => row.confounders.every((known) => known.key !== one.key));
    const confounders = [...row.confounders, ...fresh];
    const samples = await windowSamples(query, mission_id, window);
    const verdict = withConfounders(spec, judge(spec, samples, t0, now), confounders);
    const ended = verdict.verdict === 'RUNNING' ? null : verdict;
    if (ended !== null || fresh.length > 0) await saveVerdict(query, mission_id, window, confounders, ended);

    const event = (type: EventType, key: string, payload: Record<string, unknown>): NewEvent => ({
      type, actor: systemActor('worker'), payload: { window, ...payload }, idempotency_key: `${mission_id}:observation:${window}:${key}`,
      subject: { mission_id, workflow_id: `${mission_id}:observation:${window}`, run_id: null, stage: 'observation_window', attempt: null },
    });
    const blind = blindMetrics(samples);
    const told = await insertEvents(query, [
      ...fresh.map((one) => event('observation.confounded', `confounded:${one.key}`, { ...one, effect: spec.confounders ?? 'record' })),
      ...blind.map((one) => event('observation.detector_blind', blindKey(one.metric_id), one)),
    ]);
    const silences = await activeSilences(query);
    for (const { metric_id, reason } of blind) {
      if (!told.has(`${mission_id}:observation:${window}:${blindKey(metric_id)}`)) continue;
      await evaluate(query, blindMetricRule(metric_id, unassigned), { outcome: 'bad', value: null, at: now, reason }, { inhibited_by: null, silences });
    }
    return verdict;
  });
}

const blindKey = (metricId: string): string => `blind:${metricId}`;

const configChange = (digest: string, now: number): Confounder => ({
  key: `config:${digest}`, kind: 'config', at: new Date(now).toISOString(), mission_id: null,
  summary: digest === unreadable ? 'policy or catalog that cannot be read any more' : 'a change of the policy or of the metrics catalog',
});

const unreadable = 'unreadable';

/** Of the policy, and of those entries of the catalog that are watched or belong to the mission's subsystem. */
export async function configDigest({ config, database, catalog }: ActivityDeps, missionId: string, spec: WindowSpec): Promise<string> {
  const subsystem = (await findMission(database.query, missionId))?.package.subsystem_id;
  const watched = new Set((spec.metrics === 'none' ? [] : spec.metrics).flatMap(({ metric_id: id, baseline }) =>
    (baseline?.kind === 'peer' ? [id, baseline.peer_metric_id] : [id])));
  try {
    const [policy, metrics] = await Promise.all([readPolicy(config.configFolder), catalog.all()]);
    const entries = metrics.filter((metric) => watched.has(metric.metric_id) || metric.subsystem_id === subsystem);
    return digestOf({ policy, entries: entries.sort((a, b) => (a.metric_id < b.metric_id ? -1 : 1)) });
  } catch {
    // A file that somebody is writing at this moment is a change too; what it says, nobody knows.
    return unreadable;
  }
}
