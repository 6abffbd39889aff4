/**
 * Reads `{"metrics": {"latency_p95_ms": 12.5}}`: the last line of a text that is such an object, or the whole text.
 * Figures that are not finite numbers are left out; null when there is no such object.
 */
export function parseMetricsJson(text: string): Record<string, number> | null {
  for (const part of [text, ...text.trim().split('\n').reverse()]) {
    let value: unknown;
    try {
      value = JSON.parse(part);
    } catch {
      continue;
    }
    const metrics = (value as { metrics?: unknown } | null)?.metrics;
    if (typeof metrics !== 'object' || metrics === null) continue;
    return Object.fromEntries(
      Object.entries(metrics).filter((entry): entry is [string, number] => Number.isFinite(entry[1])));
  }
  return null;
}
