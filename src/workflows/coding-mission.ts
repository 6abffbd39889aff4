/**
 * A coding mission: from symptoms to a proved landing. Stages run top to bottom; every one is durable.
 * What a stage does is an activity's business, how it is run and recorded is `openMission`'s; this is the story.
 */
import { allHandlersFinished, CancellationScope, condition, patched } from '@temporalio/workflow';
import type { CapaSource } from '../domain/capa.ts';
import type { FrozenContext } from '../domain/coding.ts';
import type { LandingResult } from '../domain/landing.ts';
import type { CodingPackage } from '../domain/mission-package.ts';
import { ruleOnApproval } from '../domain/policy.ts';
import { codingStages, type EvidenceRef, type StageName } from '../domain/stages.ts';
import { main, onHost, record } from './activities.ts';
import { openAgentQueue, type AgentQueue } from './agent-queue.ts';
import { openApprovalGate, type ApprovalGate } from './approval-gate.ts';
import { openDependencies } from './dependencies.ts';
import { endOf, escalate, finish, release, type MissionEnd } from './end.ts';
import { openHost, type MissionHost } from './host.ts';
import { commitMessage, landingBase, landingOutcome, openLanding, type Landing } from './landing.ts';
import { openMission, type Mission } from './mission.ts';
import { openObservation, type Landed, type Observation, type Observed } from './observing.ts';
import { openProving, type Proven } from './proving.ts';

export interface CodingMissionInput { package: CodingPackage }

export async function codingMission({ package: pack }: CodingMissionInput): Promise<MissionEnd> {
  const mission = openMission(pack);
  const agents = openAgentQueue(mission);
  const ways = { agents, approvals: openApprovalGate(mission, () => agents.authors()), landing: openLanding(mission), observation: openObservation(mission, () => pack.acceptance_criteria.observation_window) };
  const dependencies = openDependencies(mission);
  let host: MissionHost | null = null;
  let end: MissionEnd;
  try {
    mission.change({ status: 'in_progress', started_at: new Date().toISOString() });
    mission.note('mission.started', {});
    await dependencies.resolved();
    host = openHost(mission, await record.chooseHost());
    const chosen = host;
    mission.whenHostAway(() => chosen.recover());
    end = await run(mission, ways, host);
  } catch (error) {
    end = await endOf(mission, error);
  }
  const hostQueue = host?.queue() ?? null;
  await CancellationScope.nonCancellable(async () => {
    ways.approvals.close();
    ways.agents.close();
    await finish(mission, end);
    await main.tellDependents(pack.mission_id);
    if (hostQueue !== null) await release(pack, hostQueue);
    // An update that was accepted gets its answer.
    await condition(allHandlersFinished);
  });
  return end;
}

/** The ways a mission deals with people and with the queue; each registers its message handlers when it is opened. */
interface Ways { agents: AgentQueue; approvals: ApprovalGate; landing: Landing; observation: Observation }

async function run(mission: Mission, ways: Ways, host: MissionHost): Promise<MissionEnd> {
  const pack = mission.package;
  const context = await fetchBase(mission, host);
  mission.setContext(context.context);

  const proving = openProving(mission, ways.agents, host, context, () => fetchBase(mission, host));
  let landed: (Landed & { context: FrozenContext }) | undefined;
  while (landed === undefined) {
    const found = await proving.next();
    if (typeof found === 'string') return escalate(mission, 'escalation', found);
    if (pack.trust_requirements.memory_write_scope !== 'persist') {
      return reportOnly(mission, pack.trust_requirements.memory_write_scope);
    }
    let proven: Proven | undefined = found;
    while (proven !== undefined && landed === undefined) {
      const ruling = await approve(mission, ways.approvals, proven);
      if (ruling.kind === 'ended') return ruling.end;
      const merged: Merged = ruling.kind === 'approved' ? await mergeProven(mission, ways.landing, host, proven) : ruling;
      proven = undefined;
      switch (merged.kind) {
        case 'landed': landed = { ...merged, context: found.context }; break;
        case 'refused': return escalate(mission, merged.source, merged.reason);
        // The merged tree is another one than was approved: people are asked again, about that tree.
        case 'approve_again': proven = merged.proven; break;
        case 'sent_back':
          proving.sentBack(merged.reason);
          if (merged.rebase === true) proving.rebase();
      }
    }
  }

  const observed = await observe(mission, ways.observation, landed);
  return settle(mission, ways, host, landed.context, landed, observed);
}

