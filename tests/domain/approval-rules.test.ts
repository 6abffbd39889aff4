import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Principal } from '../../src/domain/actor.ts';
import { refuseDecision, sameDigests, statusAfter, type Approval, type ApprovalDecision, type DecideInput } from '../../src/domain/approval.ts';

const digests = { git_tree: 'tree', patch_id: 'patch', evidence_digest: 'evidence', policy_digest: 'policy' };
const person = (id: string): Principal => ({ id, kind: 'person', role: 'approver', key_id: `key-of-${id}` });
const said = (id: string, decision: 'approve' | 'reject' = 'approve'): ApprovalDecision =>
  ({ decision, by: person(id), at: '2025-01-10T12:00:00.000Z', reason: 'seen' });
const waiting = (more: Partial<Approval> = {}): Approval => ({
  approval_id: 'approval_1', mission_id: 'mission_20250110_001', status: 'waiting', digests, required: 2, rules: [], decisions: [],
  requested_at: '2025-01-10T11:00:00.000Z', deadline: '2025-01-11T11:00:00.000Z', ...more,
});
const input = (id: string, more: Partial<DecideInput> = {}): DecideInput => ({
  approval_id: 'approval_1', digests, decision: 'approve', reason: 'seen', principal: person(id), valid_until: '2025-01-10T12:00:05.000Z', ...more,
});
const authors = ['author', 'assignee'];

test('somebody else may decide about what they were shown', () => {
  expect(refuseDecision(waiting(), input('anna'), authors)).toBeNull();
  expect(refuseDecision(waiting({ decisions: [said('anna')] }), input('ben'), authors)).toBeNull();
});

test.each(['author', 'assignee'])('the %s approves or rejects nothing of their own, with any key and any role', (id) => {
  for (const decision of ['approve', 'reject'] as const) {
    const own = input(id, { decision, principal: { ...person(id), role: 'admin', key_id: 'a fresh key' } });
    expect(refuseDecision(waiting(), own, authors)).toMatchObject({ code: 'SELF_APPROVAL', detail: expect.stringContaining(id) });
  }
});

test.each(Object.keys(digests) as (keyof typeof digests)[])('a decision for another %s is stale', (field) => {
  const other = { ...digests, [field]: 'other' };
  expect(sameDigests(digests, other)).toBe(false);
  expect(refuseDecision(waiting(), input('anna', { digests: other }), authors)).toMatchObject({ code: 'APPROVAL_STALE' });
});

test('a decision on an earlier approval is stale, with the same digests too', () => {
  expect(refuseDecision(waiting(), input('anna', { approval_id: 'approval_0' }), authors))
    .toMatchObject({ code: 'APPROVAL_STALE', detail: expect.stringContaining('approval_1') });
});

test('nobody counts twice: the second decision of a person is refused and told of the first', () => {
  const refusal = refuseDecision(waiting({ decisions: [said('anna')] }), input('anna', { decision: 'reject' }), authors);
  expect(refusal).toEqual({ code: 'APPROVAL_DECIDED', detail: 'anna decided already: approve at 2025-01-10T12:00:00.000Z' });
});

test.each(['approved', 'rejected', 'expired', 'superseded'] as const)('an approval that is %s takes no decision', (status) => {
  const refusal = refuseDecision(waiting({ status, decisions: [said('ben')] }), input('anna'), authors);
  expect(refusal).toMatchObject({ code: 'APPROVAL_DECIDED', detail: expect.stringMatching(new RegExp(`${status}, decided by ben`)) });
  expect(refuseDecision(waiting({ status }), input('anna'), authors)).toMatchObject({ code: 'APPROVAL_DECIDED' });
});

test('being an author weighs more than anything else that is wrong', () => {
  const refusal = refuseDecision(waiting({ status: 'approved', decisions: [said('author')] }), input('author', { approval_id: 'other' }), authors);
  expect(refusal).toMatchObject({ code: 'SELF_APPROVAL' });
});

test.each([
  [1, [], 'waiting'], [1, ['approve'], 'approved'], [2, ['approve'], 'waiting'], [2, ['approve', 'approve'], 'approved'],
  [3, ['approve', 'approve'], 'waiting'], [1, ['reject'], 'rejected'], [3, ['approve', 'reject'], 'rejected'], [2, ['approve', 'approve', 'reject'], 'rejected'],
] as const)('%i needed, decided %j: %s', (required, decisions, status) => {
  expect(statusAfter(waiting({ required, decisions: decisions.map((decision, i) => said(`person-${i}`, decision)) }))).toBe(status);
});

test('it takes that many different people: no order of messages grants an approval with fewer', () => {
  const message = fc.record({ id: fc.constantFrom('author', 'anna', 'ben', 'cleo', 'dora'), decision: fc.constantFrom('approve', 'approve', 'approve', 'reject') });
  fc.assert(fc.property(fc.integer({ min: 1, max: 4 }), fc.array(message, { maxLength: 12 }), (required, messages) => {
    const approval = waiting({ required });
    for (const { id, decision } of messages) {
      if (refuseDecision(approval, input(id, { decision }), authors) !== null) continue;
      approval.decisions.push(said(id, decision));
      approval.status = statusAfter(approval);
    }
    const people = new Set(approval.decisions.filter(({ decision }) => decision === 'approve').map(({ by }) => by.id));
    expect(people.has('author')).toBe(false);
    expect(approval.status === 'approved').toBe(people.size === required && approval.decisions.every(({ decision }) => decision === 'approve'));
  }));
});
