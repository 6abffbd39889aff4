/** A coding mission for an action of a CAPA record: symptoms and targets are the record's, the rest is the caller's. */
import { actorOf, type Principal } from '../domain/actor.ts';
import type { Capa, CapaAction } from '../domain/capa.ts';
import type { MissionPackage } from '../domain/mission-package.ts';
import { createMissionSchema, type CreateMission } from '../domain/schema/mission-package.ts';
import type { CapaMission } from '../domain/schema/capa.ts';
import { digestOf } from '../ledger/canonical.ts';
import { findCapa } from '../store/capas.ts';
import { linkMission, capaNotFound } from './change-capa.ts';
import type { ApiDeps } from './context.ts';
import { createMission } from './create-mission.ts';
import { Problem } from './problem.ts';

/**
 * Creates the mission and links it to its action. Whoever dies in between and asks again gets the same mission, linked.
 * @throws Problem
 */
export async function missionForCapa(
  deps: ApiDeps, id: string, input: CapaMission, principal: Principal, idempotencyKey: string | undefined,
): Promise<MissionPackage> {
  const capa = await findCapa(deps.database.query, id);
  if (capa === undefined) throw capaNotFound(id);
  if (capa.state !== 'IMPLEMENTING') {
    throw new Problem(409, 'CAPA_STATE', `${id} is ${capa.state}; missions are started while it is IMPLEMENTING, under an approved plan`);
  }
  const action = capa.actions.find(({ action_id }) => action_id === input.action_id);
  if (action === undefined) {
    throw new Problem(422, 'ACTION_UNKNOWN', `${id} has no action ${input.action_id}`, [{ path: 'action_id', message: 'not there' }]);
  }
  const body = missionBody(capa, action, input);
  const key = idempotencyKey ?? `${action.missions.length + 1}:${digestOf(body)}`;
  const mission = await createMission(deps, { body, sent: body }, principal, `${id}:${action.action_id}:${key}`);
  await linkMission(deps, id, action.action_id, mission.mission_id, actorOf(principal));
  return mission;
}

/** @throws Problem when the record says something that no mission can */
function missionBody(capa: Capa, action: CapaAction, input: CapaMission): CreateMission {
  const criterion = capa.criterion!;
  const { metric_id, aggregation, comparator, target } = criterion;
  const cause = capa.investigation?.root_cause;
  const observed = capa.result?.value ?? null;
  const parsed = createMissionSchema.safeParse({
    title: input.title ?? Array.from(`${capa.capa_id}: ${action.description}`).slice(0, 100).join(''),
    description: [action.description, ...(cause ? [`Root cause (${cause.kind}): ${cause.description}`] : [])].join('\n\n').slice(0, 10_000),
    subsystem_id: capa.subsystem_id, severity: input.severity, detected_by: capa.capa_id, labels: [capa.capa_id],
    symptoms: [{
      description: capa.problem_statement, metric_id, threshold: target,
      ...(observed === null ? {} : { observed_value: observed }),
    }],
    acceptance_criteria: {
      must_pass_tests: input.must_pass_tests, metric_targets: [{ metric_id, comparator, target }],
      observation_window: { metrics: [{ metric_id, aggregation, comparator, target, role: 'gate' }] },
      ...(input.observation_window_minutes === undefined ? {} : { observation_window_minutes: input.observation_window_minutes }),
    },
    workspace: input.workspace, execute: input.execute,
    ...(input.assigned_to === undefined ? {} : { assigned_to: input.assigned_to }),
  });
  if (parsed.success) return parsed.data;
  const errors = parsed.error.issues.map(({ path, message }) => ({ path: path.map(String).join('.'), message }));
  throw new Problem(422, 'INVALID_MISSION', errors.map(({ path, message }) => `${path}: ${message}`).join('; '), errors);
}
