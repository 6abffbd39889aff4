import { z } from 'zod';
import { limitsSchema } from './limits.ts';
import { text } from './text.ts';

const atMost = {
  max_attempts: z.number().int().min(1).max(20).default(3),
  budget_tokens: z.number().int().min(0).nullable().default(null),
  budget_cost_micro_usd: z.number().int().min(0).nullable().default(null),
  budget_deadline_minutes: z.number().positive().max(10_080).default(1_440),
};

const commandAgent = z.strictObject({
  kind: z.literal('command'),
  argv: z.array(z.string().min(1)).min(1).max(200),
  timeout_seconds: z.number().positive().max(86_400).default(1_800),
  network: z.boolean().default(false),
  pass_env: z.array(z.string().regex(/^[A-Za-z_]\w*$/, 'a variable name')).max(50).default([]),
  limits: limitsSchema.optional(),
  budget_seconds: z.number().positive().max(604_800).nullable().default(null),
  ...atMost,
});

const queueAgent = z.strictObject({ kind: z.literal('queue'), roles: z.array(text(200)).max(200).default([]), ...atMost });

/** An entry that names no kind is a command. */
const withKind = (entry: unknown): unknown =>
  (typeof entry === 'object' && entry !== null && !('kind' in entry) ? { kind: 'command', ...entry } : entry);

/** `config/agents.yaml`. */
export const agentsSchema = z.strictObject({
  agents: z.record(z.string().regex(/^[a-z0-9][a-z0-9_.-]*$/i, 'letters, digits, _ . -').max(200), z.preprocess(withKind, z.discriminatedUnion('kind', [commandAgent, queueAgent]))),
});
