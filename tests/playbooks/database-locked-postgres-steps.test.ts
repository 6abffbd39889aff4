import { expect, test } from 'vitest';
import { postgresSteps, type PostgresLockedFacts } from '../../src/workflows/playbooks/database-locked/postgres.ts';

const blocker = (pid: number, state: string): PostgresLockedFacts['blockers'][number] => ({
  pid, state, backend_start: '2026-01-01T00:00:00.000001Z', xact_start: null, backend_type: 'client backend', application_name: 'a"b', usename: 'u',
  wait_event: null, xact_age_seconds: 1, statement: { keyword: 'UPDATE', digest: '0' }, blocks: 1, refusal: null,
});

test.each<[string, [number, string][], string[]]>([
  ['idle ones are only ended', [[1, 'idle in transaction']], ['terminate_1']],
  ['running ones are cancelled first', [[1, 'active']], ['cancel_1', 'terminate_1']],
  ['every cancellation comes before any end', [[1, 'active'], [2, 'idle in transaction'], [3, 'active']], ['cancel_1', 'cancel_3', 'terminate_1', 'terminate_2', 'terminate_3']],
])('%s', (_name, blockers, ids) => {
  const steps = postgresSteps({ facts: { kind: 'postgres', waiting: 1, longest_wait_seconds: 1, blockers: blockers.map(([pid, state]) => blocker(pid, state)) } });
  expect(steps.map(({ id }) => id)).toEqual(ids);
  expect(steps.every(({ run }) => run === 'while_symptom')).toBe(true);
});
