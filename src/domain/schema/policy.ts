import { z } from 'zod';
import { severities } from '../mission.ts';
import { scanLevels } from '../policy.ts';
import { sandboxLevels } from '../sandbox.ts';
import { limitsSchema } from './limits.ts';

const absolutePaths = z.array(z.string().regex(/^\/[^\0]*$/, 'an absolute path').max(4_000)).max(200).default([]);

/** `config/policy.yaml`. Unknown fields are refused: a misspelt rule must not be a rule that never applies. */
export const policySchema = z.strictObject({
  approvals: z.strictObject({
    required: z.number().int().min(1).max(20),
    severities: z.array(z.enum(severities)),
    on_protected_paths: z.boolean(),
    on_vanished_tests: z.boolean(),
    deadline_minutes: z.number().positive(),
  }),
  protected_paths: z.array(z.string().min(1)),
  scan: z.strictObject({ block_at: z.enum(scanLevels) }),
  // Left out, a failing run is a failing run.
  tests: z.strictObject({ reruns: z.number().int().min(0).max(10) }).default({ reruns: 0 }),
  landing: z.strictObject({ carry_approval: z.boolean(), stress_merged_tree: z.boolean().optional() }),
  observation: z.strictObject({ allow_unobserved: z.boolean() }),
  // Left out, a person is asked: what the policy does not say it does not allow.
  healing: z.strictObject({ medium: z.enum(['automatic', 'approval']) }).default({ medium: 'approval' }),
  sandbox: z.strictObject({
    minimum: z.enum(sandboxLevels).default('plain'),
    strongest: z.enum(sandboxLevels).default('bwrap'),
    maximum: limitsSchema.default({}),
    readable: absolutePaths,
    writable: absolutePaths,
  }).refine((s) => sandboxLevels.indexOf(s.strongest) <= sandboxLevels.indexOf(s.minimum), { path: ['minimum'], error: 'stronger than sandbox.strongest' })
    .default({ minimum: 'plain', strongest: 'bwrap', maximum: {}, readable: [], writable: [] }),
  egress: z.strictObject({ allow: z.array(z.string().regex(/^.+:\d+$/, 'host:port')) }),
});
