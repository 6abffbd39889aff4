/**
 * A coding mission: from symptoms to a proved landing. Stages run top to bottom; every one is durable.
 * What a stage does is an activity's business, how it is run and recorded is `openMission`'s; this is the story.
 */
import { allHandlersFinished, CancellationScope, condition } from '@temporalio/workflow';
import type { CapaSource } from '../domain/capa.ts';
import type { FrozenContext } from '../domain/coding.ts';
import type { LandingResult } from '../domain/landing.ts';
import type { CodingPackage } from '../domain/mission-package.ts';
import { ruleOnApproval } from '../domain/policy.ts';
import { codingStages, type EvidenceRef, type StageName } from '../domain/stages.ts';
import { main, onHost, record } from './activities.ts';
import { openApprovalGate, type ApprovalGate } from './approval-gate.ts';
import { openDependencies } from './dependencies.ts';
import { endOf, escalate, finish, release, type MissionEnd } from './end.ts';
import { commitMessage, landingBase, landingOutcome, openLanding, type Landing } from './landing.ts';
import { openMission, type Mission } from './mission.ts';
import { openObservation, type Landed, type Observation, type Observed } from './observing.ts';
import { openProving, type Proven } from './proving.ts';

export interface CodingMissionInput { package: CodingPackage }

export async function codingMission({ package: pack }: CodingMissionInput): Promise<MissionEnd> {
  const mission = openMission(pack);
  const ways = { approvals: openApprovalGate(mission), landing: openLanding(mission), observation: openObservation(mission, () => pack.acceptance_criteria.observation_window) };
  const dependencies = openDependencies(mission);
  let host: string | null = null;
  let end: MissionEnd;
  try {
    mission.change({ status: 'in_progress', started_at: new Date().toISOString() });
    mission.note('mission.started', {});
    await dependencies.resolved();
    host = await record.chooseHost();
    end = await run(mission, ways, host);
  } catch (error) {
    end = await endOf(mission, error);
  }
  const hostQueue = host;
  await CancellationScope.nonCancellable(async () => {
    ways.approvals.close();
    await finish(mission, end);
    await main.tellDependents(pack.mission_id);
    if (hostQueue !== null) await release(pack, hostQueue);
    // An update that was accepted gets its answer.
    await condition(allHandlersFinished);
  });
  return end;
}

/** The ways a mission deals with people and with the queue; each registers its message handlers when it is opened. */
interface Ways { approvals: ApprovalGate; landing: Landing; observation: Observation }

async function run(mission: Mission, ways: Ways, host: string): Promise<MissionEnd> {
  const pack = mission.package;
  const { workspace, acceptance_criteria: criteria } = pack;
  const work = (attempt: number) => ({ mission_id: pack.mission_id, attempt, repository_id: workspace.repository_id });

  const context = await mission.stage('fetch_context', (attempt) => onHost(host).fetchContext({
    ...work(attempt), target_branch: workspace.target_branch, expected: pack.context,
    metric_ids: criteria.metric_targets.map((target) => target.metric_id),
  }));
  mission.setContext(context.context);
  await mission.stage('pull_code', (attempt) => onHost(host).pullCode({
    ...work(attempt), base: context.base, setup: context.settings.commands.setup ?? null,
  }));

  const proving = openProving(mission, host, context);
  let proven: Proven;
  for (;;) {
    const found = await proving.next();
    if (typeof found === 'string') return escalate(mission, 'escalation', found);
    if (pack.trust_requirements.memory_write_scope !== 'persist') {
      return reportOnly(mission, pack.trust_requirements.memory_write_scope);
    }
    const ruling = await approve(mission, ways.approvals, context, found);
    if (ruling.kind === 'ended') return ruling.end;
    proven = found;
    if (ruling.kind === 'approved') break;
    proving.sentBack(ruling.reason);
  }

  const landed = await mergeProven(mission, ways.landing, host, context, proven);
  if (!('commit' in landed)) return escalate(mission, landed.source, landed.reason);

  const observed = await observe(mission, ways.observation, landed);
  return settle(mission, ways, host, context, landed, observed);
}

type Ruling = { kind: 'approved' } | { kind: 'sent_back'; reason: string } | { kind: 'ended'; end: MissionEnd };

/** Stage 8. */
async function approve(
  mission: Mission, approvals: ApprovalGate, context: FrozenContext, proven: Proven,
): Promise<Ruling> {
  const pack = mission.package;
  const ruling = ruleOnApproval(context.policy, {
    severity: pack.severity, requested: pack.trust_requirements.requires_governance_approval,
    touched_protected_paths: proven.touched_protected_paths, vanished_tests: proven.vanished,
  });
  let result: Ruling = { kind: 'approved' };
  await mission.stage('governance_approval', async (attempt) => {
    const digests = await record.digestForApproval({
      mission_id: pack.mission_id, git_tree: proven.candidate.tree, patch_id: proven.candidate.patch_id,
      policy_digest: context.policy_digest, evidence: evidenceForApproval(mission),
    });
    if (ruling.required === 0) {
      mission.note('approval.automatic', { rules: ruling.rules, digests });
      const evidence = await record.storeEvidence({ kind: 'approval', value: { automatic: true, rules: ruling.rules, digests, attempt }, summary: `automatic: ${ruling.rules.join('; ')}` });
      return { outcome: 'passed', reason: `automatic: ${ruling.rules.join('; ')}`, evidence };
    }
    const approval = await approvals.ask({
      digests, required: ruling.required, rules: ruling.rules, deadline_minutes: context.policy.approvals.deadline_minutes,
    });
    const evidence = await record.storeEvidence({
      kind: 'approval', value: approval, summary: `${approval.approval_id} ${approval.status}`,
    });
    const last = approval.decisions.at(-1);
    if (approval.status === 'approved') {
      return { outcome: 'passed', reason: `approved by ${approval.decisions.map((d) => d.by.id).join(', ')}`, evidence };
    }
    const reason = approval.status === 'expired'
      ? `no decision by ${approval.deadline}` : `rejected by ${last?.by.id}: ${last?.reason}`;
    result = approval.status === 'rejected' && last?.send_back === true
      ? { kind: 'sent_back', reason: `governance_approval: ${reason}` }
      : { kind: 'ended', end: { status: 'aborted', outcome: approval.status === 'expired' ? 'cancelled' : 'rejected', reason } };
    return { outcome: 'failed', reason, evidence };
  });
  return result;
}

