import { expect, test } from 'vitest';
import { capaStates, type CapaState } from '../../src/domain/capa.ts';
import { edited, refuseEdit, type EditRequest } from '../../src/domain/capa-edit.ts';
import { capaEditSchema, type CapaEdit } from '../../src/domain/schema/capa.ts';
import { as, bare, later, now, whole } from './capas.ts';

const edit = (edit: CapaEdit, more: Partial<EditRequest> = {}): EditRequest => ({ edit, reason: null, actor: as('zoe', 'operator'), now, ...more });
const action = { action_id: 'a1', description: 'shorten the lock', owner: 'olga', due_at: later(60) };
const one: { [Field in keyof Required<CapaEdit>]: CapaEdit[Field] } = {
  problem_statement: 'it is slow', type: 'both', risk: { severity: 1, occurrence: 1, detection: 1 }, containment: { kind: 'not_needed', description: 'harmless' },
  investigation: { method: 'fishbone', hypotheses: [], root_cause: null, similar_records: [] }, actions: [action],
  criterion: { metric_id: 'm', aggregation: 'last', comparator: '>', target: 1, window_minutes: 1, min_samples: 1 },
  done: ['a1'], verification: { description: 'x', no_adverse_effect: 'y', evidence: [] }, evidence: ['a'.repeat(64)],
  due_at: later(700), effectiveness_due_at: later(20),
};

/** Which field may be edited where. */
const table = `
                        OP TR RJ CT IN PP PA IM VE ED CE RO VO
  problem_statement     y  y  .  y  y  .  .  .  .  .  .  y  .
  type                  y  y  .  y  y  .  .  .  .  .  .  y  .
  risk                  y  y  .  y  y  .  .  .  .  .  .  y  .
  containment           y  y  .  y  y  .  .  .  .  .  .  y  .
  investigation         y  y  .  y  y  .  .  .  .  .  .  y  .
  actions               y  y  .  y  y  .  .  .  .  .  .  y  .
  criterion             y  y  .  y  y  .  .  .  .  .  .  y  .
  done                  .  .  .  .  .  .  .  y  .  .  .  .  .
  verification          .  .  .  .  .  .  .  y  .  .  .  .  .
  evidence              y  y  .  y  y  y  y  y  y  y  .  y  .
  due_at                y  y  .  y  y  y  y  y  y  y  .  y  .
  effectiveness_due_at  y  y  .  y  y  y  y  y  y  y  .  y  .`;
const [, ...rows] = table.trim().split('\n').map((line) => line.trim().split(/\s+/));

test('the table names every field that an edit can have', () => {
  expect(new Set(rows.map(([field]) => field))).toEqual(new Set(Object.keys(capaEditSchema.shape)));
});

test.each(rows.flatMap(([field, ...marks]) => marks.map((mark, i) => [field as keyof CapaEdit, capaStates[i]!, mark] as const)))(
  '%s in %s: %s', (field, state, mark) => {
    const refusal = refuseEdit(whole(state, { result: null }), edit({ [field]: one[field] }, { reason: 'later' }));
    if (mark === 'y') expect(refusal).toBeNull();
    else expect(refusal).toMatchObject({ code: 'CAPA_FROZEN', errors: [{ path: field }] });
  });

test('the criterion stands still from the proposal on; the way to change it leads back over a new approval', () => {
  for (const state of ['PLAN_PROPOSED', 'PLAN_APPROVED', 'IMPLEMENTING', 'VERIFIED', 'EFFECTIVENESS_DUE'] as CapaState[]) {
    expect(refuseEdit(whole(state), edit({ criterion: { ...one.criterion!, target: 1_000 } }))).toMatchObject({ code: 'CAPA_FROZEN' });
  }
});

test('a date that was set moves only with a reason', () => {
  expect(refuseEdit(whole('OPENED'), edit({ due_at: later(700) }))).toMatchObject({ code: 'CAPA_INCOMPLETE', errors: [{ path: 'reason' }] });
  expect(refuseEdit(whole('OPENED'), edit({ due_at: later(700) }, { reason: 'the vendor is late' }))).toBeNull();
  expect(refuseEdit(whole('OPENED'), edit({ due_at: later(600) }))).toBeNull();
  expect(refuseEdit(bare(), edit({ effectiveness_due_at: later(1) }))).toBeNull();
});

