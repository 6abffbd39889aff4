/** Answers as OpenAPI shows them, and the pieces that requests share. */
import { z } from 'zod';
import { principalKinds, roles } from '../domain/actor.ts';
import { approvalStatuses } from '../domain/approval.ts';
import { missionOutcomes, missionStatuses, missionTypes, severities } from '../domain/mission.ts';
import { text } from '../domain/schema/text.ts';
import { stageNames, stageStatuses } from '../domain/stages.ts';
import { waitingKinds } from '../domain/waiting.ts';
import { problemSchema } from './problem.ts';

const time = z.iso.datetime();
export const nullable = <T extends z.ZodType>(schema: T) => schema.nullable();

export const idText = text(100);
export const missionIdParams = z.strictObject({ mission_id: idText });
/** A moment that a caller names, at any offset; passed on in UTC. PostgreSQL knows no year 0 and no offset above 16 h. */
export const moment = z.iso.datetime({ offset: true }).refine((time) => new Date(time).getUTCFullYear() > 0, 'not a date that can be stored')
  .transform((time) => new Date(time).toISOString());
export const limitQuery = z.coerce.number().int().min(1).max(200).default(50);
export const searchText = text(200).refine((words) => /[\p{L}\p{N}]/u.test(words), 'words to look for')
  .describe('words that its id, title, description or symptoms have, each at least in its beginning');
/** Steering without a body is steering without a reason. */
export const reasonBody = z.strictObject({ reason: text(2_000).optional() }).nullish();

export const evidenceSchema = z.object({
  kind: z.string(), sha256: z.string(), media_type: z.string(), size_bytes: z.number().int(), summary: z.string(),
});

export const stageSchema = z.object({
  name: z.enum(stageNames), status: z.enum(stageStatuses), attempt: z.number().int(), started_at: nullable(time),
  ended_at: nullable(time), duration_ms: nullable(z.number().int()), reason: nullable(z.string()), evidence: z.array(evidenceSchema),
});

export const waitingSchema = z.object({
  kind: z.enum(waitingKinds), reason: z.string(), who: z.string(), since: time, deadline: nullable(time), on_deadline: nullable(z.string()),
});

export const missionSchema = z.looseObject({
  mission_id: z.string(), mission_type: z.enum(missionTypes), title: z.string(), subsystem_id: z.string(),
  severity: z.enum(severities), status: z.enum(missionStatuses), outcome: nullable(z.enum(missionOutcomes)),
  stage: nullable(z.enum(stageNames)), progress: z.number().int(), paused: z.boolean(), waiting_on: nullable(waitingSchema),
  tokens: z.number().int(), cost_micro_usd: z.number().int(), usage_unreported: z.number().int(),
  landed_commit: nullable(z.string()), landed_tree: nullable(z.string()), capa_id: nullable(z.string()),
  ended_reason: nullable(z.string()), created_by: z.string(), created_at: time, updated_at: time,
  links: z.object({ temporal: nullable(z.string()), commit: nullable(z.string()) }),
}).describe('The mission package and its state, side by side');

export const missionLineSchema = z.object({
  ...missionSchema.pick({
    mission_id: true, mission_type: true, title: true, subsystem_id: true, severity: true, status: true, outcome: true, stage: true,
    progress: true, paused: true, waiting_on: true, tokens: true, cost_micro_usd: true, landed_commit: true, capa_id: true, ended_reason: true,
    created_at: true, updated_at: true,
  }).shape,
  assigned_to: nullable(z.string()), parent_mission_id: nullable(z.string()), labels: z.array(z.string()), started_at: nullable(time), ended_at: nullable(time),
});

export const sealedEventSchema = z.object({
  seq: z.number().int(), event_id: z.string(), ts: time, sealed_at: time, type: z.string(),
  actor: z.object({ id: z.string(), kind: z.enum(principalKinds), role: z.enum([...roles, 'system']), key_id: nullable(z.string()) }),
  subject: z.object({
    mission_id: nullable(z.string()), workflow_id: nullable(z.string()), run_id: nullable(z.string()), stage: nullable(z.string()), attempt: nullable(z.number().int()),
  }),
  subsystem_id: nullable(z.string()), payload: z.looseObject({}), payload_digest: z.string(), idempotency_key: z.string(), links: z.array(z.string()),
}).describe('One event in its place in the ledger');

const figure = z.number().int();
export const streamMetricsSchema = z.object({
  missions: z.object(Object.fromEntries(missionStatuses.map((status) => [status, figure]))),
  waiting_for_person: figure, pending_approvals: figure, open_findings: figure, open_capas: figure, resolved_7d: figure, ended_7d: figure,
  rolled_back_7d: figure, median_to_landed_ms: nullable(figure), p95_to_landed_ms: nullable(figure), cost_today_micro_usd: figure,
  unreported_today: figure, unsealed: figure, sealed_at: nullable(time),
});

export const missionDetailSchema = missionSchema.extend({ stages: z.array(stageSchema) });
export const missionPageSchema = z.object({ items: z.array(missionSchema), next_cursor: nullable(z.string()) });
export const steerAnswerSchema = z.object({ mission_id: z.string(), takes_effect: z.string() });

const digestsSchema = z.object({
  git_tree: nullable(z.string()), patch_id: nullable(z.string()), plan_digest: z.string().optional(), evidence_digest: z.string(), policy_digest: z.string(),
});
export const approvalDigestsSchema = z.strictObject(digestsSchema.shape);
export const approvalSchema = z.object({
  approval_id: z.string(), mission_id: z.string(), status: z.enum(approvalStatuses), digests: digestsSchema,
  required: z.number().int(), rules: z.array(z.string()),
  decisions: z.array(z.looseObject({ decision: z.enum(['approve', 'reject']), at: time, reason: z.string() })),
  requested_at: time, deadline: time,
});

export const repositorySchema = z.looseObject({
  repository_id: z.string(), name: z.string(), origin: z.string(), kind: z.enum(['path', 'url']), default_branch: z.string(),
});

export const keySchema = z.object({
  key_id: z.string(), principal_id: z.string(), kind: z.string(), role: z.string(), name: z.string(),
  created_by: z.string(), created_at: time, expires_at: nullable(time), revoked_at: nullable(time),
});

export const metricSchema = z.looseObject({
  metric_id: z.string(), comparator: z.string(), target: z.number(), unit: z.string(), defined_by: z.enum(['file', 'api']),
});

export const listOf = <T extends z.ZodType>(item: T) => z.object({ items: z.array(item), next_cursor: nullable(z.string()) });

/**
 * The answer of a route, and the problems every route may give. They document; our own types vouch for the answers, and
 * a test parses real answers with these schemas.
 */
export const answers = (status: 200 | 201 | 202, schema: z.ZodType): Record<string, z.ZodType> =>
  ({ [status]: schema, default: problemSchema });
