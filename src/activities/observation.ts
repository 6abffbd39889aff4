/** Stage 10: one tick of the observation window, and its record. */
import { aggregate } from '../domain/aggregate.ts';
import { classify, judge, type Reading, type Sample, type WindowVerdict } from '../domain/judge.ts';
import { windowEnd, type WindowMetric, type WindowSpec } from '../domain/observation.ts';
import type { EvidenceRef } from '../domain/stages.ts';
import { evidence } from '../store/artifacts.ts';
import { createCatalog } from '../store/catalog.ts';
import { insertMeasured, samplesBetween } from '../store/metrics.ts';
import { readPolicy } from '../store/policy.ts';
import { saveSamples, windowSamples } from '../store/window-samples.ts';
import type { ActivityDeps } from './deps.ts';
import { measure } from './metric-sources.ts';

export interface WindowRef {
  mission_id: string;
  /** Which window of the mission, from 1. */
  window: number;
  spec: WindowSpec;
  /** Start of the window, milliseconds since the epoch. */
  t0: number;
}

export interface TickInput extends WindowRef {
  tick: number;
  /** Time of the tick on the grid, milliseconds since the epoch. */
  at: number;
  landed_at: number;
  revision: string;
  /** Who sent the mission: their own samples do not count. */
  author: string;
  /** The tick's time passed with nobody there to run it. */
  missed: boolean;
}

export const observationActivities = (deps: ActivityDeps) => {
  const { query } = deps.database;

  /** The judge over what is stored: the same verdict whenever it is asked. */
  const verdictAt = async ({ mission_id, window, spec, t0 }: WindowRef, now: number): Promise<WindowVerdict> =>
    judge(spec, await windowSamples(query, mission_id, window), t0, now);

  return {
    /** Samples every metric at one tick and judges. Safe to repeat: a stored tick keeps its first value. */
    async sampleTick(input: TickInput): Promise<WindowVerdict> {
      const { mission_id, window, spec } = input;
      const metrics = spec.metrics === 'none' ? [] : spec.metrics;
      const samples = await Promise.all(metrics.map(async (metric): Promise<Sample> => {
        const base = { metric_id: metric.metric_id, tick: input.tick, at: input.at };
        if (input.missed) return { ...base, kind: 'MISSED', value: null, reason: 'nobody was there to run this tick' };
        return { ...base, ...classify(metric, await read(deps, metric, input), input.at, input.landed_at, input.revision) };
      }));
      await saveSamples(query, mission_id, window, samples);
      return verdictAt(input, input.at);
    },

    /** The verdict of a window that is over. */
    async judgeWindow(input: WindowRef): Promise<WindowVerdict> {
      return verdictAt(input, windowEnd(input.spec, input.t0));
    },

    /** The whole table and the verdict as evidence. */
    async closeWindow(input: { mission_id: string; spec: WindowSpec; verdict: WindowVerdict; revision: string }): Promise<EvidenceRef[]> {
      const samples = await windowSamples(query, input.mission_id);
      const record = await deps.artifacts.putJson({ ...input, samples });
      return [evidence('observation', record, `${input.verdict.verdict}: ${input.verdict.reason}, ${samples.length} samples`)];
    },
  };
};

/** One reading: what the source says now, or what was pushed up to this tick. */
async function read(deps: ActivityDeps, metric: WindowMetric, input: TickInput): Promise<Reading> {
  const entry = await createCatalog(deps.config.configFolder, deps.database).find(metric.metric_id);
  if (entry === undefined) return { kind: 'error', reason: 'the metric is no longer in the catalog' };
  if (entry.source.kind !== 'push') {
    try {
      const { egress } = await readPolicy(deps.config.configFolder);
      const value = await measure(deps, entry, egress, `${input.mission_id}:observation`);
      if (typeof value !== 'number' || !Number.isFinite(value)) return { kind: 'error', reason: `measured ${(JSON.stringify(value) ?? 'nothing').slice(0, 100)}, which is not a finite number` };
      await insertMeasured(deps.database.query, metric.metric_id, entry.source.kind, value, new Date(Date.now()).toISOString());
      // A figure of one moment needs no history; an aggregate is made of what was measured in the window so far.
      if (metric.aggregation === 'last') return { kind: 'value', value, at: Date.now(), observed_revision: null };
    } catch (error) {
      return { kind: 'error', reason: (error as Error).message.split('\n')[0]!.slice(0, 300) };
    }
  }
  return readStored(deps, metric, input, entry.source.kind === 'push' ? input.at : Date.now());
}

/**
 * What the stored samples say. Samples from before the landing are not looked at; samples of another revision only when
 * there is no other.
 */
async function readStored({ database }: ActivityDeps, metric: WindowMetric, input: TickInput, until: number): Promise<Reading> {
  const rolling = metric.rolling_window_minutes === null ? Infinity : metric.rolling_window_minutes * 60_000;
  const from = Math.max(input.landed_at - 1, until - rolling);
  const samples = (await samplesBetween(
    database.query, metric.metric_id, new Date(from).toISOString(), new Date(until).toISOString(), input.author))
    .map((sample) => ({ ...sample, at: Date.parse(sample.at) }));
  const own = samples.filter((sample) => sample.observed_revision === null || sample.observed_revision === input.revision);
  const counted = own.length > 0 ? own : samples;
  const newest = counted.at(-1);
  const value = aggregate(metric.aggregation, counted);
  if (newest === undefined || value === null) return { kind: 'nothing' };
  return { kind: 'value', value, at: newest.at, observed_revision: newest.observed_revision };
}
