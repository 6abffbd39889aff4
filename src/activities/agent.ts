/** Command agents: run in a worktree of the mission, with a brief; what they leave there is the candidate. */
import { randomUUID } from 'node:crypto';
import { rm, writeFile } from 'node:fs/promises';
import { isAbsolute, join } from 'node:path';
import type { Agent, CommandAgent, EarlierAttempt } from '../domain/agent.ts';
import type { Usage } from '../domain/budget.ts';
import type { CommitRef, Work } from '../domain/coding.ts';
import type { CommandSpec } from '../domain/commands.ts';
import type { MissionPackage, PatchCandidate } from '../domain/mission-package.ts';
import type { StageOutcome } from '../domain/stages.ts';
import { evidence } from '../store/artifacts.ts';
import { findAgent } from '../store/agents.ts';
import { once } from '../store/effects.ts';
import { confinementOf } from './confinement.ts';
import { writeBrief } from './agent-brief.ts';
import { readUsage, usageEvidence } from './agent-usage.ts';
import type { ActivityDeps } from './deps.ts';
import { withHeartbeat } from './heartbeat.ts';
import { toolEnvironment } from './tool-environment.ts';
import { prepareWorktree, type ReadyWorktree } from './worktree.ts';

export interface RunAgentInput extends Work {
  repository_id: string;
  agent: CommandAgent;
  base: CommitRef;
  setup: CommandSpec | null;
  mission: Pick<MissionPackage, 'title' | 'description' | 'symptoms' | 'acceptance_criteria'>;
  agent_attempt: number;
  earlier: EarlierAttempt[];
}

export interface AgentResult extends StageOutcome {
  candidate: PatchCandidate | null;
  /** How long the agent ran: what its budget is reckoned by. */
  duration_ms: number;
  /** What the agent says that it used. Absent from attempts that ran before anybody asked. */
  usage?: Usage;
}

export const agentActivities = (deps: ActivityDeps) => ({
  async findAgent(id: string): Promise<Agent | null> {
    return (await findAgent(deps.config.configFolder, id)) ?? null;
  },

  /** One attempt of an agent. Keyed: a repeat after a crash finds the candidate that the first run left. */
  async runAgent(input: RunAgentInput): Promise<AgentResult> {
    return withHeartbeat((signal) =>
      once(deps.database.query, `${input.mission_id}:agent:${input.attempt}`, () => runAgent(deps, input, signal)));
  },
});

async function runAgent(deps: ActivityDeps, input: RunAgentInput, signal: AbortSignal): Promise<AgentResult> {
  const { config, processes, artifacts } = deps;
  const { agent } = input;
  const brief = await writeBrief(deps, { ...input, max_attempts: agent.max_attempts });
  const briefFile = join(config.home, 'scratch', `brief-${randomUUID()}.md`);
  const usageFile = join(config.home, 'scratch', `usage-${randomUUID()}.json`);
  await Promise.all([writeFile(briefFile, brief, { mode: 0o600 }), writeFile(usageFile, '', { mode: 0o600 })]);
  let worktree: ReadyWorktree | undefined;
  try {
    worktree = await prepareWorktree(deps, input.repository_id, input.mission_id, input.base, input.setup, signal);
    const { path } = worktree;
    const passed = agent.pass_env.flatMap((name) => {
      const value = process.env[name];
      return value === undefined ? [] : [[name, value] as const];
    });
    const confinement = await confinementOf(deps, input.repository_id);
    const argv = agent.argv.map((argument) => (argument.startsWith('./') ? join(config.configFolder, argument) : argument));
    const run = await processes.run({
      ...confinement, argv, limits: agent.limits,
      // Its own files lie beside the list of agents, or where its argv says.
      readable: [...confinement.readable, config.configFolder, briefFile, ...argv.filter((argument) => isAbsolute(argument))], writable: [usageFile],
      cwd: path, marker: input.mission_id, timeout_seconds: agent.timeout_seconds, network: agent.network, signal,
      env: { ...toolEnvironment(path, agent.network), ...Object.fromEntries(passed), MISSION_BRIEF: briefFile, MISSION_USAGE: usageFile },
    });
    const log = await artifacts.putFile(run.output_file, 'text/plain');
    const claim = await readUsage(usageFile);
    const { usage } = claim;
    const kept = [
      evidence('brief', await artifacts.put(brief, 'text/markdown'), `brief of attempt ${input.agent_attempt}`),
      evidence('log', log, `${agent.id}: exit code ${run.exit_code}, ${run.duration_ms} ms, sandbox ${run.sandbox.level}`),
      await usageEvidence(artifacts, agent.id, input.agent_attempt, claim),
    ];
    const failed = (reason: string): AgentResult => ({ outcome: 'failed', reason, evidence: kept, candidate: null, duration_ms: run.duration_ms, usage });
    if (run.limit?.evidence === 'certain') return failed(`${agent.id}: RESOURCE_LIMIT ${run.limit.detail}`);
    if (run.timed_out) return failed(`${agent.id} ran into its time limit of ${agent.timeout_seconds} s`);
    if (run.exit_code !== 0) return failed(`${agent.id} ended with exit code ${run.exit_code}`);
    const diff = await changeIn(deps, path, input.base.commit);
    if (diff.length === 0) return failed(`${agent.id} changed nothing`);
    const stored = await artifacts.put(diff, 'text/x-diff');
    return {
      outcome: 'passed', reason: null, evidence: kept, duration_ms: run.duration_ms, usage,
      candidate: { kind: 'diff', artifact: stored.sha256, size_bytes: stored.size_bytes },
    };
  } finally {
    await Promise.all([briefFile, usageFile].map((path) => rm(path, { force: true, recursive: true })));
    await worktree?.release();
  }
}

/** The difference to the base, new files included, ignored ones not; the agent's own commits do not matter. */
async function changeIn({ git, config }: ActivityDeps, worktree: string, base: string): Promise<Buffer> {
  const indexFile = join(config.home, 'scratch', `index-${randomUUID()}`);
  try {
    await git.run(['-C', worktree, 'read-tree', base], { indexFile });
    await git.run(['-C', worktree, 'add', '--all', '--', '.'], { indexFile });
    return (await git.run(
      ['-C', worktree, 'diff', '--cached', '--binary', '--full-index', '--no-renames', '--no-ext-diff', '--no-textconv', base], { indexFile })).stdout;
  } finally {
    await Promise.all([indexFile, `${indexFile}.lock`].map((path) => rm(path, { force: true })));
  }
}
