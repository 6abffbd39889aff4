/** Templates: part of a mission package, kept under a name, completed by whoever uses it. */

export interface Template {
  template_id: string;
  name: string;
  description: string | null;
  /** Part of a create body, as it was sent. */
  package: Record<string, unknown>;
  created_by: string;
  created_at: string;
}

/**
 * A template with what the caller says over it: objects are merged field by field, at any depth; everything else (arrays
 * too) is replaced as a whole. Nothing of a template can be taken away, only replaced.
 */
export function mergePackage(template: Record<string, unknown>, over: Record<string, unknown>): Record<string, unknown> {
  const entries = new Map(Object.entries(template));
  for (const [name, value] of Object.entries(over)) {
    const under = entries.get(name);
    entries.set(name, isObject(under) && isObject(value) ? mergePackage(under, value) : value);
  }
  return Object.fromEntries(entries);
}

export const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
