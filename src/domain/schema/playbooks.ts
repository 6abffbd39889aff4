import { z } from 'zod';
import { observationWindowSchema } from './observation.ts';
import { text } from './text.ts';

const seconds = z.number().min(0).max(31_536_000);

const limitsSchema = z.strictObject({
  cooldown_success_seconds: seconds.default(300),
  cooldown_failure_seconds: seconds.default(900),
  max_runs: z.number().int().min(1).max(1_000).default(3),
  max_runs_per_seconds: seconds.default(3_600),
  run_timeout_seconds: z.number().positive().max(86_400).default(1_800),
  recurrence_window_seconds: seconds.default(86_400),
  quiet_hours: z.array(z.string().regex(/^([01]\d|2[0-3]):[0-5]\d-([01]\d|2[0-3]):[0-5]\d$/, 'HH:MM-HH:MM, UTC')).max(10).default([]),
  max_targets: z.number().int().min(1).max(1_000).default(1),
});

/** `config/playbooks.yaml`: which playbook may work on what, with what parameters, within what limits. */
export const bindingsSchema = z.strictObject({
  playbooks: z.array(z.strictObject({
    playbook: text(100), subsystem: text(100), resource: text(100),
    /** Checked with the playbook's own schema. */
    params: z.record(z.string(), z.unknown()).default({}),
    /** `always`: a person must agree to every run, whatever its risk. */
    approval: z.enum(['by_risk', 'always']).default('by_risk'),
    limits: limitsSchema.prefault({}),
    observe: observationWindowSchema.prefault({}),
  })).max(1_000),
});
export type BindingInput = z.infer<typeof bindingsSchema>['playbooks'][number];
