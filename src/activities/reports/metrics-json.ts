import { jsonLines } from './json-lines.ts';

/**
 * Reads `{"metrics": {"latency_p95_ms": 12.5}}`: the last line of a text that is such an object, or the whole text.
 * Figures that are not finite numbers are left out; null when there is no such object.
 */
export function parseMetricsJson(text: string): Record<string, number> | null {
  const whole = text.trim();
  for (const value of jsonLines([whole, ...whole.split('\n').reverse()])) {
    const { metrics } = value;
    if (typeof metrics !== 'object' || metrics === null) continue;
    return Object.fromEntries(
      Object.entries(metrics).filter((entry): entry is [string, number] => Number.isFinite(entry[1])));
  }
  return null;
}
