export const comparators = ['<', '<=', '>', '>=', '=='] as const;
export type Comparator = (typeof comparators)[number];

/**
 * Whether a measured value meets a target.
 * A value that is not a finite number never does: `null < 100` is true in JavaScript.
 */
export function meets(value: unknown, comparator: Comparator, target: number): boolean {
  if (typeof value !== 'number' || !Number.isFinite(value)) return false;
  switch (comparator) {
    case '<': return value < target;
    case '<=': return value <= target;
    case '>': return value > target;
    case '>=': return value >= target;
    case '==': return value === target;
  }
}

/** Where samples come from. A command never comes from the API: an argv is ours alone. */
export type MetricSource =
  | { kind: 'push' }
  | { kind: 'http_json'; url: string; pointer: string }
  | { kind: 'command'; argv: string[]; pointer?: string | undefined; timeout_seconds: number };

/** One entry of the catalog; a target is met or not by `comparator`. */
export interface CatalogMetric {
  metric_id: string;
  source: MetricSource;
  comparator: Comparator;
  target: number;
  unit: string;
  description: string | null;
  subsystem_id: string | null;
  defined_by: 'file' | 'api';
}
