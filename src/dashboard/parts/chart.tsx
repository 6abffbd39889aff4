import { useSignal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import type { Tone } from '../tone.ts';
import type { Drawn } from './chart-drawing.ts';

export interface ChartPoint { at: number; value: number; tone: Tone }

export interface ChartProps {
  points: readonly ChartPoint[];
  /** Milliseconds since the epoch: the whole span, also where there is no point yet. */
  from: number;
  to: number;
  target: number | null;
  comparator: string;
  /** A moment that matters. */
  mark?: { at: number; word: string };
  label: string;
}

/** Values over time with their target line; every point has the colour of its verdict. The drawing's code is loaded when first needed. */
export function Chart(props: ChartProps) {
  const box = useRef<HTMLDivElement>(null);
  const drawn = useRef<Drawn | null>(null);
  const failed = useSignal(false);
  const latest = useRef(props);
  latest.current = props;
  useEffect(() => {
    let gone = false;
    void import('./chart-drawing.ts').then(({ draw }) => {
      if (!gone && box.current !== null) drawn.current = draw(box.current, () => latest.current);
      // What the chart shows stands in the table below it, too.
    }).catch(() => { if (!gone) failed.value = true; });
    return () => {
      gone = true;
      drawn.current?.destroy();
    };
  }, []);
  useEffect(() => drawn.current?.update(), [props.points.length, props.to, props.target]);
  if (failed.value) return <p class="sub chart">The chart could not be drawn; its values are below.</p>;
  const last = props.points.at(-1);
  return <div ref={box} class="chart" role="img" aria-label={`${props.label}: ${props.points.length} values${last === undefined ? '' : `, last ${last.value}`}${props.target === null ? '' : `, target ${props.comparator} ${props.target}`}`} />;
}
