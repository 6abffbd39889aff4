/**
 * A healing mission: from a symptom to a proved recovery, or to a person. Stages run top to bottom; a playbook that did not
 * help is undone and followed by the next one, within the limits of its binding.
 */
import { allHandlersFinished, CancellationScope, condition } from '@temporalio/workflow';
import type { HealingContext } from '../activities/healing-record.ts';
import type { HealingPackage } from '../domain/mission-package.ts';
import { ruleOnHealing } from '../domain/policy.ts';
import { main, record } from './activities.ts';
import { openApprovalGate, type ApprovalGate } from './approval-gate.ts';
import { endOf, finish, type MissionEnd } from './end.ts';
import { heal, type HealingWays, type PlannedAs } from './healing-attempt.ts';
import { escalate, skipRest } from './healing-end.ts';
import { planHealing, type Considered, type Planned } from './healing-plan.ts';
import { openLocks } from './holding.ts';
import { MissionEscalated } from './interrupts.ts';
import { openMission, type Mission } from './mission.ts';
import { openObservation } from './observing.ts';

export interface HealingMissionInput { package: HealingPackage }

/** How often a plan is made anew because the world changed under it. */
const maxDrifts = 3;

interface Ways extends HealingWays { approvals: ApprovalGate; watch: (planned: Planned) => void }

export async function healingMission({ package: pack }: HealingMissionInput): Promise<MissionEnd> {
  const mission = openMission(pack);
  let window = pack.acceptance_criteria.observation_window;
  const ways: Ways = {
    approvals: openApprovalGate(mission), locks: openLocks(mission), observation: openObservation(mission, () => window),
    watch: ({ candidate }) => { window = candidate.window; },
  };
  let end: MissionEnd;
  try {
    mission.change({ status: 'in_progress', started_at: new Date().toISOString() });
    mission.note('mission.started', {});
    end = await run(mission, ways, await record.chooseHost());
  } catch (error) {
    // Like every other failure to heal this symptom: one record for all of them.
    end = error instanceof MissionEscalated
      ? await CancellationScope.nonCancellable(() => escalate(mission, 'healing_escalation', error.message, 'failed')) : await endOf(mission, error);
  }
  await CancellationScope.nonCancellable(async () => {
    ways.approvals.close();
    await finish(mission, end);
    await condition(allHandlersFinished);
  });
  return end;
}

async function run(mission: Mission<HealingPackage>, ways: Ways, host: string): Promise<MissionEnd> {
  let context = await detect(mission);
  /** `playbook@resource` and why it did not help. */
  const tried = new Map<string, string>();
  let drifts = 0;
  for (;;) {
    const { planned, considered } = await plan(mission, host, context, tried);
    if (planned === null) return nothingToDo(mission, considered, tried);
    if (mission.package.healing.dry_run) return skipRest(mission, 'execute', { status: 'resolved', outcome: 'completed', reason: 'dry run: the plan is the result' });
    const refusal = await approve(mission, ways.approvals, context, planned);
    if (refusal !== null) return refusal;

    ways.watch(planned);
    const attempt = await heal(mission, ways, host, planned);
    if (attempt.kind === 'ended') return attempt.end;
    if (attempt.kind === 'drift' && drifts < maxDrifts) {
      drifts += 1;
      // What is declared may be what changed: everything is read anew.
      context = await detect(mission);
      continue;
    }
    mission.remember({ action: planned.playbook.id, result: attempt.reason });
    tried.set(`${planned.candidate.playbook_id}@${planned.candidate.resource_id}`, attempt.reason);
  }
}

/** Stage 1. What was seen, and the rules and bindings that hold for this mission. */
async function detect(mission: Mission<HealingPackage>): Promise<HealingContext> {
  const { healing } = mission.package;
  const { context } = await mission.stage('detect', async () => {
    const context = await main.openHealing(healing);
    const evidence = await record.storeEvidence({
      kind: 'symptom', value: { request: healing, recurrences: context.recurrences, bindings: context.candidates.map(({ playbook_id, resource_id }) => ({ playbook_id, resource_id })) },
      summary: `${healing.symptom} of ${healing.subsystem_id}`,
    });
    return { outcome: 'passed' as const, reason: null, evidence, context };
  });
  return context;
}

