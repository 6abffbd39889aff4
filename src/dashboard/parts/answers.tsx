/** What the system answered to a button: shown where it is seen, said to screen readers, refusals kept until read. */
import { signal } from '@preact/signals';
import { ApiProblem } from '../api.ts';

interface Answer { id: number; good: boolean; text: string; details: readonly string[] }

const shown = signal<readonly Answer[]>([]);
const goodForMs = 6_000;
const most = 5;
let count = 0;

function show(good: boolean, text: string, details: readonly string[] = []): void {
  count += 1;
  const id = count;
  shown.value = [...shown.value, { id, good, text, details }].slice(-most);
  if (good) setTimeout(() => dismiss(id), goodForMs);
}

const dismiss = (id: number): void => { shown.value = shown.value.filter((answer) => answer.id !== id); };

/** It was done; the sentence says what. */
export const sayDone = (text: string): void => show(true, text);

/** It was not done; the problem says why, field by field. */
export function sayRefused(error: unknown): void {
  const errors = error instanceof ApiProblem ? error.errors : [];
  const text = error instanceof Error ? error.message : String(error);
  show(false, text, errors.length < 2 ? [] : errors.map(({ path, message }) => (path === '' ? message : `${path}: ${message}`)));
}

export const Answers = () => (
  <div class="answers" role="status" aria-live="polite">
    {shown.value.map(({ id, good, text, details }) => (
      <div key={id} class={`answer ${good ? 'good' : 'bad'}`}>
        <div>
          <b>{good ? 'Done' : 'Not done'}</b> <span>{text}</span>
          {details.length > 0 && <ul>{details.map((line) => <li key={line}>{line}</li>)}</ul>}
        </div>
        <button type="button" class="plain" aria-label="Dismiss" onClick={() => dismiss(id)}>×</button>
      </div>
    ))}
  </div>
);
