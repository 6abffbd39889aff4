import { expect, test } from 'vitest';
import { principalKinds, roles, type PrincipalKind, type Role } from '../../src/domain/actor.ts';
import { capaStates, isClosed, type Capa, type CapaState } from '../../src/domain/capa.ts';
import { capaMoves, capaNeeds, moved, needsReason, nextStates, refuseMove, type CapaNeed } from '../../src/domain/capa-transitions.ts';
import { as, bare, later, now, request, whole } from './capas.ts';

/** `>` forward, `<` back, `x` an end, `.` never. Rows are from, columns to, in the order of the states. */
const table = `
                     OP TR RJ CT IN PP PA IM VE ED CE RO VO
  OPENED             .  >  .  .  .  .  .  .  .  .  .  .  x
  TRIAGED            <  .  x  >  .  .  .  .  .  .  .  .  x
  REJECTED           .  .  .  .  .  .  .  .  .  .  .  .  .
  CONTAINED          .  <  .  .  >  .  .  .  .  .  .  .  x
  INVESTIGATING      .  .  .  <  .  >  .  .  .  .  .  .  x
  PLAN_PROPOSED      .  .  .  .  <  .  >  .  .  .  .  .  x
  PLAN_APPROVED      .  .  .  .  <  .  .  >  .  .  .  .  x
  IMPLEMENTING       .  .  .  .  <  .  .  .  >  .  .  .  x
  VERIFIED           .  .  .  .  .  .  .  <  .  >  .  .  x
  EFFECTIVENESS_DUE  .  .  .  .  .  .  .  .  .  .  x  <  x
  CLOSED_EFFECTIVE   .  .  .  .  .  .  .  .  .  .  .  .  .
  REOPENED           .  .  .  .  >  .  .  .  .  .  .  .  x
  VOIDED             .  .  .  .  .  .  .  .  .  .  .  .  .`;
const [, ...rows] = table.trim().split('\n').map((line) => line.trim().split(/\s+/));
const signs = { forward: '>', back: '<', end: 'x' } as const;
const pairs = capaStates.flatMap((from) => capaStates.map((to) => [from, to] as const));
const allMoves = pairs.flatMap(([from, to]) => { const move = capaMoves[from][to]; return move === undefined ? [] : [{ from, to, move }]; });

test('the table below is the table, for every pair of states', () => {
  expect(rows.map(([state]) => state)).toEqual([...capaStates]);
  for (const [i, [from = '', ...marks]] of rows.entries()) {
    expect(marks, from).toHaveLength(capaStates.length);
    expect(capaStates.map((to) => { const move = capaMoves[capaStates[i]!][to]; return move === undefined ? '.' : signs[move.direction]; }), from).toEqual(marks);
  }
});

test('closed records move nowhere, open ones always can', () => {
  for (const state of capaStates) expect(nextStates(state).length === 0, state).toBe(isClosed(state));
});

test.each(pairs)('%s to %s is made when all is there and right, and refused when the table has it not', (from, to) => {
  const refusal = refuseMove(whole(from), request(to));
  if (capaMoves[from][to] === undefined) expect(refusal).toMatchObject({ code: 'CAPA_STATE', errors: [{ path: 'to' }] });
  else expect(refusal).toBeNull();
});

