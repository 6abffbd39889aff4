/** Healing by hand: plan it, start it, see what playbooks there are and how they fared. */
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { actorOf } from '../../domain/actor.ts';
import type { Binding } from '../../domain/binding.ts';
import { riskClasses, ruleOnRun, runOutcomes, type HealingRequest, type RunRuling } from '../../domain/healing.ts';
import { severities } from '../../domain/mission.ts';
import { text } from '../../domain/schema/text.ts';
import { readBindings } from '../../engine/bindings.ts';
import { requestHealing, requestHealingOnce } from '../../engine/request-healing.ts';
import { digestOf } from '../../ledger/canonical.ts';
import { countRuns, historyOf, liftQuarantine, listRuns, openQuarantines } from '../../store/healing-runs.ts';
import { findMission, stagesOf } from '../../store/missions.ts';
import { playbooks } from '../../workflows/playbooks/index.ts';
import type { ApiDeps } from '../context.ts';
import { detailOf } from '../mission-view.ts';
import { Problem } from '../problem.ts';
import { answers, idText, limitQuery, listOf, missionDetailSchema } from '../schemas.ts';

const detailsSchema = z.record(text(200), z.union([z.string().max(2_000), z.number(), z.boolean(), z.null()])).default({});

const idempotencyHeaders = z.object({ 'idempotency-key': z.string().min(1).max(255).optional() });

const healBody = z.strictObject({
  symptom: text(200), resource: idText.optional(), playbook: idText.optional(), severity: z.enum(severities).default('high'),
  dry_run: z.boolean().default(false), reason: text(2_000), details: detailsSchema,
});
const planBody = z.strictObject({ subsystem: idText, resource: idText, symptom: text(200).optional(), details: detailsSchema });

/** Runs are counted over this many days where only their number is shown. */
const countedDays = 30;

const targetSchema = z.object({ playbook_id: z.string(), subsystem_id: z.string(), resource_id: z.string() });
const playbookSchema = z.object({
  playbook_id: z.string(), version: z.number().int(), title: z.string(), risk: z.enum(riskClasses), symptoms: z.array(z.string()),
  resources: z.array(z.string()), next_rung: z.string().nullable(), advice: z.string(), params: z.looseObject({}),
  bindings: z.array(z.looseObject({
    subsystem_id: z.string(), resource_id: z.string(), quarantined: z.string().nullable(),
    ruling: z.looseObject({ kind: z.enum(['allowed', 'refused']) }).describe('whether it may run there now, and why not'),
  })),
  runs: z.array(z.object({ outcome: z.enum(runOutcomes), runs: z.number().int(), last_started_at: z.string() })).describe(`of the last ${countedDays} days`),
});
const runSchema = targetSchema.extend({
  mission_id: z.string(), attempt: z.number().int(), playbook_version: z.number().int(), fingerprint: z.string(), plan_digest: z.string().nullable(),
  outcome: z.enum(runOutcomes), reason: z.string().nullable(), started_at: z.string(), ended_at: z.string().nullable(),
});

