import { expect, test } from 'vitest';
import { severities } from '../../src/domain/mission.ts';
import { blocks, ruleOnApproval, scanLevels, type ApprovalFacts, type Policy } from '../../src/domain/policy.ts';
import { policySchema } from '../../src/domain/schema/policy.ts';
import { projectRoot } from '../../src/project.ts';
import { readPolicy } from '../../src/store/policy.ts';

const policy: Policy = {
  approvals: { required: 2, severities: ['critical', 'high'], on_protected_paths: true, on_vanished_tests: true, deadline_minutes: 60 },
  protected_paths: [], scan: { block_at: 'error' }, landing: { carry_approval: true }, observation: { allow_unobserved: true }, egress: { allow: [] },
  healing: { medium: 'approval' },
  sandbox: { minimum: 'plain', strongest: 'bwrap', maximum: {}, readable: [], writable: [] },
};
const harmless: ApprovalFacts = { severity: 'low', requested: false, touched_protected_paths: [], vanished_tests: [], flaky_tests: [] };

test('what no rule asks about needs nobody, and says so', () => {
  expect(ruleOnApproval(policy, harmless)).toEqual({ required: 0, rules: ['no approval rule applies'] });
});

test.each([
  [{ requested: true }, 'the mission asks for approval'],
  [{ severity: 'critical' }, 'severity is critical'],
  [{ severity: 'high' }, 'severity is high'],
  [{ touched_protected_paths: ['ci.yml', 'keys'] }, 'protected paths changed: ci.yml, keys'],
  [{ vanished_tests: ['a › adds'] }, 'tests vanished: a › adds'],
  [{ flaky_tests: ['a › slow'] }, 'flaky tests, seen to fail and to pass on the same tree: a › slow'],
] as const)('%j needs as many people as the policy says, and names the rule', (facts, rule) => {
  expect(ruleOnApproval(policy, { ...harmless, ...facts } as ApprovalFacts)).toEqual({ required: 2, rules: [rule] });
});

test('every rule that applies is named', () => {
  const facts: ApprovalFacts = { severity: 'critical', requested: true, touched_protected_paths: ['ci.yml'], vanished_tests: ['adds'], flaky_tests: ['slow'] };
  expect(ruleOnApproval(policy, facts).rules).toHaveLength(5);
});

test('a rule that is off asks for nothing', () => {
  const off: Policy = { ...policy, approvals: { ...policy.approvals, severities: [], on_protected_paths: false, on_vanished_tests: false } };
  for (const severity of severities) {
    expect(ruleOnApproval(off, { severity, requested: false, touched_protected_paths: ['ci.yml'], vanished_tests: ['adds'], flaky_tests: [] }).required).toBe(0);
  }
});

test("the mission's own wish for approval cannot be switched off by a policy of nobody", () => {
  const nobody: Policy = { ...policy, approvals: { ...policy.approvals, required: 0 } };
  expect(ruleOnApproval(nobody, { ...harmless, requested: true }).required).toBe(1);
});

test.each([
  ['error', ['error']], ['warning', ['error', 'warning']], ['info', ['error', 'warning', 'info']],
] as const)('a threshold of %s blocks %j', (threshold, blocked) => {
  expect(scanLevels.filter((level) => blocks(level, threshold))).toEqual(blocked);
});

test('the policy that ships asks for a person for critical missions, protected paths and vanished tests', async () => {
  const shipped = await readPolicy(`${projectRoot}/config`);
  expect(ruleOnApproval(shipped, { ...harmless, severity: 'critical' }).required).toBeGreaterThan(0);
  expect(ruleOnApproval(shipped, { ...harmless, touched_protected_paths: ['.github/workflows/ci.yml'] }).required).toBeGreaterThan(0);
  expect(ruleOnApproval(shipped, { ...harmless, vanished_tests: ['adds'] }).required).toBeGreaterThan(0);
});

test.each([
  ['a misspelt rule', { approvals: { ...policy.approvals, on_protected_path: true } }],
  ['approvals by nobody', { approvals: { ...policy.approvals, required: 0 } }],
  ['an unknown severity', { approvals: { ...policy.approvals, severities: ['urgent'] } }],
  ['a deadline in the past', { approvals: { ...policy.approvals, deadline_minutes: 0 } }],
  ['an unknown section', { exceptions: [] }],
  ['a missing section', { scan: undefined }],
])('a policy with %s is refused', (_, change) => {
  expect(policySchema.safeParse(policy).success).toBe(true);
  expect(policySchema.safeParse({ ...policy, ...change }).success).toBe(false);
});
