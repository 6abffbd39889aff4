/** What agents used of a mission's money and tokens, and how much of it they may. Figures are the agents' own claims. */
import type { AgentLimits } from './agent.ts';
import type { MissionPackage } from './mission-package.ts';

export const usageUnits = ['tokens', 'cost_micro_usd'] as const;
export type UsageUnit = (typeof usageUnits)[number];

/** Of one attempt. Null: not reported, which is not 0. */
export type Usage = Record<UsageUnit, number | null>;

export interface Spent extends Record<UsageUnit, number> {
  /** Attempts that did not report all they used: the sums leave those out. */
  usage_unreported: number;
}

export interface BudgetLimit {
  of: 'mission' | 'agent';
  unit: UsageUnit;
  limit: number;
}

export const unreported: Usage = { tokens: null, cost_micro_usd: null };

/** Sums only grow; beyond what a double counts exactly they stay where they are. */
export function addUsage(spent: Spent, usage: Usage): Spent {
  const sum = (unit: UsageUnit): number => Math.min(Number.MAX_SAFE_INTEGER, spent[unit] + Math.max(0, usage[unit] ?? 0));
  const known = usageUnits.every((unit) => usage[unit] !== null);
  return { tokens: sum('tokens'), cost_micro_usd: sum('cost_micro_usd'), usage_unreported: spent.usage_unreported + (known ? 0 : 1) };
}

/** Every limit that holds for an agent's work at a mission: the mission's own, and the agent's for one mission. */
export function budgetLimits(mission: MissionPackage['budget'], agent: AgentLimits): BudgetLimit[] {
  const limit = (of: BudgetLimit['of'], unit: UsageUnit, value: number | null | undefined): BudgetLimit[] =>
    (value === null || value === undefined ? [] : [{ of, unit, limit: value }]);
  return [
    ...limit('mission', 'tokens', mission?.tokens), ...limit('mission', 'cost_micro_usd', mission?.cost_micro_usd),
    ...limit('agent', 'tokens', agent.budget_tokens), ...limit('agent', 'cost_micro_usd', agent.budget_cost_micro_usd),
  ];
}

const warnAt = 0.8;

export const isReached = ({ unit, limit }: BudgetLimit, spent: Spent): boolean => spent[unit] >= limit;
export const isNear = ({ unit, limit }: BudgetLimit, spent: Spent): boolean => spent[unit] >= limit * warnAt;

/** `1200 of 1000 tokens of the mission's budget`; a cost in dollars. */
export function budgetText({ of, unit, limit }: BudgetLimit, spent: Spent): string {
  const used = unit === 'tokens' ? `${spent.tokens} of ${limit} tokens` : `${dollars(spent.cost_micro_usd)} of ${dollars(limit)}`;
  return `${used} of the ${of}'s budget`;
}

/** `1200 tokens, cost unreported` */
export const usageText = ({ tokens, cost_micro_usd: cost }: Usage): string =>
  [tokens === null ? 'tokens unreported' : `${tokens} tokens`, cost === null ? 'cost unreported' : dollars(cost)].join(', ');

/** What a mission used as far as its agents said; null when none worked at it. */
export function spentText({ tokens, cost_micro_usd: cost, usage_unreported: unsaid }: Spent): string | null {
  if (tokens === 0 && cost === 0 && unsaid === 0) return null;
  return `${tokens} tokens, ${dollars(cost)} reported${unsaid === 0 ? '' : `; ${unsaid} attempts did not report all they used`}`;
}

const dollars = (microUsd: number): string => `${(microUsd / 1e6).toFixed(6).replace(/0{1,4}$/, '')} USD`;
