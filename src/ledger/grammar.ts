/**
 * The grammar of a mission's life, judged over sealed events alone: what must have come before, what may not come after,
 * and who may not have done it. A chain that is whole can still be a chain of lies by omission; this finds those.
 */
import type { Fact, Problem } from './entries.ts';

interface Life {
  creator: string | null;
  tested: Set<string>;
  /** Trees, and plan digests, that were approved. */
  approved: Set<string>;
  approvals: Map<string, { required: number; not_by: string[]; by: Set<string> }>;
  landed: Set<string>;
  /** Any approval at all: healing steps are under one for their plan. */
  mayAct: boolean;
  ended: string | null;
}

const terminal = new Set(['resolved', 'escalated', 'aborted']);
const textOf = (value: unknown): string => (typeof value === 'string' ? value : '');

/** What the ledger says that a repository has: to be held against the repository itself. */
export interface Landing { seq: number; mission_id: string; commit: string; tree: string }

export interface GrammarFindings {
  problems: Problem[];
  landings: Landing[];
  missions: { started: number; ended: number };
}

/** @param facts in the order of the ledger */
export function judgeLives(facts: Iterable<Fact>): GrammarFindings {
  const lives = new Map<string, Life>();
  const problems: Problem[] = [];
  const landings: Landing[] = [];
  let started = 0;

  for (const fact of facts) {
    const life = lives.get(fact.mission_id)
      ?? { creator: null, tested: new Set(), approved: new Set(), approvals: new Map(), landed: new Set(), mayAct: false, ended: null };
    lives.set(fact.mission_id, life);
    const wrong = (code: string, detail: string): void => {
      problems.push({ kind: 'completeness', code, seq: fact.seq, detail: `${fact.mission_id}: ${detail}` });
    };
    if (life.ended !== null && fact.type !== 'mission.created') wrong('AFTER_THE_END', `${fact.type} after it was ${life.ended}`);
    if (fact.type === 'mission.started') started += 1;
    if (fact.type === 'merge.landed') landings.push({ seq: fact.seq, mission_id: fact.mission_id, commit: textOf(fact.payload['commit']), tree: textOf(fact.payload['tree']) });
    take(life, fact, wrong);
  }
  return { problems, landings, missions: { started, ended: [...lives.values()].filter((life) => life.ended !== null).length } };
}

function take(life: Life, { type, actor_id, payload }: Fact, wrong: (code: string, detail: string) => void): void {
  switch (type) {
    case 'mission.created':
      life.creator = actor_id;
      break;
    case 'tests.passed':
      life.tested.add(textOf(payload['tree']));
      break;
    case 'approval.requested': {
      const { required, not_by } = payload;
      if (Number.isSafeInteger(required) && Array.isArray(not_by)) life.approvals.set(textOf(payload['approval_id']), { required: required as number, not_by, by: new Set() });
      else wrong('TERMS_UNREADABLE', 'an approval was asked for that does not say how many must decide, and who may not');
      break;
    }
    case 'approval.decided':
      decided(life, actor_id, payload, wrong);
      break;
    case 'approval.automatic':
      approve(life, payload['digests']);
      break;
    case 'approval.carried':
      if (!life.approved.has(textOf(payload['from_tree']))) wrong('CARRIED_FROM_NOTHING', `an approval was carried from ${textOf(payload['from_tree'])}, which nobody approved`);
      life.approved.add(textOf(payload['to_tree']));
      break;
    case 'merge.landed': {
      const tree = textOf(payload['tree']);
      if (!life.tested.has(tree)) wrong('LANDED_UNTESTED', `tree ${tree} landed and no tests passed on it before`);
      if (!life.approved.has(tree)) wrong('LANDED_UNAPPROVED', `tree ${tree} landed without an approval for it`);
      life.landed.add(textOf(payload['commit']));
      break;
    }
    case 'merge.reverted':
      if (!life.landed.has(textOf(payload['reverts']))) wrong('REVERTED_NOT_LANDED', `${textOf(payload['reverts'])} was reverted and had not landed`);
      break;
    case 'healing.step_started':
      if (!life.mayAct) wrong('ACTED_UNAPPROVED', 'an effect began without an approval of its plan');
      break;
    case 'mission.status_changed':
      if (terminal.has(textOf(payload['status']))) life.ended = textOf(payload['status']);
      break;
  }
}

/** Separation of duties: whoever made, or works on, a mission does not approve it, and nobody counts twice. */
function decided(life: Life, actor: string, payload: Record<string, unknown>, wrong: (code: string, detail: string) => void): void {
  const approval = life.approvals.get(textOf(payload['approval_id']));
  if (approval === undefined) {
    wrong('DECIDED_UNASKED', `${actor} decided on an approval that was not asked for`);
    return;
  }
  if (actor === life.creator || approval.not_by.includes(actor)) wrong('APPROVED_OWN_WORK', `${actor} decided on their own work`);
  if (approval.by.has(actor)) wrong('DECIDED_TWICE', `${actor} decided twice on one approval`);
  approval.by.add(actor);
  if (payload['status'] !== 'approved') return;
  if (approval.by.size < approval.required) wrong('TOO_FEW_APPROVERS', `approved by ${approval.by.size} of ${approval.required}`);
  approve(life, payload['digests']);
}

function approve(life: Life, digests: unknown): void {
  life.mayAct = true;
  const { git_tree } = (digests ?? {}) as { git_tree?: unknown };
  if (typeof git_tree === 'string') life.approved.add(git_tree);
}