export const healingRoutes = (deps: ApiDeps): FastifyPluginAsyncZod => async (app) => {
  const { database, config } = deps;

  async function bound() {
    try {
      return await readBindings(config.configFolder);
    } catch (error) {
      throw new Problem(422, 'CONFIG_INVALID', (error as Error).message);
    }
  }

  /** Whether a playbook may run there now: what a healing mission would be told first. */
  async function rulingOn(binding: Binding, bindings: readonly Binding[]): Promise<RunRuling> {
    const next = playbooks.get(binding.playbook_id)?.escalate.next ?? null;
    const follows = next !== null && bindings.some((one) => one.playbook_id === next && one.subsystem_id === binding.subsystem_id);
    return ruleOnRun(binding.limits, await historyOf(database.query, binding, ''), Date.now(), follows ? next : null);
  }

  /** The mission that was started for it. */
  async function started(request: HealingRequest, principal: Parameters<typeof actorOf>[0], key: string | undefined) {
    const actor = actorOf(principal);
    const id = key === undefined ? (await requestHealing(deps, request, actor))! : await requestHealingOnce(deps, request, actor, key);
    if (id === undefined) {
      throw new Problem(422, 'IDEMPOTENCY_MISMATCH', 'this Idempotency-Key was used with another body', [{ path: 'Idempotency-Key', message: 'used with another body' }]);
    }
    return detailOf((await findMission(database.query, id))!, await stagesOf(database.query, id), config);
  }

  app.get('/playbooks', {
    config: { permission: 'healing:read' },
    schema: { tags: ['healing'], summary: 'Every playbook, what it may be set to, and where it is bound', response: answers(200, listOf(playbookSchema)) },
  }, async () => {
    const since = new Date(Date.now() - countedDays * 86_400_000).toISOString();
    const [{ bindings }, quarantines, counts] = await Promise.all([bound(), openQuarantines(database.query), countRuns(database.query, since)]);
    const rulings = new Map<Binding, RunRuling>();
    for (const binding of bindings) rulings.set(binding, await rulingOn(binding, bindings));
    return {
      items: [...playbooks.values()].map((playbook) => ({
        playbook_id: playbook.id, version: playbook.version, title: playbook.title, risk: playbook.risk, symptoms: [...playbook.match.symptoms],
        resources: [...playbook.match.resources], next_rung: playbook.escalate.next, advice: playbook.escalate.advice,
        params: z.toJSONSchema(playbook.params, { io: 'input', unrepresentable: 'any' }),
        runs: counts.filter(({ playbook_id }) => playbook_id === playbook.id).map(({ playbook_id: _id, ...count }) => count),
        bindings: bindings.filter(({ playbook_id }) => playbook_id === playbook.id).map((binding) => ({
          ...shown(binding), ruling: rulings.get(binding)!,
          quarantined: quarantines.find((one) => one.playbook_id === playbook.id && one.subsystem_id === binding.subsystem_id
            && one.resource_id === binding.resource_id)?.reason ?? null,
        })),
      })),
      next_cursor: null,
    };
  });

  app.get('/playbooks/:playbook_id/runs', {
    config: { permission: 'healing:read' },
    schema: {
      tags: ['healing'], summary: 'What it did, newest first', params: z.strictObject({ playbook_id: idText }),
      querystring: z.strictObject({ limit: limitQuery }), response: answers(200, listOf(runSchema)),
    },
  }, async (request) => {
    playbookOf(request.params.playbook_id);
    return { items: await listRuns(database.query, request.params.playbook_id, request.query.limit), next_cursor: null };
  });

  app.post('/playbooks/:playbook_id/plan', {
    config: { permission: 'healing:plan' },
    schema: {
      tags: ['healing'], summary: 'What it would do now: probes only, and a mission that ends with the plan',
      params: z.strictObject({ playbook_id: idText }), body: planBody, headers: idempotencyHeaders, response: answers(202, missionDetailSchema),
    },
  }, async (request, reply) => {
    const playbook = playbookOf(request.params.playbook_id);
    const { subsystem, resource, symptom, details } = request.body;
    const { bindings } = await bound();
    if (!bindings.some((one) => one.playbook_id === playbook.id && one.subsystem_id === subsystem && one.resource_id === resource)) {
      throw new Problem(422, 'NOT_BOUND', `${playbook.id} is not bound to ${subsystem}/${resource} in config/playbooks.yaml`, [{ path: 'resource', message: 'not bound' }]);
    }
    reply.code(202);
    return started({
      subsystem_id: subsystem, resource_id: resource, symptom: symptom ?? playbook.match.symptoms[0]!, finding_id: null, playbook_id: playbook.id,
      dry_run: true, severity: 'low', details,
      fingerprint: fingerprintOf(subsystem, resource, symptom ?? playbook.match.symptoms[0]!),
    }, request.principal, request.headers['idempotency-key']);
  });

  app.post('/playbooks/:playbook_id/release', {
    config: { permission: 'healing:release' },
    schema: {
      tags: ['healing'], summary: 'Lift its quarantine for one resource: its limits count anew from here', params: z.strictObject({ playbook_id: idText }),
      body: z.strictObject({ subsystem: idText, resource: idText, reason: text(2_000) }), response: answers(200, targetSchema),
    },
  }, async (request) => {
    const { subsystem, resource, reason } = request.body;
    const target = { playbook_id: request.params.playbook_id, subsystem_id: subsystem, resource_id: resource };
    const lifted = await database.transaction((query) => liftQuarantine(query, target, reason, actorOf(request.principal)));
    if (!lifted) throw new Problem(409, 'NOT_QUARANTINED', `${target.playbook_id} is not quarantined for ${subsystem}/${resource}`);
    return target;
  });

  app.post('/subsystems/:subsystem_id/heal', {
    config: { permission: 'healing:start' },
    schema: {
      tags: ['healing'], summary: 'Start a healing mission, or plan one', params: z.strictObject({ subsystem_id: idText }), body: healBody, headers: idempotencyHeaders,
      response: answers(202, missionDetailSchema),
    },
  }, async (request, reply) => {
    const { subsystem_id } = request.params;
    const { symptom, resource, playbook, severity, dry_run, reason, details } = request.body;
    const { subsystems } = await bound();
    const subsystem = subsystems.find((one) => one.subsystem_id === subsystem_id);
    if (subsystem === undefined) throw new Problem(404, 'SUBSYSTEM_NOT_FOUND', `config/subsystems.yaml declares no ${subsystem_id}`);
    if (resource !== undefined && !Object.hasOwn(subsystem.resources, resource)) {
      throw new Problem(422, 'RESOURCE_UNKNOWN', `${subsystem_id} declares no resource ${resource}`, [{ path: 'resource', message: 'not declared' }]);
    }
    if (playbook !== undefined) playbookOf(playbook, 422);
    reply.code(202);
    return started({
      subsystem_id, symptom, resource_id: resource ?? null, finding_id: null, playbook_id: playbook ?? null, dry_run, severity,
      details: { ...details, asked_because: reason }, fingerprint: fingerprintOf(subsystem_id, resource ?? '', symptom),
    }, request.principal, request.headers['idempotency-key']);
  });
};

const shown = ({ playbook_id: _id, observe: _observe, ...binding }: Binding) => binding;

/** The same symptom of the same resource, whoever asks for it. */
const fingerprintOf = (subsystem: string, resource: string, symptom: string): string => digestOf({ subsystem, resource, symptom });

function playbookOf(id: string, status: 404 | 422 = 404) {
  const playbook = playbooks.get(id);
  if (playbook === undefined) {
    throw new Problem(status, 'PLAYBOOK_NOT_FOUND', `there is no playbook ${id}; there are: ${[...playbooks.keys()].join(', ')}`,
      status === 422 ? [{ path: 'playbook', message: 'not there' }] : []);
  }
  return playbook;
}
