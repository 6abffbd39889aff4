/** One step of a series as the API gives it: only steps that hold samples. */
export interface SeriesPoint { at: string; count: number; min: number; max: number; avg: number; p95: number }

/** Columns as uPlot takes them: seconds, mean, smallest, largest, target. */
export type SeriesColumns = [x: number[], avg: (number | null)[], min: (number | null)[], max: (number | null)[], target: (number | null)[]];

export interface SeriesShape { points: readonly SeriesPoint[]; step_seconds: number; from: string; to: string; target?: { value: number } | undefined }

/** Where a step is missing nothing was measured: the line breaks there instead of bridging it. The target spans the whole time. */
export function withGaps({ points, step_seconds: step, from, to, target }: SeriesShape): SeriesColumns {
  const columns: SeriesColumns = [[], [], [], [], []];
  const put = (x: number, point: SeriesPoint | null): void => {
    columns[0].push(x);
    columns[1].push(point?.avg ?? null);
    columns[2].push(point?.min ?? null);
    columns[3].push(point?.max ?? null);
    columns[4].push(target?.value ?? null);
  };
  const [first, last] = [Date.parse(from) / 1_000, Date.parse(to) / 1_000];
  let before: number | null = null;
  if (points.length === 0 || Date.parse(points[0]!.at) / 1_000 > first) put(first, null);
  for (const point of points) {
    const x = Date.parse(point.at) / 1_000;
    if (before !== null && x - before > 1.5 * step) put(before + step, null);
    put(x, point);
    before = x;
  }
  if (before !== null && before < last) put(last, null);
  return columns;
}
