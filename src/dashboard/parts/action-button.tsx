import { useSignal } from '@preact/signals';
import type { ComponentChildren } from 'preact';
import { sayDone, sayRefused } from './answers.tsx';
import { askFirst, type Question } from './ask.ts';

export interface ActionProps {
  children: ComponentChildren;
  /**
   * Does it and resolves with the sentence to show; null says nothing (the page itself shows what changed).
   * @param reason what was typed, when `ask` asks for one
   */
  run: (reason: string) => Promise<string | null>;
  /** Asked before it is done; a dangerous effect always asks. */
  ask?: Question | undefined;
  tone?: 'primary' | 'danger' | 'plain' | undefined;
  disabled?: boolean | undefined;
  title?: string | undefined;
}

/** A button that does its thing once, says that it is at it, and shows the answer. */
export function ActionButton({ children, run, ask, tone, disabled = false, title }: ActionProps) {
  const pending = useSignal(false);
  async function act(): Promise<void> {
    if (pending.value) return;
    const reason = ask === undefined ? '' : await askFirst(ask);
    if (reason === null) return;
    pending.value = true;
    try {
      const said = await run(reason);
      if (said !== null) sayDone(said);
    } catch (error) {
      sayRefused(error);
    } finally {
      pending.value = false;
    }
  }
  return (
    <button type="button" class={tone} disabled={disabled} title={title} aria-busy={pending.value} onClick={() => { void act(); }}>
      {children}
    </button>
  );
}
