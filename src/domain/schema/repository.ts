import { z } from 'zod';
import { branchRule, isBranchName } from '../branch.ts';
import { askedFormats, testReportFormats } from '../commands.ts';
import { limitsSchema } from './limits.ts';
import { text } from './text.ts';

const glob = text(1_000);

const reportSchema = z.strictObject({
  format: z.enum(testReportFormats),
  path: glob.optional(),
  from: z.literal('stdout').optional(),
}).refine((r) => r.path !== undefined || r.from !== undefined || askedFormats.includes(r.format),
  'name where the report is: path or from');

const commandSchema = z.strictObject({
  argv: z.array(text(10_000)).min(1).max(200),
  timeout_seconds: z.number().positive().max(86_400).default(900),
  network: z.boolean().default(false),
  report: reportSchema.optional(),
  limits: limitsSchema.optional(),
});

const setupSchema = commandSchema.extend({
  next: z.array(commandSchema.omit({ report: true }).extend({ may_fail: z.boolean().optional() })).max(20).optional(),
});

const stressSchema = commandSchema.extend({
  http_load: z.strictObject({
    path: text(4_000).refine((path) => path.startsWith('/'), 'begins with /').default('/'),
    connections: z.number().int().min(1).max(1_000).default(10),
    duration_seconds: z.number().positive().max(3_600).default(10),
    warm_up_seconds: z.number().min(0).max(600).default(1),
    ready_timeout_seconds: z.number().positive().max(600).default(30),
  }).optional(),
});

const stressThresholdSchema = z.strictObject({
  metric: text(200),
  max: z.number().optional(),
  min: z.number().optional(),
  max_ratio_to_base: z.number().positive().optional(),
}).refine((t) => t.max !== undefined || t.min !== undefined || t.max_ratio_to_base !== undefined,
  'name a limit: max, min or max_ratio_to_base');

/** What stands in `.mission-control.yaml`, read at the base commit, or with the registered repository. */
export const repositorySettingsSchema = z.strictObject({
  commands: z.strictObject({
    setup: setupSchema.optional(),
    test: commandSchema.optional(),
    stress: stressSchema.optional(),
  }).default({}),
  stress_thresholds: z.array(stressThresholdSchema).max(200).default([]),
  protected_paths: z.array(glob).max(200).default([]),
  /** For every command that does not say otherwise. */
  limits: limitsSchema.optional(),
});

export const createRepositorySchema = z.strictObject({
  name: z.string().min(1).max(200).regex(/^[a-z0-9][a-z0-9._-]*$/i, 'letters, digits, . _ -'),
  path: text(4_000).optional(),
  url: text(4_000).optional(),
  default_branch: z.string().refine(isBranchName, branchRule).optional(),
  commands: repositorySettingsSchema.shape.commands,
  stress_thresholds: repositorySettingsSchema.shape.stress_thresholds,
  protected_paths: repositorySettingsSchema.shape.protected_paths,
  limits: repositorySettingsSchema.shape.limits,
}).refine((r) => (r.path === undefined) !== (r.url === undefined), 'exactly one of path and url');
export type CreateRepository = z.infer<typeof createRepositorySchema>;
