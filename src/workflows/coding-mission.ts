/**
 * A coding mission: from symptoms to a proved landing. Stages run top to bottom; every one is durable.
 * What a stage does is an activity's business, how it is run and recorded is `openMission`'s; this is the story.
 */
import { allHandlersFinished, CancellationScope, condition, isCancellation, log } from '@temporalio/workflow';
import type { AgentResult } from '../activities/agent.ts';
import type { CommandAgent, EarlierAttempt } from '../domain/agent.ts';
import type { AppliedCandidate, CommitRef, FrozenContext, TestsResult } from '../domain/coding.ts';
import type { LandingResult } from '../domain/landing.ts';
import type { MissionPackage } from '../domain/mission-package.ts';
import type { MissionOutcome, MissionStatus } from '../domain/mission.ts';
import { ruleOnApproval } from '../domain/policy.ts';
import { codingStages, type EvidenceRef, type StageOutcome } from '../domain/stages.ts';
import type { CapaSource } from '../domain/capa.ts';
import { cleanUp, main, onHost, record } from './activities.ts';
import { openApprovalGate, type ApprovalGate } from './approval-gate.ts';
import { openDependencies } from './dependencies.ts';
import { MissionAborted, MissionEscalated } from './interrupts.ts';
import { openLanding, type Landing } from './landing.ts';
import { openMission, type Mission } from './mission.ts';
import { openObservation, type Landed, type Observation, type Observed } from './observing.ts';

export interface CodingMissionInput { package: MissionPackage }

export interface MissionEnd { status: MissionStatus; outcome: MissionOutcome; reason: string }

/** How often an unregistered agent is looked for again. */
const agentLookMs = 60_000;

/** A candidate that passed every stage up to the approval. */
interface Proven {
  candidate: CommitRef & { patch_id: string };
  touched_protected_paths: string[];
  vanished: string[];
}

export async function codingMission({ package: pack }: CodingMissionInput): Promise<MissionEnd> {
  const mission = openMission(pack);
  const ways = { approvals: openApprovalGate(mission), landing: openLanding(mission), observation: openObservation(mission) };
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

  const proven = await firstProven(mission, host, context);
  if (typeof proven === 'string') return escalate(mission, 'escalation', proven);
  if (pack.trust_requirements.memory_write_scope !== 'persist') {
    return reportOnly(mission, pack.trust_requirements.memory_write_scope);
  }

  const approved = await approve(mission, ways.approvals, context, proven);
  if (approved !== null) return approved;

  const landed = await mergeProven(mission, ways.landing, host, context, proven);
  if (!('commit' in landed)) return escalate(mission, landed.source, landed.reason);

  const observed = await observe(mission, ways.observation, landed);
  return settle(mission, ways, host, context, landed, observed);
}

/** Every given candidate in order, then the agent, as often as its budget allows; the reason of each when none is proved. */
async function firstProven(mission: Mission, host: string, context: FrozenContext): Promise<Proven | string> {
  const { patch_candidates: given } = mission.package.workspace;
  const failures: EarlierAttempt[] = [];
  const failed = (reason: string): void => {
    const log = mission.stages().findLast((stage) => stage.status === 'failed')?.evidence.find((item) => item.kind === 'log');
    failures.push({ attempt: failures.length + 1, reason, log: log?.sha256 ?? null });
    mission.remember({ action: `candidate ${failures.length}`, result: reason });
  };
  for (const candidate of given) {
    const result = await prove(mission, host, context, failures.length + 1, async () => ({ outcome: 'passed', reason: null, evidence: [], candidate }));
    if (typeof result !== 'string') return result;
    failed(result);
  }
  const agent = await assignedAgent(mission);
  for (let turn = 1; agent !== null && turn <= agent.max_attempts; turn += 1) {
    const result = await prove(mission, host, context, failures.length + 1, (attempt) => onHost(host).runAgent({
      mission_id: mission.package.mission_id, attempt, repository_id: mission.package.workspace.repository_id, agent,
      base: context.base, setup: context.settings.commands.setup ?? null, mission: mission.package, agent_attempt: turn, earlier: failures,
    }));
    if (typeof result !== 'string') return result;
    const again = turn > 1 && failures.at(-1)?.reason === result;
    failed(result);
    if (again) return `${agent.id} failed the same way twice in a row: ${result}`;
  }
  return `no candidate is proved: ${failures.map(({ attempt, reason }) => `candidate ${attempt}: ${reason}`).join(' | ')}`;
}

