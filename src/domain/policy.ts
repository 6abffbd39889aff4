/** When a person must agree. A pure function of the policy and the facts; what it does not know it denies. */
import type { EgressPolicy } from './egress.ts';
import type { HealingPlan } from './healing.ts';
import type { Severity } from './mission.ts';
import type { SandboxPolicy } from './sandbox.ts';

export const scanLevels = ['error', 'warning', 'info'] as const;
export type ScanLevel = (typeof scanLevels)[number];

export interface Policy {
  approvals: {
    /** How many people must agree where one of the rules below, or the mission itself, asks for approval. */
    required: number;
    severities: Severity[];
    on_protected_paths: boolean;
    on_vanished_tests: boolean;
    /** How long an approval may wait before the mission is ended. */
    deadline_minutes: number;
  };
  protected_paths: string[];
  scan: { block_at: ScanLevel };
  /** Absent from what was frozen before there was such a rule. */
  tests?: {
    /** How often a run with failing tests is repeated; what passes then is flaky, and a person must agree. */
    reruns: number;
  };
  landing: {
    carry_approval: boolean;
    /** Whether a merged tree that needs tests is stressed too. */
    stress_merged_tree?: boolean | undefined;
  };
  observation: { allow_unobserved: boolean };
  egress: EgressPolicy;
  sandbox: SandboxPolicy;
  healing: {
    /** Whether a playbook of medium risk may run without a person. */
    medium: 'automatic' | 'approval';
  };
}

export interface ApprovalFacts {
  severity: Severity;
  /** The mission's own `requires_governance_approval`. */
  requested: boolean;
  touched_protected_paths: string[];
  vanished_tests: string[];
  flaky_tests: string[];
}

export interface ApprovalRuling {
  required: number;
  /** The rules that asked for approval, or the one that did not. */
  rules: string[];
}

/** How many approvals this change needs and which rules say so. */
export function ruleOnApproval(policy: Policy, facts: ApprovalFacts): ApprovalRuling {
  const rules: string[] = [];
  if (facts.requested) rules.push('the mission asks for approval');
  if (policy.approvals.severities.includes(facts.severity)) rules.push(`severity is ${facts.severity}`);
  if (policy.approvals.on_protected_paths && facts.touched_protected_paths.length > 0) {
    rules.push(`protected paths changed: ${facts.touched_protected_paths.join(', ')}`);
  }
  if (policy.approvals.on_vanished_tests && facts.vanished_tests.length > 0) {
    rules.push(`tests vanished: ${facts.vanished_tests.join(', ')}`);
  }
  if (facts.flaky_tests.length > 0) rules.push(`flaky tests, seen to fail and to pass on the same tree: ${facts.flaky_tests.join(', ')}`);
  return rules.length === 0
    ? { required: 0, rules: ['no approval rule applies'] }
    : { required: Math.max(1, policy.approvals.required), rules };
}

/**
 * How many people must agree to a healing plan: `low` none, `medium` as the policy says, `high` and any loss of data one,
 * `destructive` two. Whatever else asks for a person (quiet hours, no history, the binding) makes it at least one.
 */
export function ruleOnHealing(policy: Policy, plan: Pick<HealingPlan, 'risk' | 'data_loss'>, asks: readonly string[]): ApprovalRuling {
  const rules = [...asks];
  if (plan.risk === 'destructive' || plan.risk === 'high') rules.push(`risk is ${plan.risk}`);
  if (plan.risk === 'medium' && policy.healing.medium === 'approval') rules.push('risk is medium, and the policy asks for approval of that');
  // NaN must not pass for no loss.
  if (!(plan.data_loss === 0)) rules.push(`data may be lost: ${plan.data_loss}`);
  if (rules.length === 0) return { required: 0, rules: [`risk is ${plan.risk}`] };
  return { required: plan.risk === 'destructive' ? Math.max(2, policy.approvals.required) : Math.max(1, policy.approvals.required), rules };
}

/** Whether a finding of this level blocks the change. */
export const blocks = (level: ScanLevel, threshold: ScanLevel): boolean =>
  scanLevels.indexOf(level) <= scanLevels.indexOf(threshold);
