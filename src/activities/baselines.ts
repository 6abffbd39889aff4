/** Figures from before the change: taken once for a mission, whatever is stored or run again later. */
import { aggregate } from '../domain/aggregate.ts';
import type { BaselineFigure } from '../domain/baseline.ts';
import type { WindowMetric, WindowSpec } from '../domain/observation.ts';
import { once } from '../store/effects.ts';
import { samplesBetween } from '../store/metrics.ts';
import { landingBegan } from '../store/observation-windows.ts';
import type { ActivityDeps } from './deps.ts';

export interface BaselineInput {
  mission_id: string;
  spec: WindowSpec;
  /** Milliseconds since the epoch. */
  landed_at: number;
  author: string;
}

/** By metric id; keyed by the mission, so that every window of it is held against the same figures. */
export async function frozenBaselines({ database }: ActivityDeps, input: BaselineInput): Promise<Record<string, BaselineFigure>> {
  const metrics = (input.spec.metrics === 'none' ? [] : input.spec.metrics).filter((metric) => metric.baseline?.kind === 'prechange');
  if (metrics.length === 0) return {};
  return once(database.query, `${input.mission_id}:baselines`, async () => {
    // From when the landing began, nobody can say whether a sample saw the change.
    const until = Math.min(input.landed_at, await landingBegan(database.query, input.mission_id) ?? Infinity);
    return Object.fromEntries(await Promise.all(metrics.map(async (metric) => {
      const lookback = (metric.rolling_window_minutes ?? input.spec.duration_minutes) * 60_000;
      const samples = await samplesBetween(
        database.query, metric.metric_id, new Date(until - lookback).toISOString(), new Date(until - 1).toISOString(), input.author);
      return [metric.metric_id, figureOf(metric, samples)] as const;
    })));
  });
}

function figureOf({ aggregation }: WindowMetric, samples: readonly { value: number; at: string }[]): BaselineFigure {
  // The last of many is one moment's chance; what a metric was before is their average.
  const how = aggregation === 'last' ? 'avg' : aggregation;
  return { value: aggregate(how, samples.map(({ value, at }) => ({ value, at: Date.parse(at) }))), n: samples.length };
}
