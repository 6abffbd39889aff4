import fc from 'fast-check';
import { expect, test } from 'vitest';
import { addUsage, budgetLimits, budgetText, isNear, isReached, spentText, usageText, type Spent } from '../../src/domain/budget.ts';
import type { CommandAgent } from '../../src/domain/agent.ts';

const agent = (more: Partial<CommandAgent> = {}): CommandAgent =>
  ({ id: 'a', argv: ['a'], timeout_seconds: 1, network: false, pass_env: [], max_attempts: 3, budget_seconds: null, ...more });
const spent = (tokens: number, cost = 0): Spent => ({ tokens, cost_micro_usd: cost, usage_unreported: 0 });
const figure = fc.option(fc.integer({ min: 0, max: 1e12 }), { nil: null });

test('what is not reported is counted as that, and adds nothing', () => {
  expect(addUsage(spent(5, 7), { tokens: null, cost_micro_usd: null })).toEqual({ tokens: 5, cost_micro_usd: 7, usage_unreported: 1 });
  expect(addUsage(spent(5, 7), { tokens: 2, cost_micro_usd: null })).toEqual({ tokens: 7, cost_micro_usd: 7, usage_unreported: 1 });
  expect(addUsage(spent(5, 7), { tokens: 0, cost_micro_usd: 1 })).toEqual({ tokens: 5, cost_micro_usd: 8, usage_unreported: 0 });
});

test('a claim only adds, whatever it says, and the sum stays a whole number', () => {
  const wild = fc.oneof(figure, fc.constantFrom(-1, -1e12, Number.MAX_SAFE_INTEGER));
  fc.assert(fc.property(fc.array(fc.record({ tokens: wild, cost_micro_usd: wild })), (claims) => {
    let sum = spent(0);
    for (const claim of claims) {
      const next = addUsage(sum, claim);
      for (const unit of ['tokens', 'cost_micro_usd', 'usage_unreported'] as const) {
        expect(next[unit]).toBeGreaterThanOrEqual(sum[unit]);
        expect(Number.isSafeInteger(next[unit])).toBe(true);
      }
      sum = next;
    }
  }));
});

test("the mission's limits and the agent's both hold; none given is no limit, 0 is one", () => {
  expect(budgetLimits(null, agent())).toEqual([]);
  expect(budgetLimits({}, agent({ budget_tokens: null, budget_cost_micro_usd: null }))).toEqual([]);
  expect(budgetLimits({ tokens: 0 }, agent({ budget_tokens: 5, budget_cost_micro_usd: 6 }))).toEqual([
    { of: 'mission', unit: 'tokens', limit: 0 }, { of: 'agent', unit: 'tokens', limit: 5 }, { of: 'agent', unit: 'cost_micro_usd', limit: 6 },
  ]);
});

test.each([[79, false, false], [80, true, false], [99, true, false], [100, true, true], [500, true, true]])(
  '%d of 100: near %s, reached %s', (used, near, reached) => {
    for (const limit of [{ of: 'mission', unit: 'tokens', limit: 100 }, { of: 'agent', unit: 'cost_micro_usd', limit: 100 }] as const) {
      expect([isNear(limit, spent(used, used)), isReached(limit, spent(used, used))]).toEqual([near, reached]);
    }
  });

test('in words: unreported is never 0', () => {
  expect(usageText({ tokens: null, cost_micro_usd: null })).toBe('tokens unreported, cost unreported');
  expect(usageText({ tokens: 0, cost_micro_usd: 3_400 })).toBe('0 tokens, 0.0034 USD');
  expect(spentText({ tokens: 0, cost_micro_usd: 0, usage_unreported: 0 })).toBeNull();
  expect(spentText({ tokens: 0, cost_micro_usd: 0, usage_unreported: 2 })).toBe('0 tokens, 0.00 USD reported; 2 attempts did not report all they used');
  expect(spentText({ tokens: 5, cost_micro_usd: 1, usage_unreported: 0 })).toBe('5 tokens, 0.000001 USD reported');
  expect(budgetText({ of: 'mission', unit: 'cost_micro_usd', limit: 2_000_000 }, spent(0, 2_500_000))).toBe("2.50 USD of 2.00 USD of the mission's budget");
  expect(budgetText({ of: 'agent', unit: 'tokens', limit: 10 }, spent(12))).toBe("12 of 10 tokens of the agent's budget");
});
