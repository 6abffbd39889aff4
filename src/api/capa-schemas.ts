/** Answers of the CAPA routes as OpenAPI shows them. */
import { z } from 'zod';
import { capaStates } from '../domain/capa.ts';
import { capaEditSchema } from '../domain/schema/capa.ts';

const time = z.iso.datetime();
const drafted = capaEditSchema.required().shape;

export const capaSchema = z.object({
  capa_id: z.string(), state: z.enum(capaStates), version: z.number().int(), source: z.string(), fingerprint: z.string(),
  occurrences: z.number().int(), mission_id: z.string().nullable(), subsystem_id: z.string(), problem_statement: z.string(),
  evidence: z.array(z.string()), opened_by: z.string(), opened_at: time,
  type: drafted.type.nullable(), risk: drafted.risk.nullable(), risk_score: z.number().int().nullable(), containment: drafted.containment.nullable(),
  investigation: drafted.investigation.nullable(), criterion: drafted.criterion.nullable(), verification: drafted.verification.nullable(),
  actions: z.array(z.object({
    action_id: z.string(), description: z.string(), owner: z.string(), due_at: time, missions: z.array(z.string()),
    done: z.object({ by: z.string(), at: time }).nullable(),
  })),
  plan_authors: z.array(z.string()), due_at: time.nullable(), effectiveness_due_at: time.nullable(),
  result: z.object({
    passed: z.boolean(), value: z.number().nullable(), samples: z.number().int(), reason: z.string(), from: time, until: time,
  }).nullable(),
  duplicate_of: z.string().nullable(),
  decisions: z.array(z.object({
    from: z.enum(capaStates), to: z.enum(capaStates), by: z.string(), role: z.string(), at: time, reason: z.string().nullable(),
  })),
  overdue: z.array(z.object({ what: z.string(), due_at: time, owner: z.string().nullable() })),
  next_states: z.array(z.enum(capaStates)),
});

export const capaDetailSchema = capaSchema.extend({
  history: z.array(z.looseObject({ event_id: z.string(), type: z.string(), ts: time, payload: z.record(z.string(), z.unknown()) })),
});

const pareto = z.array(z.object({ key: z.string(), records: z.number().int(), occurrences: z.number().int(), cumulative_share: z.number() }));
export const capaTrendsSchema = z.object({
  from: time, until: time, records: z.number().int(), open: z.number().int(), occurrences: z.number().int(),
  recurrence_rate: z.number().nullable(),
  effectiveness: z.object({ effective: z.number().int(), ineffective: z.number().int(), ineffective_share: z.number().nullable() }),
  time_in_state: z.array(z.object({ state: z.enum(capaStates), stays: z.number().int(), median_seconds: z.number(), longest_seconds: z.number() })),
  by_source: pareto, by_subsystem: pareto,
});
