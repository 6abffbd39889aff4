/** Asking before something is done. The dialog itself is loaded when there is something to ask. */
import { signal } from '@preact/signals';

export interface Question {
  /** "Abort mission_…?" */
  title: string;
  /** What will happen, in a sentence or two; and what cannot be taken back. */
  effect: string;
  /** The word on the button that does it: never "OK". */
  verb: string;
  dangerous?: boolean | undefined;
  /** Whether a reason is asked for, and whether it may be left out. It goes into the ledger. */
  reason?: 'required' | 'optional' | undefined;
}

/** What is being asked; null: nothing. */
export const askedNow = signal<{ question: Question; answer: (reason: string | null) => void } | null>(null);

/** @returns the reason (empty when none was asked for), or null when they thought better of it */
export function askFirst(question: Question): Promise<string | null> {
  askedNow.peek()?.answer(null);
  return new Promise((resolve) => {
    askedNow.value = { question, answer: (reason) => { askedNow.value = null; resolve(reason); } };
  });
}
