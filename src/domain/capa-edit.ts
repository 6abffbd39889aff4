/** Edits of a CAPA record: which field is open in which state, and what an edit makes of the record. */
import type { Actor } from './actor.ts';
import { samePrincipal, type Capa, type CapaAction, type CapaState } from './capa.ts';
import type { CapaRefusal } from './capa-transitions.ts';
import type { CapaEdit } from './schema/capa.ts';

const drafting: readonly CapaState[] = ['OPENED', 'TRIAGED', 'CONTAINED', 'INVESTIGATING', 'REOPENED'];
const open: readonly CapaState[] = [...drafting, 'PLAN_PROPOSED', 'PLAN_APPROVED', 'IMPLEMENTING', 'VERIFIED', 'EFFECTIVENESS_DUE'];

/**
 * An approval is for one plan: from its proposal on, the plan and what it rests on stand still. To change them, the record
 * goes back to INVESTIGATING with a reason, and the new plan is approved anew.
 */
export const editableIn: Readonly<Record<keyof CapaEdit, readonly CapaState[]>> = {
  problem_statement: drafting, type: drafting, risk: drafting, containment: drafting, investigation: drafting,
  actions: drafting, criterion: drafting,
  done: ['IMPLEMENTING'], verification: ['IMPLEMENTING'],
  evidence: open, due_at: open, effectiveness_due_at: open,
};

const planFields: readonly (keyof CapaEdit)[] = ['problem_statement', 'investigation', 'actions', 'criterion'];

export interface EditRequest { edit: CapaEdit; reason: string | null; actor: Actor; now: number }

/** Why this edit cannot be made, or null. */
export function refuseEdit(capa: Capa, { edit, reason, actor, now }: EditRequest): CapaRefusal | null {
  const fields = Object.keys(edit) as (keyof CapaEdit)[];
  const frozen = fields.filter((field) => !editableIn[field].includes(capa.state));
  if (frozen.length > 0) {
    return {
      code: 'CAPA_FROZEN', detail: `${capa.capa_id} is ${capa.state}, where ${frozen.join(', ')} cannot be changed`,
      errors: frozen.map((path) => ({ path, message: `can be changed in ${editableIn[path].join(', ')}` })),
    };
  }
  const errors: CapaRefusal['errors'] = [];
  const put = (path: string, message: string): void => { errors.push({ path, message }); };
  for (const field of ['due_at', 'effectiveness_due_at'] as const) {
    const to = edit[field];
    if (to === undefined || to === capa[field]) continue;
    if (capa[field] !== null && reason === null) put('reason', `say why ${field} moves`);
    if (field === 'effectiveness_due_at') refuseWindow(capa, to, now, put);
  }
  edit.actions?.forEach(({ action_id }, i) => {
    if (edit.actions!.findIndex((other) => other.action_id === action_id) < i) put(`actions.${i}.action_id`, `${action_id} is named twice`);
  });
  edit.done?.forEach((id, i) => {
    const action = capa.actions.find(({ action_id }) => action_id === id);
    if (action === undefined) put(`done.${i}`, `there is no action ${id}`);
    else if (actor.role === 'agent' && !samePrincipal(action.owner, actor.id)) put(`done.${i}`, `${id} belongs to ${action.owner}`);
  });
  return errors.length === 0 ? null : { code: 'CAPA_INCOMPLETE', detail: errors.map(({ path, message }) => `${path}: ${message}`).join('; '), errors };
}

/** Once the measuring has begun, its window may move on, never back over what was there before. */
function refuseWindow(capa: Capa, to: string | null, now: number, put: (path: string, message: string) => void): void {
  if (capa.state !== 'EFFECTIVENESS_DUE') return;
  if (capa.result !== null) put('effectiveness_due_at', 'was measured already');
  else if (to === null || Date.parse(to) < Math.max(now, Date.parse(capa.effectiveness_due_at!))) put('effectiveness_due_at', 'may only move to later');
}

/** The record after an edit that was not refused. */
export function edited(capa: Capa, { edit, actor, now }: EditRequest): Capa {
  const { done, actions, evidence, ...fields } = edit;
  const given = Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as Partial<Capa>;
  const at = new Date(now).toISOString();
  const kept = actions?.map((action) => withProgress(action, capa.actions)) ?? capa.actions;
  const wrote = planFields.some((field) => edit[field] !== undefined) && !capa.plan_authors.some((author) => samePrincipal(author, actor.id));
  return {
    ...capa, ...given, version: capa.version + 1,
    actions: kept.map((action) => (done?.includes(action.action_id) && action.done === null ? { ...action, done: { by: actor.id, at } } : action)),
    evidence: [...capa.evidence, ...(evidence ?? []).filter((sha256) => !capa.evidence.includes(sha256))],
    plan_authors: wrote ? [...capa.plan_authors, actor.id] : capa.plan_authors,
  };
}

/** An action that is sent again unchanged keeps what was done for it; another text or owner is another action. */
function withProgress(action: Omit<CapaAction, 'missions' | 'done'>, before: readonly CapaAction[]): CapaAction {
  const same = before.find((other) => other.action_id === action.action_id);
  const unchanged = same !== undefined && same.description === action.description && samePrincipal(same.owner, action.owner);
  return { ...action, missions: same?.missions ?? [], done: unchanged ? same.done : null };
}