test('once the measuring has begun its window moves on, never back, and not after it was measured', () => {
  const due = (minutes: number) => edit({ effectiveness_due_at: later(minutes) }, { reason: 'more traffic is needed' });
  expect(refuseEdit(whole('EFFECTIVENESS_DUE', { result: null }), due(11))).toBeNull();
  expect(refuseEdit(whole('EFFECTIVENESS_DUE', { result: null }), due(9))).toMatchObject({ errors: [{ path: 'effectiveness_due_at' }] });
  expect(refuseEdit(whole('EFFECTIVENESS_DUE'), due(11))).toMatchObject({ errors: [{ path: 'effectiveness_due_at', message: 'was measured already' }] });
  expect(refuseEdit(whole('VERIFIED'), due(-100))).toBeNull();
});

test('actions are named once, and only those that are there get done', () => {
  expect(refuseEdit(bare(), edit({ actions: [action, { ...action, description: 'again' }] }))).toMatchObject({ errors: [{ path: 'actions.1.action_id' }] });
  expect(refuseEdit(whole('IMPLEMENTING'), edit({ done: ['a1', 'a2'] }))).toMatchObject({ errors: [{ path: 'done.1' }] });
});

test('an agent says of its own actions that they are done, of nobody else\'s', () => {
  const capa = whole('IMPLEMENTING', { actions: [{ ...action, owner: 'bot', missions: [], done: null }] });
  expect(refuseEdit(capa, edit({ done: ['a1'] }, { actor: as('bot', 'agent') }))).toBeNull();
  expect(refuseEdit(capa, edit({ done: ['a1'] }, { actor: as('other', 'agent') }))).toMatchObject({ errors: [{ path: 'done.0' }] });
});

test('an edit changes what it names and nothing else', () => {
  const before = whole('INVESTIGATING');
  expect(edited(before, edit({ type: 'both' }))).toEqual({ ...before, type: 'both', version: 2 });
});

test('an action is done once, by who said so first', () => {
  const open = whole('IMPLEMENTING', { actions: [{ ...action, missions: [], done: null }] });
  const done = edited(open, edit({ done: ['a1'] }));
  expect(done.actions[0]?.done).toEqual({ by: 'zoe', at: later(0) });
  expect(edited(done, edit({ done: ['a1'] }, { now: now + 1, actor: as('yan', 'operator') })).actions[0]?.done).toEqual(done.actions[0]?.done);
});

test('a new plan keeps what was done for an action that is the same, and forgets it for another', () => {
  const before = whole('INVESTIGATING', { actions: [{ ...action, missions: ['mission_1'], done: { by: 'olga', at: later(-1) } }] });
  expect(edited(before, edit({ actions: [{ ...action, due_at: later(90) }] })).actions[0]).toMatchObject({ due_at: later(90), missions: ['mission_1'], done: { by: 'olga' } });
  for (const change of [{ description: 'another' }, { owner: 'paul' }]) {
    expect(edited(before, edit({ actions: [{ ...action, ...change }] })).actions[0]).toMatchObject({ ...change, done: null });
  }
});

test('evidence is added to what is there, once', () => {
  const [a, b] = ['a'.repeat(64), 'b'.repeat(64)];
  expect(edited(bare({ evidence: [a] }), edit({ evidence: [a, b] })).evidence).toEqual([a, b]);
});

test('who writes a part of the plan is its author; rating the risk is not writing it', () => {
  expect(edited(bare(), edit({ risk: one.risk })).plan_authors).toEqual([]);
  const once = edited(bare(), edit({ actions: one.actions }));
  expect(edited(once, edit({ criterion: one.criterion }, { actor: as('ZOE', 'operator') })).plan_authors).toEqual(['zoe']);
  expect(edited(once, edit({ criterion: one.criterion }, { actor: as('abe', 'operator') })).plan_authors).toEqual(['zoe', 'abe']);
});
