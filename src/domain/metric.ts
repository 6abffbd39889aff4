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

/** One entry of the catalog. Its samples are pushed; a target is met or not by `comparator`. */
export interface CatalogMetric {
  metric_id: string;
  source: { kind: 'push' };
  comparator: Comparator;
  target: number;
  unit: string;
  description: string | null;
  subsystem_id: string | null;
  defined_by: 'file' | 'api';
}
