/** Stage 10: one tick of the observation window, and its record. */
import { aggregate } from '../domain/aggregate.ts';
import type { BaselineFigure } from '../domain/baseline.ts';
import { classify, type Reading, type Sample, type WindowVerdict } from '../domain/judge.ts';
import { windowEnd, type WindowMetric, type WindowSpec } from '../domain/observation.ts';
import type { CatalogMetric } from '../domain/metric.ts';
import type { EvidenceRef } from '../domain/stages.ts';
import { evidence } from '../store/artifacts.ts';
import { samplesBetween } from '../store/metrics.ts';
import { decideWindow, observationWindows, openWindow, type OpenedWindow } from '../store/observation-windows.ts';
import { readPolicy } from '../store/policy.ts';
import { saveSamples, windowSamples } from '../store/window-samples.ts';
import { frozenBaselines } from './baselines.ts';
import type { ActivityDeps } from './deps.ts';
import { takeSample } from './metric-sources/read-metric.ts';
import { configDigest, judgeStored } from './window-verdict.ts';

export interface WindowRef {
  mission_id: string;
  /** Which window of the mission, from 1. */
  window: number;
  spec: WindowSpec;
  /** Start of the window, milliseconds since the epoch. */
  t0: number;
  /** Of the landing; samples from before it never count. Absent from what was scheduled before windows were stored. */
  landed_at?: number;
  /** The landed commit. */
  revision?: string;
  /** Who sent the mission: their own samples do not count. */
  author?: string;
}

export interface TickInput extends Required<WindowRef> {
  tick: number;
  /** Time of the tick on the grid, milliseconds since the epoch. */
  at: number;
  /** The tick's time passed with nobody there to run it. */
  missed: boolean;
}

export interface CloseInput extends Omit<WindowRef, 'window' | 't0' | 'revision'> {
  window?: number;
  t0?: number;
  revision: string;
  verdict: WindowVerdict;
  /** Who gave the verdict; a person's is not to be had from the samples. */
  judged_by?: 'judge' | 'person';
}

export const observationActivities = (deps: ActivityDeps) => {
  const { query } = deps.database;

  /** The window's row, made when it is first needed: what it was begun with holds until its end. */
  async function opened(ref: WindowRef): Promise<OpenedWindow> {
    const { mission_id, window, spec, t0, landed_at: landedAt = t0 } = ref;
    return openWindow(query, mission_id, window, async () => ({
      spec, t0, landed_at: landedAt, revision: spec.subject?.revision ?? ref.revision ?? null,
      baselines: await frozenBaselines(deps, { mission_id, spec, landed_at: landedAt, author: ref.author ?? '' }),
      config_digest: await configDigest(deps, mission_id, spec),
    }));
  }

  return {
    /** Samples every metric at one tick and judges. Safe to repeat: a stored tick keeps its first value. */
    async sampleTick(input: TickInput): Promise<WindowVerdict> {
      const { mission_id, window, spec, at } = input;
      const { baselines } = await opened(input);
      const revision = spec.subject?.revision ?? input.revision;
      const metrics = spec.metrics === 'none' ? [] : spec.metrics;
      const samples = await Promise.all(metrics.map(async (metric): Promise<Sample> => {
        const base = { metric_id: metric.metric_id, tick: input.tick, at };
        if (input.missed) return { ...base, kind: 'MISSED', value: null, reason: 'nobody was there to run this tick' };
        const [{ reading }, figure] = await Promise.all([
          read(deps, metric, input, revision),
          metric.baseline?.kind === 'peer' ? peerFigure(deps, metric, metric.baseline.peer_metric_id, input, revision) : baselines[metric.metric_id],
        ]);
        return { ...base, ...classify(metric, reading, at, input.landed_at, revision, figure) };
      }));
      await saveSamples(query, mission_id, window, samples);
      return judgeStored(deps, input, at);
    },

    /** The verdict of a window that is over. Safe to repeat: the first one is kept. */
    async judgeWindow(input: WindowRef): Promise<WindowVerdict> {
      await opened(input);
      return judgeStored(deps, input, windowEnd(input.spec, input.t0));
    },

    /** The whole table and the verdict as evidence. Safe to repeat: a verdict that is stored stays. */
    async closeWindow({ window, t0, ...input }: CloseInput): Promise<EvidenceRef[]> {
      const { mission_id, verdict, judged_by } = input;
      if (window !== undefined && t0 !== undefined) {
        await opened({ ...input, window, t0 });
        if (judged_by === 'person') await decideWindow(query, mission_id, window, verdict);
      }
      const [samples, windows] = await Promise.all([windowSamples(query, mission_id), observationWindows(query, mission_id)]);
      const record = await deps.artifacts.putJson({ ...input, windows, samples });
      return [evidence('observation', record, `${verdict.verdict}: ${verdict.reason}, ${samples.length} samples`)];
    },
  };
};

