/** One step of a series as the API gives it: only steps that hold samples. */
export interface SeriesPoint { at: string; count: number; min: number; max: number; avg: number; p95: number }

/** Columns as uPlot takes them: seconds, mean, smallest, largest, target. */
export type SeriesColumns = [x: number[], avg: (number | null)[], min: (number | null)[], max: (number | null)[], target: (number | null)[]];

/** Where a step is missing nothing was measured: the line breaks there instead of bridging it. */
export function withGaps(points: readonly SeriesPoint[], stepSeconds: number, target: number | null): SeriesColumns {
  const columns: SeriesColumns = [[], [], [], [], []];
  const put = (x: number, point: SeriesPoint | null): void => {
    columns[0].push(x);
    columns[1].push(point?.avg ?? null);
    columns[2].push(point?.min ?? null);
    columns[3].push(point?.max ?? null);
    columns[4].push(target);
  };
  let before: number | null = null;
  for (const point of points) {
    const x = Date.parse(point.at) / 1_000;
    if (before !== null && x - before > 1.5 * stepSeconds) put(before + stepSeconds, null);
    put(x, point);
    before = x;
  }
  return columns;
}
