import type { ComponentChildren } from 'preact';

/** A titled surface. `aside` stands small at the right of the title. */
export const Card = ({ title, aside, children, class: more = '' }: { title: ComponentChildren; aside?: ComponentChildren; children: ComponentChildren; class?: string }) => (
  <section class={`card ${more}`}>
    <h2>{title}{aside !== undefined && <span>{aside}</span>}</h2>
    {children}
  </section>
);