/** What is looked at, and how it becomes one figure. */
type Watched = Pick<WindowMetric, 'metric_id' | 'rolling_window_minutes' | 'aggregation'>;

/** One reading, with the number of samples in it: what the source says now, or what was pushed up to this tick. */
async function read(deps: ActivityDeps, metric: Watched, input: TickInput, revision: string): Promise<{ reading: Reading; n: number }> {
  const failed = (error: Error): Reading => ({ kind: 'error', reason: error.message.split('\n')[0]!.slice(0, 300) });
  let entry: CatalogMetric | undefined;
  try {
    entry = await deps.catalog.find(metric.metric_id);
  } catch (error) {
    return { reading: failed(error as Error), n: 0 };
  }
  if (entry === undefined) return { reading: { kind: 'error', reason: 'the metric is no longer in the catalog' }, n: 0 };
  const measured = entry;
  if (measured.source.kind !== 'push') {
    const taken = await readPolicy(deps.config.configFolder).then(
      ({ egress }) => takeSample(deps, measured, egress, `${input.mission_id}:observation`), failed);
    // A figure of one moment needs no history; an aggregate is made of what was measured in the window so far.
    if (taken.kind !== 'value' || metric.aggregation === 'last') return { reading: taken, n: taken.kind === 'value' ? 1 : 0 };
  }
  return readStored(deps, metric, input, revision, entry.source.kind === 'push' ? input.at : Date.now());
}

/** What a peer gave at this tick; one that is stale or gave nothing is no figure. */
async function peerFigure(deps: ActivityDeps, metric: WindowMetric, peer: string, input: TickInput, revision: string): Promise<BaselineFigure> {
  // A peer runs another revision, or none: what it reports of itself is no matter.
  const { reading, n } = await read(deps, { ...metric, metric_id: peer }, input, revision);
  if (reading.kind !== 'value' || typeof reading.value !== 'number') return { value: null, n: 0 };
  if (input.at - reading.at > metric.stale_after_seconds * 1_000) return { value: null, n: 0 };
  return { value: reading.value, n };
}

/**
 * What the stored samples say. Samples from before the landing are not looked at; samples of another revision only when
 * there is no other.
 */
async function readStored(
  { database }: ActivityDeps, metric: Watched, input: TickInput, revision: string, until: number,
): Promise<{ reading: Reading; n: number }> {
  const rolling = metric.rolling_window_minutes === null ? Infinity : metric.rolling_window_minutes * 60_000;
  const from = Math.max(input.landed_at - 1, until - rolling);
  const samples = (await samplesBetween(
    database.query, metric.metric_id, new Date(from).toISOString(), new Date(until).toISOString(), input.author))
    .map((sample) => ({ ...sample, at: Date.parse(sample.at) }));
  const own = samples.filter((sample) => sample.observed_revision === null || sample.observed_revision === revision);
  const counted = own.length > 0 ? own : samples;
  const newest = counted.at(-1);
  const value = aggregate(metric.aggregation, counted);
  if (newest === undefined || value === null) return { reading: { kind: 'nothing' }, n: 0 };
  return { reading: { kind: 'value', value, at: newest.at, observed_revision: newest.observed_revision }, n: counted.length };
}
