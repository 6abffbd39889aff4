/**
 * A healing mission: from a symptom to a proved recovery, or to a person. Stages run top to bottom; a playbook that did not
 * help is undone and followed by the next one, within the limits of its binding.
 */
import { allHandlersFinished, CancellationScope, condition } from '@temporalio/workflow';
import type { HealingContext } from '../activities/healing-record.ts';
import type { CapaSource } from '../domain/capa.ts';
import { notUndone, type Check, type EffectsResult, type RunOutcome } from '../domain/healing.ts';
import type { HealingPackage } from '../domain/mission-package.ts';
import { ruleOnHealing, type ApprovalRuling } from '../domain/policy.ts';
import type { StageName } from '../domain/stages.ts';
import { main, record } from './activities.ts';
import { openApprovalGate, type ApprovalGate } from './approval-gate.ts';
import { endOf, finish, type MissionEnd } from './end.ts';
import { planHealing, type Considered, type Planned } from './healing-plan.ts';
import { worldOf } from './healing-world.ts';
import { openLocks, type Holding, type Locks } from './holding.ts';
import { MissionEscalated } from './interrupts.ts';
import { openMission, type Mission } from './mission.ts';
import { openObservation, type Observation } from './observing.ts';
import type { Playbook, VerifyContext } from './playbooks/playbook.ts';

export interface HealingMissionInput { package: HealingPackage }

/** How often a plan is made anew because the world changed under it. */
const maxDrifts = 3;

interface Ways { approvals: ApprovalGate; locks: Locks; observation: Observation; watch: (planned: Planned) => void }

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
  const tried: string[] = [];
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
    tried.push(`${planned.candidate.playbook_id}@${planned.candidate.resource_id}`);
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

/** A plan and its digest: what is approved, carried out and counted. */
type PlannedAs = Planned & { plan_digest: string; ruling: ApprovalRuling };