// operator approver admin agent viewer, each as a person, and an approver that is a service or an agent, and our own workflow.
const powers: Record<string, string> = {
  draft: 'operator approver admin agent service-approver agent-approver', people: 'operator approver admin service-approver',
  decide: 'approver admin', system: 'approver admin system',
};
const expectedPower: Partial<Record<`${CapaState}>${CapaState}`, string>> = {
  'CONTAINED>INVESTIGATING': 'draft', 'INVESTIGATING>PLAN_PROPOSED': 'draft', 'REOPENED>INVESTIGATING': 'draft',
  'TRIAGED>REJECTED': 'decide', 'PLAN_PROPOSED>PLAN_APPROVED': 'decide', 'EFFECTIVENESS_DUE>CLOSED_EFFECTIVE': 'decide',
  'EFFECTIVENESS_DUE>REOPENED': 'system',
};
const actors = [
  ...roles.map((role) => [role, as('zoe', role)] as const),
  ['service-approver', as('zoe', 'approver', 'service')] as const, ['agent-approver', as('zoe', 'approver', 'agent')] as const,
  ['system', as('capa', 'system')] as const,
];
test.each(allMoves)('who may move $from to $to', ({ from, to }) => {
  const power = expectedPower[`${from}>${to}`] ?? (to === 'VOIDED' ? 'decide' : 'people');
  const may = actors.filter(([, actor]) => refuseMove(whole(from), request(to, { actor })) === null).map(([name]) => name);
  expect(may.sort()).toEqual(powers[power]!.split(' ').sort());
});

test('no agent approves, rejects, voids or closes, whatever role it was given', () => {
  for (const role of roles as readonly Role[]) {
    for (const kind of principalKinds as readonly PrincipalKind[]) {
      if (kind !== 'agent' && role !== 'agent') continue;
      for (const { from, to } of allMoves.filter(({ to }) => ['PLAN_APPROVED', 'REJECTED', 'VOIDED', 'CLOSED_EFFECTIVE'].includes(to))) {
        expect(refuseMove(whole(from), request(to, { actor: as('bot', role, kind) })), `${kind} ${role} ${from} ${to}`).toMatchObject({ code: 'FORBIDDEN' });
      }
    }
  }
});

/** For each need: a record that lacks it, and the field that the refusal names. */
const lacking: Record<Exclude<CapaNeed, `other_than_${string}`>, [Partial<Capa>, string]> = {
  type: [{ type: null }, 'type'], risk: [{ risk: null }, 'risk'], containment: [{ containment: null }, 'containment'],
  problem_statement: [{ problem_statement: '  ' }, 'problem_statement'],
  investigation: [{ investigation: { method: 'other', hypotheses: [], root_cause: null, similar_records: [] } }, 'investigation.root_cause'],
  actions: [{ actions: [] }, 'actions'], criterion: [{ criterion: null }, 'criterion'],
  actions_done: [{ actions: [{ ...whole('OPENED').actions[0]!, done: null }] }, 'actions.a1'],
  verification: [{ verification: null }, 'verification'],
  effectiveness_due_at: [{ effectiveness_due_at: later(9.9) }, 'effectiveness_due_at'],
  passed_result: [{ result: null }, 'result'], duplicate_of: [{}, 'duplicate_of'],
};
test.each(allMoves.flatMap(({ from, to, move }) => move.needs.filter((need) => need in lacking).map((need) => ({ from, to, need }))))(
  '$from to $to is refused without $need, and made with it', ({ from, to, need }) => {
    const [without, path] = lacking[need as keyof typeof lacking];
    const asked = request(to, need === 'duplicate_of' ? { duplicate_of: null } : {});
    expect(refuseMove(whole(from, without), asked)).toMatchObject({ code: 'CAPA_INCOMPLETE', errors: [{ path }] });
    expect(refuseMove(whole(from), request(to))).toBeNull();
  });

test('every need is asked for somewhere', () => {
  expect(new Set(allMoves.flatMap(({ move }) => move.needs))).toEqual(new Set(capaNeeds));
});

test('what a plan needs is named all at once', () => {
  const refusal = refuseMove(bare({ state: 'INVESTIGATING' }), request('PLAN_PROPOSED'));
  expect(refusal?.errors.map(({ path }) => path)).toEqual(['investigation.root_cause', 'actions', 'criterion']);
});

test('an undetermined cause with its rationale is an answer', () => {
  const investigation = { ...whole('OPENED').investigation!, root_cause: { kind: 'undetermined' as const, description: 'not seen again in 30 days' } };
  expect(refuseMove(whole('INVESTIGATING', { investigation }), request('PLAN_PROPOSED'))).toBeNull();
});

