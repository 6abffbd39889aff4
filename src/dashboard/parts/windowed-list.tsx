import { useSignal } from '@preact/signals';
import type { ComponentChildren } from 'preact';
import { useEffect, useRef } from 'preact/hooks';

interface Props<T> {
  items: readonly T[];
  /** Every row is exactly so high, in pixels. */
  row_height: number;
  row: (item: T) => ComponentChildren;
  id_of: (item: T) => string;
  label: string;
  /** Called when the end comes near: the place to load more. */
  near_end?: (() => void) | undefined;
}

/** Rows beyond the edge of the screen, so that scrolling meets no gaps. */
const spare = 12;

/** A list of any length that keeps only what is on the screen in the page. It scrolls with the page. */
export function WindowedList<T>({ items, row_height: height, row, id_of: idOf, label, near_end: nearEnd }: Props<T>) {
  const box = useRef<HTMLDivElement>(null);
  const view = useSignal({ first: 0, count: 60 });
  useEffect(() => {
    let planned = 0;
    function look(): void {
      planned = 0;
      if (box.current === null) return;
      const above = Math.max(0, -box.current.getBoundingClientRect().top);
      const next = { first: Math.max(0, Math.floor(above / height) - spare), count: Math.ceil(innerHeight / height) + 2 * spare };
      if (next.first !== view.peek().first || next.count !== view.peek().count) view.value = next;
    }
    const plan = (): void => { planned ||= requestAnimationFrame(look); };
    addEventListener('scroll', plan, { passive: true });
    addEventListener('resize', plan);
    look();
    return () => {
      cancelAnimationFrame(planned);
      removeEventListener('scroll', plan);
      removeEventListener('resize', plan);
    };
  }, [height]);
  const { first, count } = view.value;
  const from = Math.min(first, Math.max(0, items.length - count));
  const shown = items.slice(from, from + count);
  useEffect(() => { if (from + count >= items.length) nearEnd?.(); }, [from + count >= items.length, items.length]);
  return (
    <div ref={box} role="list" aria-label={label} class="windowed" style={{ height: `${items.length * height}px` }}>
      {shown.map((item, i) => (
        <div key={idOf(item)} role="listitem" aria-setsize={items.length} aria-posinset={from + i + 1} style={{ transform: `translateY(${(from + i) * height}px)`, height: `${height}px` }}>
          {row(item)}
        </div>
      ))}
    </div>
  );
}
