/**
 * The mission package: the contract between whoever sends a mission and us.
 * The fields are those of the original contract (`mission_20250110_001` in the seed document), all kept;
 * every limit stands here and nowhere else.
 */
import { z } from 'zod';
import { branchRule, commitRule, isBranchName } from '../branch.ts';
import { comparators } from '../metric.ts';
import { missionTypes, severities } from '../mission.ts';
import { metricIdSchema } from './metric.ts';
import { observationWindowSchema } from './observation.ts';
import { text } from './text.ts';
import { trackedWorkSchema } from './tracked.ts';

export const maxTextLength = 10_000;
export const maxDiffBytes = 1_048_576;
export const maxBodyBytes = 2_097_152;
const maxItems = 200;

const shortText = text(200);
const longText = text(maxTextLength);
const slug = z.string().min(1).max(200).regex(/^[a-z0-9][a-z0-9_.-]*$/i, 'letters, digits, _ . -');
const sha256 = z.string().regex(/^[0-9a-f]{64}$/, 'a hex sha256');
const branchName = z.string().refine(isBranchName, branchRule);
const missionIdText = z.string().regex(/^mission_\d{8}_\d{3,}$/, 'a mission id');

export const contextSchema = z.strictObject({
  git_sha: shortText.optional(),
  git_tree: shortText.optional(),
  config_hash: shortText.optional(),
  env: shortText.optional(),
  branch: shortText.optional(),
  version: shortText.optional(),
});

export const symptomSchema = z.strictObject({
  description: longText,
  metric_id: metricIdSchema.optional(),
  observed_value: z.number().optional(),
  threshold: z.number().optional(),
});

export const metricTargetSchema = z.strictObject({
  metric_id: metricIdSchema,
  comparator: z.enum(comparators),
  target: z.number(),
  rolling_window_minutes: z.number().positive().max(1_440).optional(),
});

export const acceptanceCriteriaSchema = z.strictObject({
  must_pass_tests: z.array(longText).max(maxItems).default([]),
  metric_targets: z.array(metricTargetSchema).max(maxItems).default([]),
  observation_window_minutes: z.number().positive().max(10_080).optional(),
  observation_window: observationWindowSchema.optional(),
}).superRefine(({ metric_targets: targets, observation_window: window }, context) => {
  // Samples are kept by metric id, so a second entry for a metric would be judged by the first one's target.
  const refuse = (path: (string | number)[], message: string): void => context.addIssue({ code: 'custom', path, message });
  const metrics = Array.isArray(window?.metrics) ? window.metrics : [];
  targets.forEach(({ metric_id: id, comparator, target }, i) => {
    if (targets.findIndex((other) => other.metric_id === id) < i) refuse(['metric_targets', i, 'metric_id'], `${id} is named twice`);
    const at = metrics.findIndex((metric) => metric.metric_id === id);
    const same = metrics[at];
    if (same !== undefined && (same.role !== 'gate' || same.comparator !== comparator || same.target !== target)) {
      refuse(['observation_window', 'metrics', at], `${id} is a metric target too: give it the role gate and the same comparator and target`);
    }
  });
  metrics.forEach(({ metric_id: id }, i) => {
    if (metrics.findIndex((other) => other.metric_id === id) < i) {
      refuse(['observation_window', 'metrics', i, 'metric_id'], `${id} is named twice`);
    }
  });
});

export const patchCandidateSchema = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('diff'),
    text: z.string().min(1).refine((s) => Buffer.byteLength(s) <= maxDiffBytes, `at most ${maxDiffBytes} bytes`)
      // As bytes it would be another character: not the diff that was sent.
      .refine((s) => !/\p{Surrogate}/u.test(s), 'no unpaired surrogates').optional(),
    artifact: sha256.optional(),
  }).refine((c) => (c.text === undefined) !== (c.artifact === undefined), 'exactly one of text and artifact'),
  z.strictObject({ kind: z.literal('bundle'), artifact: sha256 }),
  z.strictObject({ kind: z.literal('branch'), ref: branchName }),
  z.strictObject({ kind: z.literal('commit'), ref: z.string().regex(/^[0-9a-f]{40}([0-9a-f]{24})?$/, commitRule) }),
]);
export type PatchCandidateInput = z.infer<typeof patchCandidateSchema>;

export const workspaceSchema = z.strictObject({
  repo_path: text(4_000).optional(),
  repository: slug.optional(),
  target_branch: branchName.optional(),
  working_branch: branchName.optional(),
  patch_candidates: z.array(patchCandidateSchema).max(maxItems).default([]),
  dependencies: z.array(missionIdText).max(maxItems).default([]),
});

export const trustRequirementsSchema = z.strictObject({
  required_trust_score: z.number().min(0).max(1).default(0),
  allowed_roles: z.array(shortText).max(maxItems).default([]),
  memory_write_scope: z.enum(['read_only', 'propose', 'persist']).default('persist'),
  requires_governance_approval: z.boolean().default(true),
});

export const budgetSchema = z.strictObject({
  cost_micro_usd: z.number().int().min(0).optional(),
  tokens: z.number().int().min(0).optional(),
});

/** Ed25519 by a registered key over the RFC 8785 bytes of the create body, without `crypto_signatures`. */
export const cryptoSignatureSchema = z.strictObject({
  key_id: shortText,
  algorithm: z.literal('ed25519').default('ed25519'),
  signature: text(500),
});

export const createMissionSchema = z.strictObject({
  mission_type: z.enum(missionTypes).default('coding'),
  title: shortText.optional(),
  description: longText.optional(),
  subsystem_id: slug,
  severity: z.enum(severities),
  detected_by: shortText.optional(),
  assigned_to: shortText.optional(),
  context: contextSchema.default({}),
  symptoms: z.array(symptomSchema).max(maxItems).default([]),
  acceptance_criteria: acceptanceCriteriaSchema.default({ must_pass_tests: [], metric_targets: [] }),
  workspace: workspaceSchema.optional(),
  trust_requirements: trustRequirementsSchema.prefault({}),
  crypto_signatures: z.array(cryptoSignatureSchema).max(20).default([]),
  budget: budgetSchema.optional(),
  labels: z.array(shortText).max(maxItems).default([]),
  parent_mission_id: missionIdText.optional(),
  /** Only for a tracked mission. */
  tracked: trackedWorkSchema.optional(),
  /** A template that says what this body leaves out. */
  template_id: shortText.optional(),
  /** Also start it, in the same request. */
  execute: z.boolean().default(false),
  /** The seed's flat form of `workspace.repo_path` and `workspace.working_branch`. */
  workspace_repo_path: text(4_000).optional(),
  workspace_branch: branchName.optional(),
});
export type CreateMission = z.infer<typeof createMissionSchema>;
