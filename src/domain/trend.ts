/**
 * Whether something grows, and how fast. Memory rises and falls with every collection of garbage, so it is the lowest
 * points that tell, and a slope that single outliers cannot move.
 */
export interface Point {
  /** Seconds, on any scale. */
  at: number;
  value: number;
}

export interface Trend {
  /** Units per second. */
  slope: number;
  /** Share of all pairs of points whose later one is higher: about 0.5 for noise, 1 for steady growth, 0 for what stands still. */
  growing_share: number;
  /** Lowest value at the start and at the end. */
  from: number;
  to: number;
  points: number;
}

/** Fewer points than this say nothing. */
export const fewestPoints = 8;

/** The lowest value of each `width` successive points, at the time of the last of them. Points in order of time. */
export function rollingMinima(points: readonly Point[], width: number): Point[] {
  return points.slice(width - 1).map(({ at }, i) => ({ at, value: Math.min(...points.slice(i, i + width).map((point) => point.value)) }));
}

/** Slopes of all pairs of points of different times. */
function pairSlopes(points: readonly Point[]): number[] {
  return points.flatMap((a, i) => points.slice(i + 1).filter((b) => b.at !== a.at).map((b) => (b.value - a.value) / (b.at - a.at)));
}

/** Theil–Sen: the median of the slopes of all pairs; null when there are no two points of different times. */
export function theilSen(points: readonly Point[]): number | null {
  const slopes = pairSlopes(points).sort((a, b) => a - b);
  if (slopes.length === 0) return null;
  const middle = slopes.length / 2;
  return slopes.length % 2 === 1 ? slopes[Math.floor(middle)]! : (slopes[middle - 1]! + slopes[middle]!) / 2;
}

/** The trend of the lowest points; null when too little was measured, or something that is no number. */
export function trendOf(points: readonly Point[]): Trend | null {
  if (points.length < fewestPoints || points.some(({ at, value }) => !Number.isFinite(at) || !Number.isFinite(value))) return null;
  const minima = rollingMinima([...points].sort((a, b) => a.at - b.at), Math.max(1, Math.floor(points.length / 6)));
  const slopes = pairSlopes(minima);
  const slope = theilSen(minima);
  if (slope === null) return null;
  return {
    slope, growing_share: slopes.filter((one) => one > 0).length / slopes.length,
    from: minima[0]!.value, to: minima.at(-1)!.value, points: points.length,
  };
}

/** When the limit is reached if it goes on like this; null when it never is. */
export function secondsToLimit(level: number, slope: number, limit: number): number | null {
  if (level >= limit) return 0;
  return slope > 0 ? (limit - level) / slope : null;
}
