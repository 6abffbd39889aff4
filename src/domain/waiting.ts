/** Every wait says why: reason, who can end it, since when, deadline, and what happens at the deadline. */
export const waitingKinds = [
  'approval', 'operator', 'agent', 'budget', 'dependency', 'pause', 'landing', 'observation', 'resource',
] as const;
export type WaitingKind = (typeof waitingKinds)[number];

export interface WaitingOn {
  kind: WaitingKind;
  reason: string;
  who: string;
  since: string;
  deadline: string | null;
  on_deadline: string | null;
}
