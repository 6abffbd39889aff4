/** Bodies of the tracked missions' own paths. Fields and words are the original dashboard's; unknown ones are refused. */
import { z } from 'zod';
import type { Json } from '../healing.ts';
import { severities } from '../mission.ts';
import { defaultStaleAfterMinutes } from '../tracked.ts';
import { text } from './text.ts';

const maxMetadataBytes = 16_384;
const maxResultBytes = 65_536;
const maxDepth = 20;

/** JSON of a bounded size and depth: what reads it later may recurse. */
const json = (maxBytes: number) => z.unknown().superRefine((value, context) => {
  if (!isShallow(value)) context.addIssue({ code: 'custom', message: `at most ${maxDepth} levels deep` });
  else if (Buffer.byteLength(JSON.stringify(value) ?? '') > maxBytes) context.addIssue({ code: 'custom', message: `at most ${maxBytes} bytes of JSON` });
}).transform((value) => value as Json);

/** Without recursion: the value may be a thousand times deeper than any stack. */
function isShallow(value: unknown): boolean {
  let level = [value];
  for (let depth = 0; level.length > 0; depth += 1) {
    if (depth > maxDepth) return false;
    level = level.flatMap((one) => (typeof one === 'object' && one !== null ? Object.values(one) : []));
  }
  return true;
}

const metadata = json(maxMetadataBytes).refine((value) => typeof value === 'object' && value !== null && !Array.isArray(value), 'an object')
  .transform((value) => value as Record<string, Json>);
const name = text(100);
const usage = {
  tokens_used: z.number().int().min(0).max(1e12).describe('All tokens of the mission so far').optional(),
  cost_estimate: z.number().min(0).max(1e6).describe('All its cost so far, in USD').optional(),
};

/** The part of a create body that only a tracked mission has. */
export const trackedWorkSchema = z.strictObject({
  stale_after_minutes: z.number().positive().max(10_080).default(defaultStaleAfterMinutes)
    .describe('Without a report for so long it counts as stalled; fractions allowed'),
  agent_type: name.optional(), model_used: name.optional(), metadata: metadata.optional(),
});
export type TrackedWorkInput = z.infer<typeof trackedWorkSchema>;

export const createTrackedSchema = z.strictObject({
  title: text(200),
  description: text(10_000, 0).optional(),
  priority: z.enum(severities).default('medium'),
  subsystem_id: z.string().min(1).max(200).regex(/^[a-z0-9][a-z0-9_.-]*$/i, 'letters, digits, _ . -').default('tracked'),
  assigned_to: text(200).optional(),
  labels: z.array(text(200)).max(200).default([]),
  ...trackedWorkSchema.shape,
  execute: z.boolean().default(false).describe('Also start it'),
});
export type CreateTracked = z.infer<typeof createTrackedSchema>;

export const startTrackedSchema = z.strictObject({ agent_type: name.optional(), model_used: name.optional(), metadata: metadata.optional() });

const report = { ...startTrackedSchema.shape, ...usage, result: json(maxResultBytes).optional() };
export const progressSchema = z.strictObject({ progress: z.number().min(0).max(100), message: text(2_000).optional(), ...report });
export const completeSchema = z.strictObject(report);
export const failSchema = z.strictObject({ error_message: text(2_000).optional(), ...report });
export const cancelSchema = z.strictObject({ reason: text(2_000).optional() });
export type ReportBody = Partial<z.infer<typeof progressSchema>>;
