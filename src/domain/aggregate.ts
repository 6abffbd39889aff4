/** One figure from the samples of a tick. Exact: a window holds few samples; long series use sketches elsewhere. */
import type { Aggregation } from './observation.ts';

/** A rate needs samples at least this far apart, in milliseconds. */
const leastSpanMs = 500;

/** @returns null for no values; `rate` is the change per second between first and last */
export function aggregate(how: Aggregation, samples: readonly { value: number; at: number }[]): number | null {
  if (samples.length === 0) return null;
  const values = samples.map((sample) => sample.value);
  switch (how) {
    case 'last': return values.at(-1)!;
    case 'avg': return values.reduce((sum, value) => sum + value, 0) / values.length;
    // Not Math.max(...values): 200,000 arguments overflow the stack.
    case 'max': return values.reduce((a, b) => Math.max(a, b));
    case 'min': return values.reduce((a, b) => Math.min(a, b));
    case 'p50': return percentile(values, 0.5);
    case 'p95': return percentile(values, 0.95);
    case 'p99': return percentile(values, 0.99);
    case 'rate': {
      const first = samples[0]!;
      const last = samples.at(-1)!;
      // Two looks a moment apart tell noise, not a rate.
      return last.at - first.at < leastSpanMs ? null : ((last.value - first.value) * 1_000) / (last.at - first.at);
    }
  }
}

/** Nearest rank: the smallest value that at least `share` of the values do not exceed. */
function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)]!;
}
