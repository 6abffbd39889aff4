import type { ComponentChildren } from 'preact';
import type { Tone } from '../tone.ts';

/** Colour is never alone: a chip always holds a word. */
export const Chip = ({ tone = 'unknown', title, children }: { tone?: Tone | undefined; title?: string | undefined; children: ComponentChildren }) =>
  <span class={`chip ${tone}`} title={title}>{children}</span>;

/** A dot beside a word that says the same. */
export const Dot = ({ tone }: { tone: Tone }) => <i class={`dot ${tone}`} aria-hidden="true" />;
