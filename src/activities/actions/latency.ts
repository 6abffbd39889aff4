/** How slow something is, as its users see it, and what was last measured of it. */
import { z } from 'zod';
import { readPolicy } from '../../store/policy.ts';
import { lastSample } from '../../store/metrics.ts';
import { fetchText } from '../egress.ts';
import { defineProbe } from './action.ts';

export type HttpLatency = {
  requests: number;
  failed: number;
  error_rate: number;
  /** Null when so many failed at once that no time stands at this rank: then nothing is known of it. */
  p50_ms: number | null;
  p95_ms: number | null;
};

const httpLatency = defineProbe({
  input: z.strictObject({
    url: z.url({ protocol: /^https?$/ }), requests: z.number().int().min(5).max(500).default(20), concurrency: z.number().int().min(1).max(20).default(4),
  }),
  async look({ url, requests, concurrency }, tools): Promise<HttpLatency> {
    const { egress } = await readPolicy(tools.deps.config.configFolder);
    const times: number[] = [];
    let begun = 0;
    let failed = 0;
    const client = async (): Promise<void> => {
      while (begun < requests) {
        begun += 1;
        tools.signal.throwIfAborted();
        const began = performance.now();
        try {
          await fetchText(url, egress);
          times.push(performance.now() - began);
        } catch (error) {
          if ((error as Error).message.startsWith('URL_FORBIDDEN')) throw error;
          failed += 1;
          // A request that ran into its time limit took at least that long; any other failure says nothing of speed.
          times.push((error as Error).name === 'AbortError' || (error as Error).name === 'TimeoutError' ? performance.now() - began : Infinity);
        }
      }
    };
    await Promise.all(Array.from({ length: Math.min(concurrency, requests) }, client));
    return { requests, failed, error_rate: failed / requests, p50_ms: atRank(times, 0.5), p95_ms: atRank(times, 0.95) };
  },
});

/** Nearest rank. A failure counts as slower than anything, so that quick failures never make the figure better. */
function atRank(times: readonly number[], share: number): number | null {
  const value = [...times].sort((a, b) => a - b)[Math.ceil(share * times.length) - 1];
  return value !== undefined && Number.isFinite(value) ? value : null;
}

export type LatestSample = { metric_id: string; value: number | null; at: string | null; age_seconds: number | null };

/** What was last stored of a metric; how old it may be is for whoever asks to say. */
const latestMetric = defineProbe({
  input: z.strictObject({ metric_id: z.string() }),
  async look({ metric_id }, { deps }): Promise<LatestSample> {
    const now = Date.now();
    const sample = await lastSample(deps.database.query, metric_id, new Date(now).toISOString());
    if (sample === undefined || !Number.isFinite(sample.value)) return { metric_id, value: null, at: null, age_seconds: null };
    return { metric_id, value: sample.value, at: sample.at, age_seconds: (now - Date.parse(sample.at)) / 1_000 };
  },
});

export const latencyProbes = { 'http.latency': httpLatency, 'metric.latest': latestMetric };