/** Stage 9. The landed commit, or why there is none. */
async function mergeProven(
  mission: Mission, landing: Landing, host: string, context: FrozenContext, proven: Proven,
): Promise<Landed | { source: CapaSource; reason: string }> {
  const pack = mission.package;
  let result: Exclude<LandingResult, { kind: 'blocked' }> | undefined;
  await mission.stage('merge_changes', async (attempt) => {
    result = await landing.land({
      ...landingBase(pack, host, context), kind: 'land', head: proven.candidate.commit, base: context.base.commit,
      tested_trees: [proven.candidate.tree], approved_tree: proven.candidate.tree, patch_id: proven.candidate.patch_id,
      message: commitMessage(pack, `Land ${pack.mission_id}`),
    }, `${pack.mission_id}:land:${attempt}`);
    return landingOutcome(result);
  });
  if (result?.kind === 'landed') {
    mission.change({ status: 'observing', landed_commit: result.commit, landed_tree: result.tree });
    if (result.tested) mission.note('tests.passed', { tree: result.tree, commit: result.commit });
    if (result.carried) mission.note('approval.carried', { from_tree: proven.candidate.tree, to_tree: result.tree });
    mission.note('merge.landed', {
      commit: result.commit, tree: result.tree, parents: result.parents, carried: result.carried, tested_again: result.tested,
    });
    return result;
  }
  const reason = landingOutcome(result!).reason ?? 'not landed';
  mission.note('merge.refused', { reason });
  return { source: result!.kind === 'violation' ? 'landing_violation' : 'escalation', reason: `merge_changes: ${reason}` };
}

/** Stage 10. */
async function observe(mission: Mission, observation: Observation, landed: Landed): Promise<Observed> {
  let observed: Observed | undefined;
  await mission.stage('observation_window', async () => {
    observed = await observation.observe(landed);
    const { verdict, reason, evidence } = observed;
    return { outcome: verdict === 'PASSED' ? 'passed' : 'failed', reason: `${verdict}: ${reason}`, evidence };
  });
  return observed!;
}

/** Stage 11. Only PASSED resolves; what could not be judged is held for a person, then treated as the window says. */
async function settle(
  mission: Mission, ways: Ways, host: string, context: FrozenContext, landed: Landed, observed: Observed,
): Promise<MissionEnd> {
  const pack = mission.package;
  const spec = pack.acceptance_criteria.observation_window;
  let end: MissionEnd | undefined;
  await mission.stage('resolve_or_rollback', async (attempt) => {
    let { verdict, reason, evidence } = observed;
    if (verdict !== 'PASSED' && verdict !== 'FAILED' && spec.on_inconclusive !== 'rollback') {
      const held = await ways.observation.hold(landed, observed);
      if (held === 'deadline' && spec.on_deadline === 'escalate') {
        end = await escalate(mission, 'escalation', `the observation window could not judge and nobody decided: ${reason}`);
        return { outcome: 'failed', reason, evidence };
      }
      if (held === 'deadline') reason = `nobody decided in time: ${verdict}: ${reason}`;
      else ({ verdict, reason, evidence } = held);
    }
    if (verdict === 'PASSED') {
      end = { status: 'resolved', outcome: 'landed', reason };
      return { outcome: 'passed', reason, evidence };
    }
    const reverted = await ways.landing.land({
      ...landingBase(pack, host, context), kind: 'revert', head: landed.commit, base: landed.commit,
      tested_trees: [landed.onto.tree], approved_tree: landed.onto.tree, patch_id: '',
      message: commitMessage(pack, `Revert ${pack.mission_id}`, `This reverts commit ${landed.commit}: ${reason}`),
    }, `${pack.mission_id}:revert:${attempt}`);
    const outcome = landingOutcome(reverted);
    if (outcome.outcome === 'passed') {
      if (reverted.kind === 'landed') mission.note('merge.reverted', { commit: reverted.commit, tree: reverted.tree, reverts: landed.commit });
      end = await escalate(mission, 'rollback', `rolled back: ${verdict}: ${reason}`, 'rolled_back');
      return { ...outcome, reason: `rolled back: ${reason}` };
    }
    end = await escalate(mission, 'revert_conflict', `the landing could not be rolled back: ${outcome.reason}`);
    return outcome;
  });
  return end!;
}

/** A mission that may not write ends with its proof: the patch and its evidence stay, nothing lands. */
function reportOnly(mission: Mission, scope: string): MissionEnd {
  const reason = `memory_write_scope is ${scope}: the patch is proved and does not land`;
  for (const name of codingStages.slice(codingStages.indexOf('governance_approval'))) mission.skip(name, reason);
  return { status: 'resolved', outcome: 'completed', reason };
}

const beforeApproval: readonly StageName[] = codingStages.slice(0, codingStages.indexOf('governance_approval'));

/** What an approver is shown: everything found before the approval, every attempt of it. */
const evidenceForApproval = (mission: Mission): EvidenceRef[] => mission.stages
  .filter((stage) => beforeApproval.includes(stage.name))
  .flatMap((stage) => stage.evidence);