/** The command agent that the mission is assigned to; waits for its registration when nothing else could be tried. */
async function assignedAgent(mission: Mission): Promise<CommandAgent | null> {
  const { assigned_to: id, workspace } = mission.package;
  if (id === null) return null;
  for (;;) {
    const agent = await record.findAgent(id);
    if (agent !== null || workspace.patch_candidates.length > 0) return agent;
    await mission.waitForRetry({
      kind: 'agent', reason: `${id} is not registered and no candidate was given`,
      who: `whoever registers ${id} in config/agents.yaml; an operator may retry or abort`, on_deadline: 'it is looked for again',
    }, agentLookMs);
  }
}

/** Stages 3 to 7 for one candidate; a string says why it is not proved. */
async function prove(
  mission: Mission, host: string, context: FrozenContext, number: number, source: (attempt: number) => Promise<AgentResult>,
): Promise<Proven | string> {
  const pack = mission.package;
  const { commands, stress_thresholds, protected_paths } = context.settings;
  const repository_id = pack.workspace.repository_id;
  const setup = commands.setup ?? null;
  const work = (attempt: number) => ({ mission_id: pack.mission_id, attempt, repository_id, base: context.base });

  const patched = await mission.stage('branch_and_patch', async (attempt): Promise<AppliedCandidate> => {
    const given = await source(attempt);
    if (given.candidate === null) return { ...given, candidate: null };
    const applied = await onHost(host).applyCandidate({
      ...work(attempt), candidate: given.candidate, number,
      protected_paths: [...new Set([...context.policy.protected_paths, ...protected_paths])],
      commit_time: pack.created_at, message: commitMessage(pack, `Candidate ${number}`),
    });
    return { ...applied, evidence: [...given.evidence, ...applied.evidence] };
  });
  if (patched.candidate === null) return patched.reason ?? 'the patch was refused';
  const candidate = patched.candidate;

  const test = commands.test;
  const tests: TestsResult = await mission.stage('run_tests', async (attempt) => test === undefined
    ? noTestCommand()
    : onHost(host).runTests({ ...work(attempt), candidate, setup, test, must_pass_tests: pack.acceptance_criteria.must_pass_tests }));
  if (tests.outcome === 'failed') return `run_tests: ${tests.reason}`;

  const stress = await mission.stage('stress_tests', (attempt) => onHost(host).stressTests({
    ...work(attempt), candidate, setup, stress: commands.stress ?? null, thresholds: stress_thresholds,
  }));
  if (stress.outcome === 'failed') return `stress_tests: ${stress.reason}`;

  const diagnostics = await mission.stage('publish_diagnostics', (attempt) => onHost(host).publishDiagnostics({
    ...work(attempt), candidate, policy: context.policy,
    stages: codingStages.slice(0, 5).flatMap((name) => {
      const latest = mission.stages().findLast((stage) => stage.name === name);
      return latest === undefined ? [] : [{ name, outcome: latest.status, reason: latest.reason, evidence: latest.evidence }];
    }),
  }));
  if (diagnostics.outcome === 'failed') return `publish_diagnostics: ${diagnostics.reason}`;

  const metrics = await mission.stage('collect_metrics', (attempt) => record.collectMetrics({
    mission_id: pack.mission_id, attempt, targets: pack.acceptance_criteria.metric_targets,
    measured: { ...tests.metrics, ...stress.metrics },
  }));
  if (metrics.outcome === 'failed') return `collect_metrics: ${metrics.reason}`;
  return { candidate, touched_protected_paths: candidate.touched_protected_paths, vanished: tests.vanished };
}

const noTestCommand = (): TestsResult => ({
  outcome: 'failed', evidence: [], vanished: [], metrics: {},
  reason: 'no test command: name one in .mission-control.yaml or with the repository',
});

/** Stage 8. Null when the change may land. */
async function approve(
  mission: Mission, approvals: ApprovalGate, context: FrozenContext, proven: Proven,
): Promise<MissionEnd | null> {
  const pack = mission.package;
  const ruling = ruleOnApproval(context.policy, {
    severity: pack.severity, requested: pack.trust_requirements.requires_governance_approval,
    touched_protected_paths: proven.touched_protected_paths, vanished_tests: proven.vanished,
  });
  let refused: MissionEnd | null = null;
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
    refused = { status: 'aborted', outcome: approval.status === 'expired' ? 'cancelled' : 'rejected', reason };
    return { outcome: 'failed', reason, evidence };
  });
  return refused;
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
    mission.note('merge.landed', {
      commit: result.commit, tree: result.tree, parents: result.parents, carried: result.carried, tested_again: result.tested,
    });
    if (result.carried) mission.note('approval.carried', { from_tree: proven.candidate.tree, to_tree: result.tree });
    return result;
  }
  const reason = landingOutcome(result!).reason ?? 'not landed';
  mission.note('merge.refused', { reason });
  return { source: result!.kind === 'violation' ? 'landing_violation' : 'escalation', reason: `merge_changes: ${reason}` };
}

