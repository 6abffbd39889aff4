/**
 * Trust: a number between 0 and 1 per agent, from recorded outcomes only. A Beta posterior with exponential decay, and
 * of that a cautious lower bound, so that little history means little trust.
 */

export const trustOutcomes = {
  landed: { good: 1, bad: 0, says: 'landed and observed well' },
  completed: { good: 0.5, bad: 0, says: 'proved a patch that was not to land' },
  rolled_back: { good: 0, bad: 3, says: 'landed and was rolled back' },
  rejected: { good: 0, bad: 1, says: 'was rejected by an approver' },
  failed: { good: 0, bad: 1, says: 'could not be proved or landed' },
} as const;
export type TrustOutcome = keyof typeof trustOutcomes;

export const halfLifeDays = 30;
/** One good and two bad outcomes that nobody had: an unknown agent starts low. */
const prior = { good: 1, bad: 2 };
/** One-sided 90 % of a normal approximation of the posterior. */
const caution = 1.28;

export interface OutcomeEvent { mission_id: string; outcome: TrustOutcome; at: string }

export interface TrustScore {
  agent_id: string;
  score: number;
  mean: number;
  /** Sum of the decayed weights: how much history speaks. */
  evidence: number;
  inputs: (OutcomeEvent & { weight: number; good: number; bad: number; says: string })[];
}

/** @param now milliseconds since the epoch */
export function trustOf(agentId: string, events: readonly OutcomeEvent[], now: number): TrustScore {
  const inputs = events.map((event) => {
    const ageDays = Math.max(0, now - Date.parse(event.at)) / 86_400_000;
    const weight = 0.5 ** (ageDays / halfLifeDays);
    const { good, bad, says } = trustOutcomes[event.outcome];
    return { ...event, weight, good: good * weight, bad: bad * weight, says };
  });
  const sum = (pick: (input: (typeof inputs)[number]) => number): number => inputs.reduce((total, input) => total + pick(input), 0);
  const good = prior.good + sum((input) => input.good);
  const bad = prior.bad + sum((input) => input.bad);
  const mean = good / (good + bad);
  const deviation = Math.sqrt((good * bad) / ((good + bad) ** 2 * (good + bad + 1)));
  const score = Math.min(1, Math.max(0, mean - caution * deviation));
  const rounded = (value: number): number => Math.round(value * 10_000) / 10_000;
  return { agent_id: agentId, score: rounded(score), mean: rounded(mean), evidence: rounded(sum((input) => input.weight)), inputs };
}

/** What a mission asks of an agent that would take it. */
export interface Eligibility {
  required_trust_score: number;
  allowed_roles: string[];
  open_dependencies: string[];
  assigned_to: string | null;
}

/** Why the agent may not take the mission, or null. */
export function refuseAgent(mission: Eligibility, agent: { id: string; role: string | null; score: number }): string | null {
  if (mission.assigned_to !== null && mission.assigned_to !== agent.id) return `it is assigned to ${mission.assigned_to}`;
  if (mission.open_dependencies.length > 0) return `${mission.open_dependencies.join(', ')} must be resolved first`;
  if (mission.allowed_roles.length > 0 && (agent.role === null || !mission.allowed_roles.includes(agent.role))) {
    return `it allows the roles ${mission.allowed_roles.join(', ')}, not ${agent.role ?? 'none'}`;
  }
  if (agent.score < mission.required_trust_score) return `it requires a trust score of ${mission.required_trust_score}, ${agent.id} has ${agent.score}`;
  return null;
}
