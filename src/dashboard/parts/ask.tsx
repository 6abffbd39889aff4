/** The dialog that asks before something is done: it names the effect, and the safe answer has the focus. */
import { signal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import { fieldOf } from './form.ts';

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

const open = signal<{ question: Question; answer: (reason: string | null) => void } | null>(null);

/** @returns the reason (empty when none was asked for), or null when they thought better of it */
export function askFirst(question: Question): Promise<string | null> {
  open.peek()?.answer(null);
  return new Promise((resolve) => {
    open.value = { question, answer: (reason) => { open.value = null; resolve(reason); } };
  });
}

export function AskDialog() {
  const dialog = useRef<HTMLDialogElement>(null);
  const asked = open.value;
  useEffect(() => { if (asked !== null) dialog.current?.showModal(); }, [asked]);
  if (asked === null) return null;
  const { question: { title, effect, verb, dangerous = false, reason }, answer } = asked;
  function submit(event: SubmitEvent): void {
    event.preventDefault();
    answer(fieldOf(event.target, 'reason'));
  }
  return (
    <dialog ref={dialog} class="ask" aria-labelledby="ask-title" onCancel={() => answer(null)}>
      <form onSubmit={submit}>
        <h2 id="ask-title">{title}</h2>
        <p>{effect}</p>
        {reason !== undefined && (
          <label>
            <span>Reason{reason === 'optional' ? ' (optional)' : ''}, kept in the ledger</span>
            <textarea name="reason" rows={2} maxLength={2000} required={reason === 'required'} autoFocus />
          </label>
        )}
        <div class="buttons">
          <button type="button" autoFocus={reason === undefined && dangerous} onClick={() => answer(null)}>Cancel</button>
          <button type="submit" class={dangerous ? 'danger' : 'primary'}>{verb}</button>
        </div>
      </form>
    </dialog>
  );
}