test('a failed measurement closes nothing', () => {
  const result = { ...whole('OPENED').result!, passed: false };
  expect(refuseMove(whole('EFFECTIVENESS_DUE', { result }), request('CLOSED_EFFECTIVE'))).toMatchObject({ code: 'CAPA_INCOMPLETE', errors: [{ path: 'result', message: 'did not pass' }] });
});

test.each(allMoves)('$from to $to needs a reason only where somebody decides or goes back', ({ from, to, move }) => {
  for (const reason of [null, '', ' ']) {
    const refusal = refuseMove(whole(from), request(to, { reason }));
    if (move.direction === 'forward' && move.by !== 'decide') expect(refusal).toBeNull();
    else expect(refusal).toMatchObject({ code: 'CAPA_INCOMPLETE', errors: [{ path: 'reason' }] });
  }
  expect(needsReason(move)).toBe(move.direction !== 'forward' || to === 'PLAN_APPROVED');
});

test.each<[CapaState, CapaState, string, boolean]>([
  // pat proposed, the agent wrote the plan, abe approved it, olga owns the action.
  ['PLAN_PROPOSED', 'PLAN_APPROVED', 'pat', false], ['PLAN_PROPOSED', 'PLAN_APPROVED', 'PAT', false],
  ['PLAN_PROPOSED', 'PLAN_APPROVED', 'agent', false], ['PLAN_PROPOSED', 'PLAN_APPROVED', 'olga', true], ['PLAN_PROPOSED', 'PLAN_APPROVED', 'abe', true],
  ['EFFECTIVENESS_DUE', 'CLOSED_EFFECTIVE', 'olga', false], ['EFFECTIVENESS_DUE', 'CLOSED_EFFECTIVE', 'Olga', false],
  ['EFFECTIVENESS_DUE', 'CLOSED_EFFECTIVE', 'abe', false], ['EFFECTIVENESS_DUE', 'CLOSED_EFFECTIVE', 'pat', true],
])('%s to %s by %s: %s', (from, to, id, allowed) => {
  const refusal = refuseMove(whole(from), request(to, { actor: as(id, 'admin') }));
  if (allowed) expect(refusal).toBeNull();
  else expect(refusal).toMatchObject({ code: 'SELF_APPROVAL' });
});

test('a second round counts its own proposal and approval, the first round none', () => {
  const again = whole('PLAN_PROPOSED', { plan_authors: [] });
  const capa = { ...again, decisions: [...again.decisions, { ...again.decisions[0]!, by: 'quinn' }] };
  expect(refuseMove(capa, request('PLAN_APPROVED', { actor: as('quinn', 'admin') }))).toMatchObject({ code: 'SELF_APPROVAL' });
  expect(refuseMove(capa, request('PLAN_APPROVED', { actor: as('pat', 'admin') }))).toBeNull();
});

test('a move is kept with who, when and why, and makes a new version', () => {
  const after = moved(whole('TRIAGED', { decisions: [] }), request('REJECTED', { reason: 'not a problem' }));
  expect(after).toMatchObject({ state: 'REJECTED', version: 2, duplicate_of: null });
  expect(after.decisions).toEqual([{ from: 'TRIAGED', to: 'REJECTED', by: 'zoe', role: 'admin', at: new Date(now).toISOString(), reason: 'not a problem' }]);
});

test('what is done again is verified and measured again', () => {
  expect(moved(whole('EFFECTIVENESS_DUE'), request('REOPENED')).result).not.toBeNull();
  expect(moved(whole('VERIFIED'), request('EFFECTIVENESS_DUE')).result).toBeNull();
  expect(moved(whole('VERIFIED'), request('IMPLEMENTING')).verification).toBeNull();
  expect(moved(whole('REOPENED'), request('INVESTIGATING')).verification).toBeNull();
  expect(moved(whole('IMPLEMENTING'), request('VERIFIED')).verification).not.toBeNull();
  expect(moved(whole('OPENED'), request('VOIDED')).duplicate_of).toBe('CAPA-2026-0002');
});
