import { z } from 'zod';
import { limitsSchema } from './limits.ts';

/** `config/agents.yaml`. */
export const agentsSchema = z.strictObject({
  agents: z.record(z.string().regex(/^[a-z0-9][a-z0-9_.-]*$/i, 'letters, digits, _ . -').max(200), z.strictObject({
    argv: z.array(z.string().min(1)).min(1).max(200),
    timeout_seconds: z.number().positive().max(86_400).default(1_800),
    network: z.boolean().default(false),
    pass_env: z.array(z.string().regex(/^[A-Za-z_]\w*$/, 'a variable name')).max(50).default([]),
    limits: limitsSchema.optional(),
    max_attempts: z.number().int().min(1).max(20).default(3),
    budget_seconds: z.number().positive().max(604_800).nullable().default(null),
    budget_tokens: z.number().int().min(0).nullable().default(null),
    budget_cost_micro_usd: z.number().int().min(0).nullable().default(null),
    budget_deadline_minutes: z.number().positive().max(10_080).default(1_440),
  })),
});
