/** What the CAPA routes take. Every limit of a record stands here. */
import { z } from 'zod';
import { capaTypes, investigationMethods } from '../capa.ts';
import { comparators } from '../metric.ts';
import { severities } from '../mission.ts';
import { aggregations } from '../observation.ts';
import { acceptanceCriteriaSchema, workspaceSchema } from './mission-package.ts';
import { metricIdSchema } from './metric.ts';
import { text } from './text.ts';

const longText = text(10_000);
const sha256 = z.string().regex(/^[0-9a-f]{64}$/, 'a hex sha256');
export const capaIdSchema = z.string().regex(/^CAPA-\d{4}-\d{4,9}$/, 'a record id: CAPA-2026-0001');
const actionId = z.string().max(100).regex(/^[a-z0-9][a-z0-9_.-]*$/i, 'letters, digits, _ . -');
/** Spelt as principals are. */
const principalId = z.string().max(100).regex(/^[a-z0-9][a-z0-9_.@-]*$/i, 'a principal id: letters, digits, _ . @ -');
const rating = z.number().int().min(1).max(10);
/** A moment ahead that a timer can wait for. */
const date = z.iso.datetime({ offset: true })
  .refine((at) => { const year = new Date(at).getUTCFullYear(); return year >= 2000 && year < 2200; }, 'not a date to wait for')
  .transform((at) => new Date(at).toISOString());

export const evidenceListSchema = z.array(sha256).max(200);

export const capaEditSchema = z.strictObject({
  problem_statement: longText.optional(),
  type: z.enum(capaTypes).optional(),
  risk: z.strictObject({ severity: rating, occurrence: rating, detection: rating }).optional(),
  containment: z.strictObject({ kind: z.enum(['done', 'not_needed']), description: longText }).optional(),
  investigation: z.strictObject({
    method: z.enum(investigationMethods),
    hypotheses: z.array(z.strictObject({
      statement: longText, support: z.array(longText).max(50).default([]), refute: z.array(longText).max(50).default([]),
    })).max(50).default([]),
    root_cause: z.strictObject({ kind: z.enum(['found', 'undetermined']), description: longText }).nullable().default(null),
    similar_records: z.array(capaIdSchema).max(50).default([]),
  }).optional(),
  actions: z.array(z.strictObject({ action_id: actionId, description: longText, owner: principalId, due_at: date })).max(50).optional(),
  criterion: z.strictObject({
    metric_id: metricIdSchema, aggregation: z.enum(aggregations).default('avg'), comparator: z.enum(comparators),
    target: z.number(), window_minutes: z.number().positive().max(129_600), min_samples: z.number().int().min(1).max(1_000_000).default(3),
  }).optional(),
  /** Actions that are finished. */
  done: z.array(actionId).min(1).max(50).optional(),
  verification: z.strictObject({
    description: longText, no_adverse_effect: longText, evidence: evidenceListSchema.default([]),
  }).optional(),
  /** Added to what is there. */
  evidence: evidenceListSchema.optional(),
  due_at: date.optional(),
  effectiveness_due_at: date.optional(),
});
export type CapaEdit = z.infer<typeof capaEditSchema>;

/** A mission for one action: its symptoms and targets come from the record. */
export const capaMissionSchema = z.strictObject({
  action_id: actionId,
  severity: z.enum(severities),
  workspace: workspaceSchema,
  assigned_to: text(200).optional(),
  title: text(200).optional(),
  must_pass_tests: acceptanceCriteriaSchema.shape.must_pass_tests,
  observation_window_minutes: acceptanceCriteriaSchema.shape.observation_window_minutes,
  execute: z.boolean().default(true),
});
export type CapaMission = z.infer<typeof capaMissionSchema>;
