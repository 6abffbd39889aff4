import type { ComponentChildren } from 'preact';
import { PaletteButton } from '../frame/palette-host.tsx';

/** The top of every page: its title, what state it is in, and at the right what can be done. */
export const PageHeader = ({ title, chips, children }: { title: string; chips?: ComponentChildren; children?: ComponentChildren }) => (
  <header class="top">
    <h1 tabIndex={-1}>{title}</h1>
    {chips}
    <span class="grow" />
    <div class="bar actions">
      <PaletteButton />
      {children}
    </div>
  </header>
);
