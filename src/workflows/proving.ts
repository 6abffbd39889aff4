/** Proving a candidate: stages 3 to 7, for each given one and then for the agent's, until one passes. */
import type { AgentResult } from '../activities/agent.ts';
import { anyAgent, type Agent, type CommandAgent, type EarlierAttempt, type QueueAgent } from '../domain/agent.ts';
import type { AppliedCandidate, CommitRef, FrozenContext, TestsResult } from '../domain/coding.ts';
import { codingStages } from '../domain/stages.ts';
import { lookUp, onHost, record } from './activities.ts';
import type { AgentQueue } from './agent-queue.ts';
import { openBudget } from './budget.ts';
import { commitMessage } from './landing.ts';
import type { MissionHost } from './host.ts';
import type { Mission } from './mission.ts';
import { openQueueTurn, stagesFrom } from './queue-turn.ts';

/** How often an unregistered agent is looked for again. */
const agentLookMs = 60_000;

/** A candidate that passed every stage up to the approval. */
export interface Proven {
  /** What it was proved on. */
  context: FrozenContext;
  candidate: CommitRef & { patch_id: string };
  /** The tree that an approval is for: the candidate's, or the merged one that the queue tested. */
  approved_tree: string;
  approved_patch_id: string;
  touched_protected_paths: string[];
  vanished: string[];
  flaky: string[];
}

export interface Proving {
  /** The next candidate that is proved; or, as a string, why there is none. */
  next: () => Promise<Proven | string>;
  /** A proved candidate that was sent back, by an approver or by the queue: a failed attempt like any other, told to the agent. */
  sentBack: (reason: string) => void;
  /** The target went on: candidates to come are made on its tip. */
  rebase: () => void;
}

/**
 * Every given candidate in order, then the agent, as often and as long as its budget allows.
 * @param freshBase stages 1 and 2 again, on the target's tip
 */
export function openProving(mission: Mission, agents: AgentQueue, host: MissionHost, first: FrozenContext, freshBase: () => Promise<FrozenContext>): Proving {
  const { patch_candidates: given } = mission.package.workspace;
  let context = first;
  let outdated = false;
  const failures: EarlierAttempt[] = [];
  let tried = 0;
  let agent: Agent | null | undefined;
  let turn = 0;
  let spentMs = 0;
  /** Who sent the last patch of the queue. */
  let worker: string | undefined;
  const budget = openBudget(mission);

  function failed(reason: string): void {
    const log = mission.stages.findLast((stage) => stage.status === 'failed')?.evidence.find((item) => item.kind === 'log');
    failures.push({ attempt: failures.length + 1, reason, log: log?.sha256 ?? null });
    mission.remember({ action: `candidate ${failures.length}`, result: reason });
  }

  async function onTip(): Promise<void> {
    if (!outdated) return;
    context = await freshBase();
    outdated = false;
  }

  async function commandTurn(by: CommandAgent): Promise<Proven | string> {
    return prove(mission, host, context, failures.length + 1, async (attempt) => {
      let usage: AgentResult['usage'];
      try {
        const result = await onHost(host.queue()).runAgent({
          mission_id: mission.package.mission_id, attempt, repository_id: mission.package.workspace.repository_id, agent: by,
          base: context.base, setup: context.settings.commands.setup ?? null, mission: mission.package, agent_attempt: turn, earlier: failures,
        });
        spentMs += result.duration_ms;
        usage = result.usage;
        return result;
      } finally {
        // An attempt that was interrupted used something, too; how much, nobody knows.
        budget.account(by, usage);
      }
    });
  }

  /** One patch of an agent elsewhere; what became of it is told there once it is known whether another one is wanted. */
  async function queueTurn(by: QueueAgent): Promise<Proven | string> {
    const { source, patch } = openQueueTurn(mission, agents, host, { base: context.base, turn, max_attempts: by.max_attempts, earlier: failures });
    const result = await prove(mission, host, context, failures.length + 1, source);
    worker = patch().agent_id;
    budget.account({ ...by, id: worker }, patch());
    return result;
  }

  /** Why the loop ends after such a failure, or null when another attempt is wanted. */
  function overAfter(by: Agent, result: string, before: string | undefined): string | null {
    if (result === before) return `${worker ?? by.id} failed the same way twice in a row: ${result}`;
    return turn >= by.max_attempts ? nothingProved(failures) : null;
  }

  return {
    sentBack: failed,
    rebase() { outdated = true; },
    async next() {
      while (tried < given.length) {
        const candidate = given[tried]!;
        tried += 1;
        await onTip();
        const result = await prove(mission, host, context, failures.length + 1, async () => ({ outcome: 'passed', reason: null, evidence: [], candidate, duration_ms: 0 }));
        if (typeof result !== 'string') return result;
        failed(result);
      }
      agent ??= await assignedAgent(mission);
      if (agent === null) return nothingProved(failures);
      while (turn < agent.max_attempts) {
        if (agent.kind !== 'queue' && agent.budget_seconds !== null && spentMs >= agent.budget_seconds * 1_000) {
          return `${agent.id} used up its budget of ${agent.budget_seconds} s: ${nothingProved(failures)}`;
        }
        if (!await budget.allows(agent)) return `the budget is used up, and nobody let ${agent.id} go on: ${nothingProved(failures)}`;
        await onTip();
        const before = turn === 0 ? undefined : failures.at(-1)?.reason;
        const from = mission.stages.length;
        turn += 1;
        const result = agent.kind === 'queue' ? await queueTurn(agent) : await commandTurn(agent);
        const proved = typeof result !== 'string';
        if (!proved) failed(result);
        const over = proved ? null : overAfter(agent, result, before);
        if (agent.kind === 'queue') {
          agents.judged({ state: proved ? 'proved' : 'failed', reason: proved ? null : result, stages: stagesFrom(mission, from), again: !proved && over === null });
        }
        if (proved) return result;
        if (over !== null) return over;
      }
      return nothingProved(failures);
    },
  };
}

