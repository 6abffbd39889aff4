/** One turn of an agent elsewhere: the mission is offered with its brief and base, and the posted patch is the candidate. */
import type { AgentResult } from '../activities/agent.ts';
import type { AgentPatch, PatchStage } from '../domain/agent-work.ts';
import type { EarlierAttempt } from '../domain/agent.ts';
import { usageText } from '../domain/budget.ts';
import type { CommitRef } from '../domain/coding.ts';
import { onHost, record } from './activities.ts';
import type { AgentQueue } from './agent-queue.ts';
import type { MissionHost } from './host.ts';
import type { Mission } from './mission.ts';

export interface QueueTurn {
  /** The patch that somebody posts, as the source of a candidate. */
  source: (attempt: number) => Promise<AgentResult>;
  /** The patch of this turn, once there is one. */
  patch: () => AgentPatch;
}

export function openQueueTurn(
  mission: Mission, agents: AgentQueue, host: MissionHost, { base, turn, max_attempts, earlier }: { base: CommitRef; turn: number; max_attempts: number; earlier: EarlierAttempt[] },
): QueueTurn {
  const { mission_id, workspace } = mission.package;
  let patch: AgentPatch | undefined;
  return {
    patch: () => patch!,
    async source(attempt) {
      const offer = await onHost(host.queue()).prepareOffer({
        mission_id, attempt, repository_id: workspace.repository_id, base, mission: mission.package, agent_attempt: turn, max_attempts, earlier,
      });
      patch = await agents.patch({ brief: offer.brief, base, attempt: turn, max_attempts });
      const { agent_id, kind, artifact, size_bytes, tokens, cost_micro_usd } = patch;
      const usage = await record.storeEvidence({
        kind: 'usage', value: { agent: agent_id, attempt: turn, tokens, cost_micro_usd }, summary: `${usageText({ tokens, cost_micro_usd })}, as ${agent_id} says`,
      });
      return { outcome: 'passed', reason: null, evidence: [...offer.evidence, ...usage], candidate: { kind, artifact, size_bytes }, duration_ms: 0 };
    },
  };
}

/** How the stages went, from the one at this index on. */
export const stagesFrom = (mission: Mission, from: number): PatchStage[] => mission.stages.slice(from).map(({ name, status, reason, evidence }) =>
  ({ name, status, reason, log: evidence.find((item) => item.kind === 'log')?.sha256 ?? null }));
