/** One plan of a healing mission, stages 3 to 6: carried out under its locks, verified, watched, and kept or taken back. */
import { CancellationScope } from '@temporalio/workflow';
import { notUndone, type Check, type EffectsResult, type PlannedStep, type RunOutcome, type StepResult } from '../domain/healing.ts';
import type { HealingPackage } from '../domain/mission-package.ts';
import type { ApprovalRuling } from '../domain/policy.ts';
import { main, record } from './activities.ts';
import type { MissionEnd } from './end.ts';
import { escalate, skipRest } from './healing-end.ts';
import type { Planned } from './healing-plan.ts';
import { worldOf } from './healing-world.ts';
import type { Holding, Locks } from './holding.ts';
import { MissionEscalated } from './interrupts.ts';
import type { Mission } from './mission.ts';
import type { Observation } from './observing.ts';
import type { Playbook, VerifyContext } from './playbooks/playbook.ts';

export interface HealingWays { locks: Locks; observation: Observation }

/** A plan and its digest: what is approved, carried out and counted. */
export type PlannedAs = Planned & { plan_digest: string; ruling: ApprovalRuling };

export type Attempt = { kind: 'ended'; end: MissionEnd } | { kind: 'drift' | 'not_helped'; reason: string };

/** Stages 3 to 6 for one plan. The locks are held until it is verified or undone, whatever happens in between. */
export async function heal(mission: Mission<HealingPackage>, ways: HealingWays, host: string, planned: PlannedAs): Promise<Attempt> {
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
    return await close(mission, ways, planned, settle, () => takeBack(mission, ways, host, planned, run, result.steps));
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
  mission: Mission<HealingPackage>, ways: HealingWays, planned: PlannedAs, settle: (outcome: RunOutcome, reason: string) => Promise<void>, undo: () => Promise<string>,
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
    const undone = await undo();
    await settle('ineffective', `${reason}; ${undone}`);
    end = await escalate(mission, 'healing_escalation', `${planned.playbook.id} did not hold: ${verdict}: ${reason}; ${undone}`, 'ineffective');
    return { outcome: 'failed', reason: `${reason}; ${undone}`, evidence };
  });
  return { kind: 'ended', end: end! };
}

/**
 * What was done and can be taken back is, in reverse, under the locks taken anew: they were let go when it was verified.
 * @returns what became of it, in words
 */
async function takeBack(
  mission: Mission<HealingPackage>, ways: HealingWays, host_queue: string, { plan, candidate }: PlannedAs, run: number, results: readonly StepResult[],
): Promise<string> {
  const done = new Set(results.filter(({ outcome }) => outcome === 'done').map(({ id }) => id));
  const steps = plan.steps.filter(({ id }) => done.has(id)).reverse().flatMap((step): PlannedStep[] => (step.compensate === null ? [] : [{
    ...step, ...step.compensate, id: `undo-${step.id}`, effect: `takes back ${step.id}`, compensate: null, run: 'always', on_failure: 'next', data_loss: 0,
  }]));
  if (steps.length === 0) return 'nothing of it can be taken back';
  try {
    const holding = await ways.locks.hold({
      // Its own effects beside those of the run.
      mission_id: mission.package.mission_id, attempt: -run, host_queue, plan: { ...plan, steps }, resource: candidate.resource, request: mission.package.healing,
    }, candidate.limits.run_timeout_seconds);
    const result = await holding.carryOut();
    await holding.conclude('keep');
    const failed = result.steps.filter(({ outcome }) => outcome === 'failed');
    return result.kind === 'done' && failed.length === 0 ? 'it was taken back'
      : `it could not be taken back: ${result.kind === 'done' ? failed.map(({ id, reason }) => `${id}: ${reason}`).join('; ') : result.reason}`;
  } catch (error) {
    if (!(error instanceof MissionEscalated)) throw error;
    return `it could not be taken back: ${error.message}`;
  }
}
