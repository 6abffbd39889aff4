import { useEffect, useRef } from 'preact/hooks';
import { askedNow } from './ask.ts';
import { fieldOf } from './form.ts';

/** The dialog that asks before something is done: it names the effect, and the safe answer has the focus. */
export function AskDialog() {
  const dialog = useRef<HTMLDialogElement>(null);
  const asked = askedNow.value;
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