/** Stage 2. */
async function plan(
  mission: Mission<HealingPackage>, host: string, context: HealingContext, tried: readonly string[],
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

type Attempt = { kind: 'ended'; end: MissionEnd } | { kind: 'drift' | 'not_helped'; reason: string };

/** Stages 3 to 6 for one plan. The locks are held until it is verified or undone, whatever happens in between. */
async function heal(mission: Mission<HealingPackage>, ways: Ways, host: string, planned: PlannedAs): Promise<Attempt> {
  const { mission_id } = mission.package;
  const { plan, plan_digest, candidate } = planned;
  let holding: Holding | null = null;
  let run = 0;
  const settle = (outcome: RunOutcome, reason: string): Promise<void> => main.endHealingRun({
    mission_id, attempt: run, outcome, reason, provisional_seconds: candidate.limits.recurrence_window_seconds,
  });
  try {
    const effects = await mission.stage('execute', async (attempt) => {
      if (run > 0) await settle('aborted', 'interrupted');
      run = attempt;
      holding = await ways.locks.hold({
        mission_id, attempt, host_queue: host, plan, resource: candidate.resource, request: mission.package.healing,
      }, candidate.limits.run_timeout_seconds);
      const refused = await main.startHealingRun({
        mission_id, attempt, plan, plan_digest, fingerprint: mission.package.healing.fingerprint,
        limits: candidate.limits, next_rung: planned.next_rung, agreed: planned.ruling.required > 0,
      });
      const result: EffectsResult = refused === null ? await holding.carryOut() : { kind: 'drift', reason: refused, steps: [] };
      const evidence = await record.storeEvidence({
        kind: 'effects', value: result, summary: result.steps.map((step) => `${step.id} ${step.outcome}`).join(', ') || 'nothing to do',
      });
      return { outcome: result.kind === 'done' ? 'passed' as const : 'failed' as const, reason: result.kind === 'done' ? null : `${result.kind}: ${result.reason}`, evidence, result };
    });
    const { result } = effects;
    if (result.kind !== 'done') {
      await conclude(holding, 'keep');
      holding = null;
      await settle(result.kind === 'drift' ? 'aborted' : 'failed', result.reason);
      if (notUndone(result.steps) !== null) return await leftBehind(mission, 'failed', `${planned.playbook.id}: ${result.reason}`);
      return { kind: result.kind === 'drift' ? 'drift' : 'not_helped', reason: `${result.kind}: ${result.reason}` };
    }
    const reason = await verify(mission, host, planned);
    const stuck = await conclude(holding, reason === null ? 'keep' : 'undo');
    holding = null;
    if (reason !== null) {
      await settle('ineffective', stuck === null ? reason : `${reason}; ${stuck}`);
      if (stuck !== null) return await leftBehind(mission, 'ineffective', `${planned.playbook.id}: ${reason}; ${stuck}`);
      return { kind: 'not_helped', reason };
    }
    return await close(mission, ways, planned, settle);
  } catch (error) {
    // Aborted or given up in the middle: what was done is taken back before the lock is let go.
    await CancellationScope.nonCancellable(async () => {
      const stuck = await conclude(holding, 'undo');
      if (run > 0) await settle('aborted', stuck === null ? 'the mission was ended' : `the mission was ended, and ${stuck}`);
    });
    throw error;
  }
}

/** @returns what could not be undone, or null */
async function conclude(holding: Holding | null, how: 'keep' | 'undo'): Promise<string | null> {
  return notUndone(await holding?.conclude(how) ?? []);
}

/** Something of a run is still there: no other playbook works on top of that, a person looks first. */
async function leftBehind(mission: Mission<HealingPackage>, outcome: 'failed' | 'ineffective', reason: string): Promise<Attempt> {
  return { kind: 'ended', end: skipRest(mission, 'verify', await escalate(mission, 'healing_escalation', reason, outcome)) };
}

/** Stage 4: the symptom measured again, one probe independent of it, and what must not have become worse. @returns why it did not help, or null */
async function verify(mission: Mission<HealingPackage>, host_queue: string, { plan, playbook, candidate }: Planned): Promise<string | null> {
  const { mission_id, healing } = mission.package;
  const world = worldOf({
    mission_id, host_queue, subsystem_id: plan.subsystem_id, resource_id: plan.resource_id, resource: candidate.resource, params: plan.params, request: healing,
  });
  const { reason } = await mission.stage('verify', async () => {
    const context: VerifyContext<unknown, typeof plan.facts> = { ...world, facts: plan.facts };
    const checks: Record<keyof Playbook['verify'], Check> = {
      symptom: await playbook.verify.symptom(context), independent: await playbook.verify.independent(context),
      must_not_regress: await playbook.verify.must_not_regress(context),
    };
    const failed = Object.entries(checks).filter(([, check]) => !check.ok).map(([name, check]) => `${name}: ${check.found}`);
    const evidence = await record.storeEvidence({ kind: 'verification', value: checks, summary: Object.entries(checks).map(([name, check]) => `${name}: ${check.found}`).join('; ') });
    mission.note('healing.verified', { playbook_id: playbook.id, ok: failed.length === 0, failed });
    return { outcome: failed.length === 0 ? 'passed' as const : 'failed' as const, reason: failed.length === 0 ? null : failed.join('; '), evidence };
  });
  return reason;
}

/** Stages 5 and 6. Only PASSED resolves, and provisionally: the same symptom again makes the run ineffective by hindsight. */
async function close(
  mission: Mission<HealingPackage>, ways: Ways, planned: PlannedAs, settle: (outcome: RunOutcome, reason: string) => Promise<void>,
): Promise<Attempt> {
  // Samples of a revision are of another change than this: a healed system has none of its own.
  const change = { commit: planned.plan_digest };
  mission.change({ status: 'observing' });
  const observed = await mission.stage('observe', async () => {
    const { verdict, reason, evidence, unobserved } = await ways.observation.observe(change);
    return { outcome: verdict === 'PASSED' ? 'passed' as const : 'failed' as const, reason: `${verdict}: ${reason}`, evidence, observed: { verdict, reason, evidence, unobserved } };
  });
  let end: MissionEnd | undefined;
  await mission.stage('close_or_escalate', async () => {
    let { verdict, reason, evidence } = observed.observed;
    const { on_inconclusive, on_deadline } = planned.candidate.window;
    if (verdict !== 'PASSED' && verdict !== 'FAILED' && on_inconclusive !== 'rollback') {
      const held = await ways.observation.hold(change, observed.observed);
      if (held === 'deadline') reason = `nobody decided in time (${on_deadline}): ${verdict}: ${reason}`;
      else ({ verdict, reason, evidence } = held);
    }
    if (verdict === 'PASSED') {
      await settle('effective', reason);
      end = { status: 'resolved', outcome: 'healed', reason: `${planned.playbook.id}: ${reason}` };
      return { outcome: 'passed', reason: `healed, provisionally for ${planned.candidate.limits.recurrence_window_seconds} s: ${reason}`, evidence };
    }
    await settle('ineffective', reason);
    end = await escalate(mission, 'healing_escalation', `${planned.playbook.id} did not hold: ${verdict}: ${reason}`, 'ineffective');
    return { outcome: 'failed', reason, evidence };
  });
  return { kind: 'ended', end: end! };
}

/** No playbook, or none that may: what each of them said is what a person needs to know. */
async function nothingToDo(mission: Mission<HealingPackage>, considered: readonly Considered[], tried: readonly string[]): Promise<MissionEnd> {
  const reason = reasonsOf(considered);
  if (mission.package.healing.dry_run) return skipRest(mission, 'execute', { status: 'resolved', outcome: 'completed', reason: `dry run: nothing would be done: ${reason}` });
  const healthy = considered.find(({ decline }) => decline?.decline === 'healthy');
  if (healthy !== undefined && tried.length === 0) {
    return skipRest(mission, 'execute', { status: 'resolved', outcome: 'completed', reason: `nothing to heal: ${healthy.reason}` });
  }
  return skipRest(mission, 'execute', await escalate(mission, 'healing_escalation', reason, tried.length === 0 ? 'failed' : 'ineffective'));
}

/** One CAPA for a symptom, however often healing it comes to nothing. */
async function escalate(mission: Mission<HealingPackage>, source: CapaSource, reason: string, outcome: 'failed' | 'ineffective'): Promise<MissionEnd> {
  const { mission_id, title, subsystem_id, healing } = mission.package;
  const capa = await record.openCapaOnce({
    key: `${mission_id}:${source}`, source, fingerprint: `healing:${healing.fingerprint}`, mission_id, subsystem_id,
    problem_statement: `${title}: ${reason}`.slice(0, 10_000), evidence: mission.stages.flatMap((stage) => stage.evidence).map((item) => item.sha256),
  });
  mission.change({ capa_id: capa });
  return { status: 'escalated', outcome, reason };
}

/** Stages that are not reached say why. */
function skipRest(mission: Mission<HealingPackage>, from: StageName, end: MissionEnd): MissionEnd {
  const rest: StageName[] = ['execute', 'verify', 'observe', 'close_or_escalate'];
  for (const name of rest.slice(rest.indexOf(from))) {
    if (!mission.stages.some((stage) => stage.name === name)) mission.skip(name, end.reason);
  }
  return end;
}

const inWords = ({ playbook_id, resource_id, chosen, reason }: Considered): string => `${playbook_id} on ${resource_id}: ${chosen ? 'chosen' : reason}`;

const reasonsOf = (considered: readonly Considered[]): string =>
  (considered.length === 0 ? 'no playbook is bound to it' : considered.map(inWords).join('; '));