/** Stage 2. */
async function plan(
  mission: Mission<HealingPackage>, host: string, context: HealingContext, tried: ReadonlyMap<string, string>,
): Promise<{ planned: PlannedAs | null; considered: Considered[] }> {
  return mission.stage('plan', async () => {
    const { planned, considered } = await planHealing(mission.package, host, context, tried);
    const list = await record.storeEvidence({ kind: 'candidates', value: considered, summary: considered.map(inWords).join('; ') || 'no playbook is bound' });
    if (planned === null) return { outcome: 'failed' as const, reason: reasonsOf(considered), evidence: list, planned, considered };
    const { plan_digest, evidence } = await main.digestOfPlan(planned.plan);
    mission.note('healing.planned', {
      playbook_id: planned.playbook.id, plan_digest, risk: planned.plan.risk, data_loss: planned.plan.data_loss,
      steps: planned.plan.steps.map(({ id, action, effect, reversibility }) => ({ id, action, effect, reversibility })),
    });
    const reason = `${planned.playbook.id}: ${planned.plan.steps.length} step${planned.plan.steps.length === 1 ? '' : 's'}`;
    return { outcome: 'passed' as const, reason, evidence: [...evidence, ...list], planned: { ...planned, plan_digest, ruling: ruleOnHealing(context.policy, planned.plan, planned.asks) }, considered };
  });
}

/** A plan that needs a person waits for one, bound to exactly this plan. @returns how the mission ends when it is not approved */
async function approve(
  mission: Mission<HealingPackage>, approvals: ApprovalGate, context: HealingContext, { plan_digest, ruling }: PlannedAs,
): Promise<MissionEnd | null> {
  if (ruling.required === 0) {
    mission.note('approval.automatic', { rules: ruling.rules });
    return null;
  }
  const evidence = mission.stages.flatMap((stage) => stage.evidence);
  const digests = await record.digestForApproval({
    mission_id: mission.package.mission_id, git_tree: null, patch_id: null, plan_digest, policy_digest: context.policy_digest, evidence,
  });
  const approval = await approvals.ask({
    digests, required: ruling.required, rules: ruling.rules, deadline_minutes: context.policy.approvals.deadline_minutes,
  });
  if (approval.status === 'approved') return null;
  const last = approval.decisions.at(-1);
  const reason = last === undefined ? 'nobody approved the plan in time' : `the plan was rejected by ${last.by.id}: ${last.reason}`;
  return skipRest(mission, 'execute', { status: 'aborted', outcome: 'rejected', reason });
}

/** No playbook, or none that may: what each of them said is what a person needs to know. */
async function nothingToDo(mission: Mission<HealingPackage>, considered: readonly Considered[], tried: ReadonlyMap<string, string>): Promise<MissionEnd> {
  const reason = reasonsOf(considered);
  if (mission.package.healing.dry_run) return skipRest(mission, 'execute', { status: 'resolved', outcome: 'completed', reason: `dry run: nothing would be done: ${reason}` });
  const healthy = considered.find(({ decline }) => decline?.decline === 'healthy');
  if (healthy !== undefined && tried.size === 0) {
    return skipRest(mission, 'execute', { status: 'resolved', outcome: 'completed', reason: `nothing to heal: ${healthy.reason}` });
  }
  return skipRest(mission, 'execute', await escalate(mission, 'healing_escalation', reason, tried.size === 0 ? 'failed' : 'ineffective'));
}

const inWords = ({ playbook_id, resource_id, chosen, reason }: Considered): string => `${playbook_id} on ${resource_id}: ${chosen ? 'chosen' : reason}`;

const reasonsOf = (considered: readonly Considered[]): string =>
  (considered.length === 0 ? 'no playbook is bound to it' : considered.map(inWords).join('; '));
