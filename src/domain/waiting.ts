/** Every wait says why: reason, who can end it, since when, deadline, and what happens at the deadline. */
export const waitingKinds = [
  'approval', 'operator', 'agent', 'budget', 'dependency', 'pause', 'landing', 'observation', 'resource',
] as const;
export type WaitingKind = (typeof waitingKinds)[number];

/** Waits that a person's answer ends. A pause is somebody's will already; the others end by themselves or by another mission. */
export const personalWaits = ['approval', 'operator', 'budget', 'observation'] as const satisfies readonly WaitingKind[];

export interface WaitingOn {
  kind: WaitingKind;
  reason: string;
  who: string;
  since: string;
  deadline: string | null;
  on_deadline: string | null;
}
