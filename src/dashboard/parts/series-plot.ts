/** The chart itself, apart from the page: with uPlot it is loaded when the first one is shown. */
import UPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import { withGaps, type SeriesShape } from './series.ts';

/** @param height in pixels; the width is the holder's */
export function plot(holder: HTMLElement, shape: SeriesShape & { label: string }, height: number): UPlot {
  const { label, points, from, to, target } = shape;
  const style = getComputedStyle(holder);
  const colour = (name: string): string => style.getPropertyValue(name).trim();
  const line = colour('--accent');
  const axis = { stroke: colour('--ink-3'), font: `11px ${colour('--font')}`, grid: { stroke: colour('--line'), width: 1 }, ticks: { show: false } };
  const range: [number, number] = [Date.parse(from) / 1_000, Date.parse(to) / 1_000];
  const aim = target?.value;
  return new UPlot({
    width: holder.clientWidth, height, cursor: { y: false }, legend: { show: false }, padding: [8, 8, 0, 0],
    scales: {
      x: { time: true, range: () => range },
      // The target is always in sight, and a flat line is not blown up to look like a storm.
      y: { range: (_plot, low, high) => UPlot.rangeNum(Math.min(low, aim ?? low), Math.max(high, aim ?? high), 0.12, true) },
    },
    axes: [{ ...axis }, { ...axis, size: 56 }],
    bands: [{ series: [3, 2], fill: colour('--accent-soft') }],
    series: [
      {},
      { label, stroke: line, width: 1.5, points: { show: points.length < 3, fill: line } },
      { stroke: 'transparent', points: { show: false } },
      { stroke: 'transparent', points: { show: false } },
      { stroke: colour('--ink-3'), width: 1, dash: [5, 4], points: { show: false } },
    ],
  }, withGaps(shape), holder);
}
