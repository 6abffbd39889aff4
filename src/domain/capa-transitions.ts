/** Every move of a CAPA record: from where, to where, by whom, with what filled in. What is not here does not happen. */
import { holds, type Actor } from './actor.ts';
import { samePrincipal, type Capa, type CapaState } from './capa.ts';

/**
 * Who may make a move. `draft`: whoever may edit, agents too. `people`: the same without agents. `decide`: a person who
 * approves. `system`: the record's own workflow, or a person who approves.
 */
export type MovePower = 'draft' | 'people' | 'decide' | 'system';

export interface Move {
  direction: 'forward' | 'back' | 'end';
  by: MovePower;
  needs: readonly CapaNeed[];
}

export const capaNeeds = [
  'type', 'risk', 'containment', 'problem_statement', 'investigation', 'actions', 'criterion', 'actions_done', 'verification',
  'effectiveness_due_at', 'passed_result', 'duplicate_of', 'other_than_proposer', 'other_than_owners', 'other_than_approver',
] as const;
/** What must be there, or whom it must not be, for a move. */
export type CapaNeed = (typeof capaNeeds)[number];

const forward = (by: MovePower, ...needs: CapaNeed[]): Move => ({ direction: 'forward', by, needs });
const back = (by: MovePower = 'people'): Move => ({ direction: 'back', by, needs: [] });
const end = (...needs: CapaNeed[]): Move => ({ direction: 'end', by: 'decide', needs });

/** Any open record may turn out to be another one again. */
const VOIDED = end('duplicate_of');

export const capaMoves: Readonly<Record<CapaState, Readonly<Partial<Record<CapaState, Move>>>>> = {
  OPENED: { TRIAGED: forward('people', 'type', 'risk'), VOIDED },
  TRIAGED: { CONTAINED: forward('people', 'containment'), REJECTED: end(), OPENED: back(), VOIDED },
  CONTAINED: { INVESTIGATING: forward('draft'), TRIAGED: back(), VOIDED },
  INVESTIGATING: {
    PLAN_PROPOSED: forward('draft', 'problem_statement', 'investigation', 'actions', 'criterion'), CONTAINED: back(), VOIDED,
  },
  PLAN_PROPOSED: { PLAN_APPROVED: forward('decide', 'other_than_proposer'), INVESTIGATING: back(), VOIDED },
  PLAN_APPROVED: { IMPLEMENTING: forward('people'), INVESTIGATING: back(), VOIDED },
  IMPLEMENTING: { VERIFIED: forward('people', 'actions_done', 'verification'), INVESTIGATING: back(), VOIDED },
  VERIFIED: { EFFECTIVENESS_DUE: forward('people', 'effectiveness_due_at'), IMPLEMENTING: back(), VOIDED },
  EFFECTIVENESS_DUE: {
    CLOSED_EFFECTIVE: end('passed_result', 'other_than_owners', 'other_than_approver'), REOPENED: back('system'), VOIDED,
  },
  REOPENED: { INVESTIGATING: forward('draft'), VOIDED },
  REJECTED: {},
  CLOSED_EFFECTIVE: {},
  VOIDED: {},
};

export const nextStates = (state: CapaState): CapaState[] => Object.keys(capaMoves[state]) as CapaState[];

/** Moves back and ends say why; so does an approval. */
export const needsReason = ({ direction, by }: Move): boolean => direction !== 'forward' || by === 'decide';

export interface MoveRequest {
  to: CapaState;
  reason: string | null;
  duplicate_of: string | null;
  actor: Actor;
  /** Milliseconds since the epoch. */
  now: number;
}

export interface CapaRefusal {
  code: 'CAPA_STATE' | 'FORBIDDEN' | 'SELF_APPROVAL' | 'CAPA_INCOMPLETE' | 'CAPA_FROZEN';
  detail: string;
  errors: { path: string; message: string }[];
}

/** Why this move cannot be made, or null. */
export function refuseMove(capa: Capa, request: MoveRequest): CapaRefusal | null {
  const { to, actor } = request;
  const move = capaMoves[capa.state][to];
  if (move === undefined) {
    const next = nextStates(capa.state);
    const detail = `${capa.capa_id} is ${capa.state}, and ${next.length === 0 ? 'that is its end' : `moves to ${next.join(', ')}`}`;
    return { code: 'CAPA_STATE', detail, errors: [{ path: 'to', message: `${to} does not follow ${capa.state}` }] };
  }
  if (!mayMove(move.by, actor)) {
    return { code: 'FORBIDDEN', detail: `${capa.state} to ${to} is for ${whoMoves[move.by]}, and ${actor.id} is ${actor.kind} ${actor.role}`, errors: [] };
  }
  const conflict = move.needs.map((need) => conflictOf(need, capa, actor)).find((found) => found !== null);
  if (conflict !== undefined) return { code: 'SELF_APPROVAL', detail: conflict, errors: [] };
  const errors = move.needs.flatMap((need) => missing(need, capa, request));
  if (needsReason(move) && (request.reason ?? '').trim() === '') errors.push({ path: 'reason', message: 'say why' });
  if (errors.length === 0) return null;
  return { code: 'CAPA_INCOMPLETE', detail: `${to} needs ${errors.map(({ path, message }) => `${path}: ${message}`).join('; ')}`, errors };
}

