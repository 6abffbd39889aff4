import { expect, test } from 'vitest';
import fc from 'fast-check';
import { ruleOnRun, runOutcomes, type HealingLimits, type PastRun, type RunHistory } from '../../src/domain/healing.ts';
import { ruleOnHealing, type Policy } from '../../src/domain/policy.ts';

const now = Date.parse('2026-03-01T12:00:00Z');
const minute = 60_000;
const limits: HealingLimits = {
  cooldown_success_seconds: 300, cooldown_failure_seconds: 900, max_runs: 3, max_runs_per_seconds: 3_600, run_timeout_seconds: 60,
  recurrence_window_seconds: 86_400, quiet_hours: [], max_targets: 1,
};
const run = (outcome: PastRun['outcome'], minutesAgo: number): PastRun =>
  ({ mission_id: 'mission_20260301_001', outcome, started_at: now - (minutesAgo + 1) * minute, ended_at: outcome === 'running' ? null : now - minutesAgo * minute });
const history = (...runs: PastRun[]): RunHistory => ({ runs, busy_targets: 0, quarantined: null });

test.each<[string, RunHistory | null, Partial<HealingLimits>, string | null, string]>([
  ['nothing happened before', history(), {}, null, 'allowed'],
  ['a success is left alone for a while', history(run('effective', 4)), {}, null, 'COOLDOWN'],
  ['a success long enough ago', history(run('effective', 6)), {}, null, 'allowed'],
  ['a failure is left alone for longer', history(run('failed', 14)), {}, null, 'COOLDOWN'],
  ['a failure long enough ago', history(run('failed', 16)), {}, null, 'allowed'],
  ['the last run counts, not an earlier one', history(run('effective', 6), run('failed', 20)), {}, null, 'allowed'],
  ['three runs within the hour', history(run('effective', 10), run('effective', 20), run('effective', 30)), {}, null, 'MAX_RUNS'],
  ['three runs, one of them longer ago', history(run('effective', 10), run('effective', 20), run('effective', 70)), {}, null, 'allowed'],
  ['a dry run and a refusal are no runs', history(run('dry_run', 1), run('refused', 1), run('healthy', 1), run('aborted', 1)), {}, null, 'allowed'],
  ['twice without effect, and another rung is there', history(run('ineffective', 60), run('ineffective', 120)), {}, 'restart', 'INEFFECTIVE'],
  ['twice without effect, and there is no other', history(run('ineffective', 61), run('ineffective', 120)), {}, null, 'allowed'],
  ['twice without effect, one of them yesterday', history(run('ineffective', 61), run('ineffective', 25 * 60)), {}, 'restart', 'allowed'],
  ['in quarantine', { ...history(), quarantined: 'did not help' }, {}, null, 'QUARANTINED'],
  ['busy with another target', { ...history(), busy_targets: 1 }, {}, null, 'MAX_TARGETS'],
  ['busy, and may be', { ...history(), busy_targets: 1 }, { max_targets: 2 }, null, 'allowed'],
  ['quiet hours', history(), { quiet_hours: ['11:00-13:00'] }, null, 'a person: quiet hours 11:00-13:00 UTC'],
  ['quiet hours over midnight', history(), { quiet_hours: ['22:00-12:01'] }, null, 'a person: quiet hours 22:00-12:01 UTC'],
  ['quiet hours are over', history(), { quiet_hours: ['22:00-12:00'] }, null, 'allowed'],
  ['no history at all', null, {}, null, 'a person: the history of this playbook is not available'],
])('%s', (_name, past, more, next, expected) => {
  const ruling = ruleOnRun({ ...limits, ...more }, past, now, next);
  const said = ruling.kind === 'refused' ? ruling.code : ruling.needs_person.length > 0 ? `a person: ${ruling.needs_person.join()}` : 'allowed';
  expect(said).toBe(expected);
});

test('more runs in the past never allow what fewer refused', () => {
  const runArb = fc.tuple(fc.constantFrom(...runOutcomes.filter((one) => one !== 'running')), fc.integer({ min: 0, max: 2_000 })).map(([outcome, ago]) => run(outcome, ago));
  fc.assert(fc.property(fc.array(runArb, { maxLength: 8 }), fc.nat({ max: 7 }), (runs, ago) => {
    const before = ruleOnRun(limits, history(...runs), now, 'restart');
    // One more, with the longer cooldown.
    const after = ruleOnRun(limits, history(run('failed', ago), ...runs), now, 'restart');
    if (before.kind === 'refused' && before.code !== 'COOLDOWN') expect(after.kind).toBe('refused');
    // A success since then would have cooled down sooner: the last run counts, not an earlier one.
    if (ago < 15 && runs.every(({ ended_at }) => ended_at! <= now - ago * minute)) expect(after.kind).toBe('refused');
  }));
});

const policy = (medium: 'automatic' | 'approval', required = 1): Policy => ({
  approvals: { required, severities: [], on_protected_paths: true, on_vanished_tests: true, deadline_minutes: 60 },
  protected_paths: [], scan: { block_at: 'error' }, landing: { carry_approval: true }, observation: { allow_unobserved: true },
  egress: { allow: [] }, healing: { medium },
  sandbox: { minimum: 'plain', strongest: 'bwrap', maximum: {}, readable: [], writable: [] },
});

test.each([
  ['low', 0, [], 'approval', 0], ['medium', 0, [], 'automatic', 0], ['medium', 0, [], 'approval', 1], ['high', 0, [], 'automatic', 1],
  ['destructive', 0, [], 'automatic', 2], ['low', 1, [], 'automatic', 1], ['low', Number.NaN, [], 'automatic', 1], ['low', 0, ['quiet hours'], 'automatic', 1],
] as const)('risk %s, loss %d, asks %j, policy %s: %d people', (risk, data_loss, asks, medium, people) => {
  expect(ruleOnHealing(policy(medium), { risk, data_loss }, asks).required).toBe(people);
});

test('the policy may ask for more people than the risk does', () => {
  expect(ruleOnHealing(policy('automatic', 3), { risk: 'destructive', data_loss: 0 }, []).required).toBe(3);
});