function landingOutcome(result: Exclude<LandingResult, { kind: 'blocked' }>): StageOutcome {
  switch (result.kind) {
    case 'landed':
      return { outcome: 'passed', reason: result.tested ? 'tested again on the merged tree' : null, evidence: result.evidence };
    case 'already_reverted':
      return { outcome: 'passed', reason: 'it was reverted before; nothing to do', evidence: [] };
    case 'conflict':
      return { outcome: 'failed', reason: `conflicts with the target in ${result.paths.join(', ')}`, evidence: [] };
    case 'tests_failed':
      return { outcome: 'failed', reason: `tests fail on the merged tree: ${result.reasons.join('; ')}`, evidence: result.evidence };
    case 'approval_void':
      return { outcome: 'failed', reason: `the merged tree ${result.tree} is not what was approved`, evidence: [] };
    case 'base_moved':
      return { outcome: 'failed', reason: `BASE_MOVED: the target moved ${result.tries} times while landing`, evidence: [] };
    case 'violation':
      return { outcome: 'failed', reason: `LANDING_VIOLATION: ${result.reason}`, evidence: [] };
  }
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

const landingBase = (pack: MissionPackage, host: string, context: FrozenContext) => ({
  mission_id: pack.mission_id, severity: pack.severity, repository_id: pack.workspace.repository_id,
  target_branch: pack.workspace.target_branch, host_queue: host, carry_approval: context.policy.landing.carry_approval,
  must_pass_tests: pack.acceptance_criteria.must_pass_tests, setup_command: context.settings.commands.setup ?? null,
  test_command: context.settings.commands.test!, commit_time: pack.created_at,
});

const evidenceOf = (mission: Mission): EvidenceRef[] => mission.stages().flatMap((stage) => stage.evidence);

/** What an approver is shown: everything found before the approval, every attempt of it. */
const evidenceForApproval = (mission: Mission): EvidenceRef[] => mission.stages()
  .filter((stage) => codingStages.indexOf(stage.name) < codingStages.indexOf('governance_approval'))
  .flatMap((stage) => stage.evidence);

function commitMessage(pack: MissionPackage, subject: string, body = ''): string {
  return `${subject}: ${pack.title.replaceAll(/\s+/g, ' ')}\n\n${body === '' ? '' : `${body}\n\n`}Mission: ${pack.mission_id}\nSubsystem: ${pack.subsystem_id}\n`;
}

/** Opens the CAPA with everything learned. */
async function escalate(mission: Mission, source: CapaSource, reason: string, outcome: MissionOutcome = 'failed'): Promise<MissionEnd> {
  const pack = mission.package;
  const capa = await record.openCapaOnce({
    key: `${pack.mission_id}:${source}`, source, fingerprint: `${source}:${pack.mission_id}`, mission_id: pack.mission_id,
    subsystem_id: pack.subsystem_id, problem_statement: `${pack.title}: ${reason}`.slice(0, 10_000),
    evidence: evidenceOf(mission).map((item) => item.sha256),
  });
  mission.change({ capa_id: capa });
  return { status: 'escalated', outcome, reason };
}

async function endOf(mission: Mission, error: unknown): Promise<MissionEnd> {
  if (error instanceof MissionAborted) return aborted(mission, error.message);
  if (isCancellation(error)) return aborted(mission, 'the workflow was cancelled in Temporal');
  if (error instanceof MissionEscalated) {
    return CancellationScope.nonCancellable(() => escalate(mission, 'escalation', error.message));
  }
  throw error;
}

function aborted(mission: Mission, reason: string): MissionEnd {
  const landed = mission.state.landed_commit;
  return {
    status: 'aborted', outcome: 'cancelled',
    reason: landed === null ? reason : `${reason} (${landed} stays landed; revert it by a mission of its own)`,
  };
}

/** Frees the worktree. A host that is gone for good must not keep an ended mission: ended missions' slots are free anyway. */
async function release(pack: MissionPackage, hostQueue: string): Promise<void> {
  try {
    await cleanUp(hostQueue).releaseWorkspace({ mission_id: pack.mission_id, repository_id: pack.workspace.repository_id });
  } catch (error) {
    log.warn('the worktree was not released', { mission_id: pack.mission_id, error: String(error) });
  }
}

async function finish(mission: Mission, end: MissionEnd): Promise<void> {
  mission.change({
    status: end.status, outcome: end.outcome, ended_reason: end.reason, ended_at: new Date().toISOString(),
    waiting_on: null, paused: false, ...(end.status === 'resolved' ? { progress: 100 } : {}),
  });
  mission.note('mission.status_changed', { status: end.status, outcome: end.outcome, reason: end.reason });
  await mission.flush();
}