const whoMoves: Record<MovePower, string> = {
  draft: 'an operator, approver, admin or agent', people: 'an operator, approver or admin',
  decide: 'a person who is an approver or admin', system: 'its workflow, or a person who is an approver or admin',
};

export function mayMove(by: MovePower, { kind, role }: Pick<Actor, 'kind' | 'role'>): boolean {
  if (role === 'system') return by === 'system';
  // An agent that was given a person's role is an agent still.
  const agent = kind === 'agent' || role === 'agent';
  switch (by) {
    case 'draft': return holds(role, 'capa:edit');
    case 'people': return holds(role, 'capa:edit') && !agent;
    case 'decide': case 'system': return holds(role, 'capa:decide') && kind === 'person';
  }
}

/** Who made the latest move into a state. */
export const lastTo = (capa: Capa, state: CapaState) => capa.decisions.findLast((decision) => decision.to === state);

/** Nobody approves their own plan, judges their own actions, or judges a plan that they approved. */
function conflictOf(need: CapaNeed, capa: Capa, actor: Actor): string | null {
  const is = (other: string | undefined): boolean => other !== undefined && samePrincipal(other, actor.id);
  if (need === 'other_than_proposer' && [lastTo(capa, 'PLAN_PROPOSED')?.by, ...capa.plan_authors].some(is)) {
    return `${actor.id} wrote or proposed the plan; somebody else approves it`;
  }
  if (need === 'other_than_owners' && capa.actions.some(({ owner }) => is(owner))) return `${actor.id} owns an action; somebody else closes the record`;
  if (need === 'other_than_approver' && is(lastTo(capa, 'PLAN_APPROVED')?.by)) return `${actor.id} approved the plan; somebody else reviews its effect`;
  return null;
}

function missing(need: CapaNeed, capa: Capa, { now, duplicate_of }: MoveRequest): { path: string; message: string }[] {
  const lacks = (path: string, message: string) => [{ path, message }];
  switch (need) {
    case 'type': return capa.type === null ? lacks('type', 'is not set') : [];
    case 'risk': return capa.risk === null ? lacks('risk', 'is not rated') : [];
    case 'containment': return capa.containment === null ? lacks('containment', 'say what was done at once, or why nothing was needed') : [];
    case 'problem_statement': return capa.problem_statement.trim() === '' ? lacks('problem_statement', 'is empty') : [];
    case 'investigation': return capa.investigation?.root_cause ? [] : lacks('investigation.root_cause', 'is not set; "undetermined" with its rationale will do');
    case 'actions': return capa.actions.length === 0 ? lacks('actions', 'there is none') : [];
    case 'criterion': return capa.criterion === null ? lacks('criterion', 'is not set') : [];
    case 'actions_done': return capa.actions.filter(({ done }) => done === null).flatMap(({ action_id }) => lacks(`actions.${action_id}`, 'is not done'));
    case 'verification': return capa.verification === null ? lacks('verification', 'is not there') : [];
    case 'effectiveness_due_at': {
      if (capa.effectiveness_due_at === null) return lacks('effectiveness_due_at', 'is not set');
      // The whole window must lie after what was done, or it would measure the world from before.
      const earliest = now + (capa.criterion?.window_minutes ?? 0) * 60_000;
      return Date.parse(capa.effectiveness_due_at) >= earliest ? []
        : lacks('effectiveness_due_at', `must be ${new Date(earliest).toISOString()} or later: the window is measured up to it, from now at the earliest`);
    }
    case 'passed_result': return capa.result?.passed === true ? [] : lacks('result', capa.result === null ? 'was not measured yet' : 'did not pass');
    case 'duplicate_of': return duplicate_of === null ? lacks('duplicate_of', 'name the record that this one repeats') : [];
    case 'other_than_proposer': case 'other_than_owners': case 'other_than_approver': return [];
  }
}

/** The record after a move that was not refused. */
export function moved(capa: Capa, { to, reason, duplicate_of, actor, now }: MoveRequest): Capa {
  const decision = { from: capa.state, to, by: actor.id, role: actor.role, at: new Date(now).toISOString(), reason };
  return {
    ...capa, state: to, version: capa.version + 1, decisions: [...capa.decisions, decision],
    ...(to === 'VOIDED' ? { duplicate_of } : {}),
    // A result is of one measurement; the next one starts without.
    ...(to === 'EFFECTIVENESS_DUE' ? { result: null } : {}),
    // What is done again is verified again.
    ...(to === 'INVESTIGATING' || to === 'IMPLEMENTING' ? { verification: null } : {}),
  };
}
