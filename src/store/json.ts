/** JSON for PostgreSQL, which holds neither NUL nor unpaired surrogates. */

/**
 * The same value with U+FFFD for what PostgreSQL cannot hold. Test names and messages are hostile input: one that cannot
 * be stored would keep its mission from ever being written again.
 */
export function storable<T>(value: T): T {
  if (typeof value === 'string') return value.replaceAll(/\0|\p{Surrogate}/gu, '\uFFFD') as T;
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map(storable) as T;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [storable(key), storable(item)])) as T;
}

export const toJson = (value: unknown): string => JSON.stringify(storable(value));