/** Stages 1 and 2: the target's tip, frozen, and a worktree at it. */
async function fetchBase(mission: Mission, host: MissionHost): Promise<FrozenContext> {
  const { mission_id, workspace, acceptance_criteria: criteria, context: expected } = mission.package;
  const { repository_id, target_branch } = workspace;
  const context = await mission.stage('fetch_context', (attempt) => onHost(host.queue()).fetchContext({
    mission_id, attempt, repository_id, target_branch, expected, metric_ids: criteria.metric_targets.map((target) => target.metric_id),
  }));
  host.standOn(context.base, null);
  await mission.stage('pull_code', (attempt) => onHost(host.queue()).pullCode({
    mission_id, attempt, repository_id, base: context.base, setup: context.settings.commands.setup ?? null,
  }));
  return context;
}

type SentBack = { kind: 'sent_back'; reason: string; rebase?: boolean };
type Ruling = { kind: 'approved' } | SentBack | { kind: 'ended'; end: MissionEnd };

/** Stage 8. */
async function approve(
  mission: Mission, approvals: ApprovalGate, proven: Proven,
): Promise<Ruling> {
  const pack = mission.package;
  const { context } = proven;
  const ruling = ruleOnApproval(context.policy, {
    severity: pack.severity, requested: pack.trust_requirements.requires_governance_approval,
    touched_protected_paths: proven.touched_protected_paths, vanished_tests: proven.vanished, flaky_tests: proven.flaky,
  });
  let result: Ruling = { kind: 'approved' };
  await mission.stage('governance_approval', async (attempt) => {
    const digests = await record.digestForApproval({
      mission_id: pack.mission_id, git_tree: proven.approved_tree, patch_id: proven.approved_patch_id,
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

type Merged =
  | ({ kind: 'landed' } & Landed)
  | { kind: 'approve_again'; proven: Proven }
  | SentBack
  | { kind: 'refused'; source: CapaSource; reason: string };

/** Stage 9. The landed commit, or what has to happen first, or why there is none. */
async function mergeProven(
  mission: Mission, landing: Landing, host: MissionHost, proven: Proven,
): Promise<Merged> {
  const pack = mission.package;
  const { candidate, context } = proven;
  let result: Exclude<LandingResult, { kind: 'blocked' }> | undefined;
  await mission.stage('merge_changes', async (attempt) => {
    result = await landing.land(host, {
      ...landingBase(pack, context), kind: 'land', head: candidate.commit, base: context.base.commit,
      tested_trees: [...new Set([candidate.tree, proven.approved_tree])], approved_tree: proven.approved_tree, patch_id: proven.approved_patch_id,
      message: commitMessage(pack, `Land ${pack.mission_id}`),
    }, `${pack.mission_id}:land:${attempt}`);
    return landingOutcome(result);
  });
  const ended = result!;
  if (ended.kind === 'landed') {
    mission.change({ status: 'observing', landed_commit: ended.commit, landed_tree: ended.tree });
    if (ended.tested) mission.note('tests.passed', { tree: ended.tree, commit: ended.commit });
    if (ended.carried) mission.note('approval.carried', { from_tree: proven.approved_tree, to_tree: ended.tree });
    mission.note('merge.landed', {
      commit: ended.commit, tree: ended.tree, parents: ended.parents, carried: ended.carried, tested_again: ended.tested,
    });
    return ended;
  }
  const reason = `merge_changes: ${landingOutcome(ended).reason ?? 'not landed'}`;
  mission.note('merge.refused', { reason: reason.replace('merge_changes: ', '') });
  if (ended.kind === 'approval_void' && ended.patch_id !== undefined && patched('approval-is-asked-again')) {
    if (ended.tested === true) mission.note('tests.passed', { tree: ended.tree, commit: ended.commit });
    return { kind: 'approve_again', proven: { ...proven, approved_tree: ended.tree, approved_patch_id: ended.patch_id, flaky: [...new Set([...proven.flaky, ...ended.flaky ?? []])] } };
  }
  if ((ended.kind === 'conflict' || ended.kind === 'tests_failed') && patched('conflicts-come-back')) return { kind: 'sent_back', reason, rebase: true };
  return { kind: 'refused', source: ended.kind === 'violation' ? 'landing_violation' : 'escalation', reason };
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
  mission: Mission, ways: Ways, host: MissionHost, context: FrozenContext, landed: Landed, observed: Observed,
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
    const reverted = await ways.landing.land(host, {
      ...landingBase(pack, context), kind: 'revert', head: landed.commit, base: landed.commit,
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

/** What an approver is shown: everything found before the approval, every attempt of it, and the tests of a merged tree. */
const evidenceForApproval = (mission: Mission): EvidenceRef[] => mission.stages
  .filter((stage) => beforeApproval.includes(stage.name) || stage.name === 'merge_changes')
  .flatMap((stage) => stage.evidence);
