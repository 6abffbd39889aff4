/** Stage 2 of healing: which playbook, and exactly what it would do. Only probes; nothing is changed. */
import { ActivityFailure, isCancellation } from '@temporalio/workflow';
import type { Candidate, HealingContext } from '../activities/healing-record.ts';
import { isDecline, ruleOnRun, type Decline, type HealingPlan, type Json } from '../domain/healing.ts';
import type { HealingPackage } from '../domain/mission-package.ts';
import { resourceKey } from '../domain/subsystem.ts';
import { probing } from './activities.ts';
import { reasonOf } from './effects.ts';
import { worldOf } from './healing-world.ts';
import { playbooks } from './playbooks/index.ts';
import type { Playbook } from './playbooks/playbook.ts';

/** Why a playbook was or was not chosen: what the plan stage shows for every candidate. */
export interface Considered {
  playbook_id: string;
  resource_id: string;
  chosen: boolean;
  reason: string;
  decline: Decline | null;
}

export interface Planned {
  candidate: Candidate;
  playbook: Playbook;
  plan: HealingPlan;
  /** Why a person must agree, beyond the risk of the plan. */
  asks: string[];
  /** The playbook that follows it here, if it is bound. */
  next_rung: string | null;
}

export interface Planning { planned: Planned | null; considered: Considered[] }

/**
 * The first playbook, in the order of the bindings, that matches the symptom, may run now and knows what to do. One that has
 * not helped here hands over to the next rung of its ladder.
 * @param tried playbooks that did not help in this mission, and why
 */
export async function planHealing(
  pack: HealingPackage, host_queue: string, context: HealingContext, tried: ReadonlyMap<string, string>,
): Promise<Planning> {
  const considered: Considered[] = [];
  const rungs = new Set<string>();
  const consider = (candidate: Candidate, reason: string, decline: Decline | null = null): void => {
    considered.push({ playbook_id: candidate.playbook_id, resource_id: candidate.resource_id, chosen: false, reason, decline });
  };
  const waiting = [...context.candidates];
  for (let candidate = waiting.shift(); candidate !== undefined; candidate = waiting.shift()) {
    const playbook = playbooks.get(candidate.playbook_id)!;
    const { symptom, playbook_id: asked } = pack.healing;
    const matches = rungs.has(playbook.id) || (asked === null ? playbook.match.symptoms.includes(symptom) : asked === playbook.id);
    if (!matches) {
      consider(candidate, asked === null ? `is for ${playbook.match.symptoms.join(', ')}` : `${asked} was asked for`);
      continue;
    }
    const failed = tried.get(`${candidate.playbook_id}@${candidate.resource_id}`);
    if (failed !== undefined) {
      consider(candidate, `did not help in this mission: ${failed}`);
      nextRung(playbook);
      continue;
    }
    const history = await historyOf(pack, host_queue, candidate);
    const next_rung = nextOf(playbook, context);
    const ruling = ruleOnRun(candidate.limits, history, Date.now(), next_rung);
    if (ruling.kind === 'refused') {
      consider(candidate, `${ruling.code}: ${ruling.reason}`, { decline: 'refused', code: ruling.code, reason: ruling.reason });
      if (ruling.next_rung) nextRung(playbook);
      continue;
    }
    const found = await planOf(pack, host_queue, context, candidate, playbook);
    if (isDecline(found)) {
      consider(candidate, `${found.code}: ${found.reason}`, found);
      continue;
    }
    const asks = [...ruling.needs_person, ...(candidate.approval === 'always' ? ['the binding asks for approval'] : [])];
    considered.push({ playbook_id: playbook.id, resource_id: candidate.resource_id, chosen: true, reason: 'it matches and knows what to do', decline: null });
    return { planned: { candidate, playbook, plan: found, asks, next_rung }, considered };
  }
  return { planned: null, considered };

  /** Looks at the bindings of the next rung once more, whatever symptom they are for. */
  function nextRung({ escalate }: Playbook): void {
    if (escalate.next === null || rungs.has(escalate.next)) return;
    rungs.add(escalate.next);
    waiting.push(...context.candidates.filter((one) => one.playbook_id === escalate.next && !waiting.includes(one)));
  }
}

/** The next rung of its ladder, where it is bound to something of this subsystem. */
const nextOf = ({ escalate }: Playbook, { candidates }: HealingContext): string | null =>
  (candidates.some(({ playbook_id }) => playbook_id === escalate.next) ? escalate.next : null);

/** Null when it cannot be read: then a person decides. */
async function historyOf(pack: HealingPackage, host_queue: string, { playbook_id, subsystem_id, resource_id }: Candidate) {
  try {
    return await probing(host_queue).healingHistory({ mission_id: pack.mission_id, playbook_id, subsystem_id, resource_id });
  } catch (error) {
    // Whatever kept it from being read; being interrupted tells nothing.
    if (error instanceof ActivityFailure && !isCancellation(error)) return null;
    throw error;
  }
}

async function planOf(
  pack: HealingPackage, host_queue: string, context: HealingContext, candidate: Candidate, playbook: Playbook,
): Promise<HealingPlan | Decline> {
  const { subsystem_id, resource_id, resource, params } = candidate;
  const request = { ...pack.healing, details: { ...pack.healing.details, recurrences: context.recurrences } };
  const world = worldOf({ mission_id: pack.mission_id, host_queue, subsystem_id, resource_id, resource, params, request });
  let facts: Json | Decline;
  try {
    facts = await playbook.plan(world);
  } catch (error) {
    // What cannot be looked at is not acted on.
    if (!(error instanceof ActivityFailure) || isCancellation(error)) throw error;
    return { decline: 'refused', code: 'CANNOT_LOOK', reason: reasonOf(error) };
  }
  if (isDecline(facts)) return facts;
  const steps = playbook.steps({ facts, params, resource, resource_id, subsystem_id, request });
  if (isDecline(steps)) return steps;
  return {
    playbook_id: playbook.id, playbook_version: playbook.version, subsystem_id, resource_id, resource_digest: candidate.resource_digest,
    locks: locksOf(subsystem_id, resource_id, steps.map((step) => step.with)), params, facts, steps, risk: playbook.risk,
    data_loss: steps.reduce((sum, step) => sum + step.data_loss, 0),
  };
}

/** The resource itself, and every other that a step names: `service` and `resource` in a step's input are of the same subsystem. */
function locksOf(subsystemId: string, resourceId: string, inputs: readonly Record<string, Json>[]): string[] {
  const others = inputs.flatMap((input) => [input['service'], input['resource']]).filter((id) => typeof id === 'string');
  return [...new Set([resourceId, ...others])].map((id) => resourceKey(subsystemId, id)).sort();
}