const nothingProved = (failures: readonly EarlierAttempt[]): string =>
  `no candidate is proved: ${failures.map(({ attempt, reason }) => `candidate ${attempt}: ${reason}`).join(' | ')}`;

/** Who is to find a patch; waits for the registration of the agent that the mission is assigned to when nothing else could be tried. */
async function assignedAgent(mission: Mission): Promise<Agent | null> {
  const { assigned_to: id, workspace } = mission.package;
  if (id === null) return workspace.patch_candidates.length === 0 ? anyAgent : null;
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
  mission: Mission, host: MissionHost, context: FrozenContext, number: number, source: (attempt: number) => Promise<AgentResult>,
): Promise<Proven | string> {
  const pack = mission.package;
  const { commands, stress_thresholds, protected_paths } = context.settings;
  const repository_id = pack.workspace.repository_id;
  const setup = commands.setup ?? null;
  const work = (attempt: number) => ({ mission_id: pack.mission_id, attempt, repository_id, base: context.base });

  const patched = await mission.stage('branch_and_patch', async (attempt): Promise<AppliedCandidate> => {
    const given = await source(attempt);
    if (given.candidate === null) return { ...given, candidate: null };
    const applied = await onHost(host.queue()).applyCandidate({
      ...work(attempt), candidate: given.candidate, number,
      protected_paths: [...new Set([...context.policy.protected_paths, ...protected_paths])],
      commit_time: pack.created_at, message: commitMessage(pack, `Candidate ${number}`),
    });
    return { ...applied, evidence: [...given.evidence, ...applied.evidence] };
  });
  if (patched.candidate === null) return patched.reason ?? 'the patch was refused';
  const candidate = patched.candidate;
  host.standOn(context.base, candidate.bundle === undefined ? null : { number, commit: candidate.commit, bundle: candidate.bundle });

  const test = commands.test;
  const tests: TestsResult = await mission.stage('run_tests', async (attempt) => test === undefined
    ? noTestCommand()
    : onHost(host.queue()).runTests({ ...work(attempt), candidate, setup, test, must_pass_tests: pack.acceptance_criteria.must_pass_tests, reruns: context.policy.tests?.reruns ?? 0 }));
  if (tests.outcome === 'failed') return `run_tests: ${tests.reason}`;
  mission.note('tests.passed', { tree: candidate.tree, commit: candidate.commit });

  const stress = await mission.stage('stress_tests', (attempt) => onHost(host.queue()).stressTests({
    ...work(attempt), candidate, setup, stress: commands.stress ?? null, thresholds: stress_thresholds,
  }));
  if (stress.outcome === 'failed') return `stress_tests: ${stress.reason}`;

  const diagnostics = await mission.stage('publish_diagnostics', (attempt) => onHost(host.queue()).publishDiagnostics({
    ...work(attempt), candidate, policy: context.policy,
    stages: codingStages.slice(0, 5).flatMap((name) => {
      const latest = mission.stages.findLast((stage) => stage.name === name);
      return latest === undefined ? [] : [{ name, outcome: latest.status, reason: latest.reason, evidence: latest.evidence }];
    }),
  }));
  if (diagnostics.outcome === 'failed') return `publish_diagnostics: ${diagnostics.reason}`;

  const metrics = await mission.stage('collect_metrics', (attempt) => lookUp().collectMetrics({
    mission_id: pack.mission_id, attempt, targets: pack.acceptance_criteria.metric_targets,
    measured: { ...tests.metrics, ...stress.metrics },
  }));
  if (metrics.outcome === 'failed') return `collect_metrics: ${metrics.reason}`;
  return {
    context, candidate, approved_tree: candidate.tree, approved_patch_id: candidate.patch_id,
    touched_protected_paths: candidate.touched_protected_paths, vanished: tests.vanished, flaky: tests.flaky ?? [],
  };
}

const noTestCommand = (): TestsResult => ({
  outcome: 'failed', evidence: [], vanished: [], metrics: {},
  reason: 'no test command: name one in .mission-control.yaml or with the repository',
});
