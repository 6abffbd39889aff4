/** Names and colours of CAPA states, and how a record's next dates read. */
import { datesOf } from '../../../domain/capa-dates.ts';
import { capaStates, isClosed, type Capa, type CapaState } from '../../../domain/capa.ts';
import { capaMoves } from '../../../domain/capa-transitions.ts';
import type { Tone } from '../../tone.ts';
import { inWords } from '../../words.ts';

export const stateWord = (state: CapaState): string => inWords(state.toLowerCase());

export const capaTone: Readonly<Record<CapaState, Tone>> = {
  OPENED: 'warn', TRIAGED: 'run', CONTAINED: 'run', INVESTIGATING: 'run', PLAN_PROPOSED: 'wait', PLAN_APPROVED: 'run', IMPLEMENTING: 'run',
  VERIFIED: 'run', EFFECTIVENESS_DUE: 'wait', REOPENED: 'bad', REJECTED: 'unknown', CLOSED_EFFECTIVE: 'good', VOIDED: 'unknown',
};

export const openStates: readonly CapaState[] = capaStates.filter((state) => !isClosed(state));

/** What a button for this move says: not where it leads, but what somebody does. */
export const moveWord = (from: CapaState, to: CapaState): string => (capaMoves[from][to]?.direction === 'back' ? backWords[to] ?? forwardWords[to] : forwardWords[to]);

const forwardWords: Readonly<Record<CapaState, string>> = {
  OPENED: 'Open again', TRIAGED: 'Triage', REJECTED: 'Reject', CONTAINED: 'Contained', INVESTIGATING: 'Investigate', PLAN_PROPOSED: 'Propose the plan',
  PLAN_APPROVED: 'Approve the plan', IMPLEMENTING: 'Implement', VERIFIED: 'Verified', EFFECTIVENESS_DUE: 'Measure its effect',
  CLOSED_EFFECTIVE: 'Close as effective', REOPENED: 'Reopen', VOIDED: 'Void as a duplicate',
};
const backWords: Partial<Record<CapaState, string>> = {
  OPENED: 'Back to opened', TRIAGED: 'Back to triage', CONTAINED: 'Back to contained', INVESTIGATING: 'Back to investigating', IMPLEMENTING: 'Back to implementing',
};

/** The date that comes first of those that still stand. */
export const firstDate = (capa: Capa): { what: string; at: string; owner: string | null } | undefined =>
  datesOf(capa).sort((a, b) => Date.parse(a.at) - Date.parse(b.at))[0];

export const dateWord = (what: string): string => (what === 'record' ? 'due' : what === 'effectiveness' ? 'measured' : `${what.replace(/^action:/, 'action ')} due`);

/** Who has something to do: owners of what is not done. */
export const ownersOf = (capa: Capa): string[] => [...new Set(capa.actions.filter(({ done }) => done === null).map(({ owner }) => owner))];

/** Events after which a record, or the board, may look otherwise. */
export const aboutCapa = ({ type }: { type: string }): boolean => type.startsWith('capa.');
