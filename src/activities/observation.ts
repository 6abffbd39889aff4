/** Stage 10: one tick of the observation window, and its record. */
import { aggregate } from '../domain/aggregate.ts';
import { classify, type Reading, type Sample, type WindowVerdict } from '../domain/judge.ts';
import type { WindowMetric, WindowSpec } from '../domain/observation.ts';
import type { EvidenceRef } from '../domain/stages.ts';
import { evidence } from '../store/artifacts.ts';
import { samplesBetween } from '../store/metrics.ts';
import { saveSamples, windowSamples } from '../store/window-samples.ts';
import type { ActivityDeps } from './deps.ts';

export interface TickInput {
  mission_id: string;
  tick: number;
  /** Time of the tick on the grid, milliseconds since the epoch. */
  at: number;
  landed_at: number;
  revision: string;
  /** Who sent the mission: their own samples do not count. */
  author: string;
  metrics: WindowMetric[];
  /** The tick's time passed with nobody there to run it. */
  missed: boolean;
}

export const observationActivities = ({ database, artifacts }: ActivityDeps) => ({
  /** Samples every metric at one tick. Safe to repeat: a stored tick keeps its first value, and that is returned. */
  async sampleTick(input: TickInput): Promise<Sample[]> {
    const fresh = await Promise.all(input.metrics.map(async (metric): Promise<Sample> => {
      const base = { metric_id: metric.metric_id, tick: input.tick, at: input.at };
      if (input.missed) return { ...base, kind: 'MISSED', value: null, reason: 'nobody was there to run this tick' };
      return { ...base, ...classify(metric, await read(database, metric, input), input.at, input.landed_at, input.revision) };
    }));
    await saveSamples(database.query, input.mission_id, fresh);
    return (await windowSamples(database.query, input.mission_id)).filter((sample) => sample.tick === input.tick);
  },

  /** The whole table and the verdict as evidence. */
  async closeWindow(input: { mission_id: string; spec: WindowSpec; verdict: WindowVerdict; revision: string }): Promise<EvidenceRef[]> {
    const samples = await windowSamples(database.query, input.mission_id);
    const record = await artifacts.putJson({ ...input, samples });
    return [evidence('observation', record, `${input.verdict.verdict}: ${input.verdict.reason}, ${samples.length} samples`)];
  },
});

/**
 * What the pushed samples say at this tick. Samples from before the landing are not looked at; samples of another
 * revision only when there is no other.
 */
async function read(database: ActivityDeps['database'], metric: WindowMetric, input: TickInput): Promise<Reading> {
  const rolling = metric.rolling_window_minutes === null ? Infinity : metric.rolling_window_minutes * 60_000;
  const from = Math.max(input.landed_at - 1, input.at - rolling);
  const samples = (await samplesBetween(
    database.query, metric.metric_id, new Date(from).toISOString(), new Date(input.at).toISOString(), input.author))
    .map((sample) => ({ ...sample, at: Date.parse(sample.at) }));
  const own = samples.filter((sample) => sample.observed_revision === null || sample.observed_revision === input.revision);
  const counted = own.length > 0 ? own : samples;
  const newest = counted.at(-1);
  const value = aggregate(metric.aggregation, counted);
  if (newest === undefined || value === null) return { kind: 'nothing' };
  return { kind: 'value', value, at: newest.at, observed_revision: newest.observed_revision };
}
