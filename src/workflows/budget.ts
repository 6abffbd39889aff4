/** The mission's side of its budget: adds up what agents report, warns at 80 %, waits for a person at 100 %. */
import { patched } from '@temporalio/workflow';
import type { AgentLimits } from '../domain/agent.ts';
import {
  addUsage, budgetLimits, budgetText, isNear, isReached, unreported, type BudgetLimit, type Usage,
} from '../domain/budget.ts';
import type { Mission } from './mission.ts';

export interface Budget {
  /** Adds one attempt; undefined when nobody knows what it used. */
  account(agent: AgentLimits, usage: Usage | undefined): void;
  /** Whether a further attempt may run: at once, or after somebody let it go on once more; false when nobody did in time. */
  allows(agent: AgentLimits): Promise<boolean>;
}

const defaultDeadlineMinutes = 24 * 60;

export function openBudget(mission: Mission): Budget {
  const warned = new Set<string>();
  const limitsFor = (agent: AgentLimits): BudgetLimit[] => budgetLimits(mission.package.budget, agent);

  function warnOnce(key: string, payload: Record<string, unknown>): void {
    if (warned.has(key)) return;
    warned.add(key);
    mission.note('budget.warning', payload);
  }

  return {
    account(agent, usage) {
      const { tokens, cost_micro_usd, usage_unreported } = mission.state;
      const spent = addUsage({ tokens, cost_micro_usd, usage_unreported }, usage ?? unreported);
      mission.change(spent);
      const limits = limitsFor(agent);
      for (const limit of limits.filter((one) => isNear(one, spent))) {
        warnOnce(`${limit.of}:${limit.unit}`, { ...limit, spent: spent[limit.unit], agent: agent.id, reason: budgetText(limit, spent) });
      }
      // A budget that nobody reports against holds nothing back; whoever set it must hear of it.
      if (limits.some(({ unit }) => (usage ?? unreported)[unit] === null)) {
        warnOnce('unreported', { agent: agent.id, reason: `${agent.id} does not report its usage: the budget cannot be kept by it` });
      }
    },
    async allows(agent) {
      const reached = limitsFor(agent).filter((limit) => isReached(limit, mission.state));
      if (reached.length === 0 || !patched('agent-budget')) return true;
      return await mission.waitForRetry({
        kind: 'budget', reason: reached.map((limit) => budgetText(limit, mission.state)).join(', '),
        who: 'an operator, by retry (one more attempt) or abort', on_deadline: 'escalate',
      }, (agent.budget_deadline_minutes ?? defaultDeadlineMinutes) * 60_000) === 'ready';
    },
  };
}
