/** The drawing of a chart: uPlot with our colours, which it asks the stylesheet for each time it draws. */
import UPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import { clock } from '../time.ts';
import type { ChartProps } from './chart.tsx';

export interface Drawn { update: () => void; destroy: () => void }

const height = 220;

const colour = (name: string): string => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
const toneColour: Record<string, string> = { good: 'good', warn: 'warn', bad: 'bad', wait: 'wait', run: 'accent', unknown: 'unknown' };

export function draw(box: HTMLElement, props: () => ChartProps): Drawn {
  const data = (): UPlot.AlignedData => [props().points.map((point) => point.at / 1_000), props().points.map((point) => point.value)];
  const axis = (): Partial<UPlot.Axis> => ({
    stroke: () => colour('ink-3'), grid: { stroke: () => colour('line'), width: 1 }, ticks: { show: false }, font: `11px ${colour('mono')}`,
  });
  const plot = new UPlot({
    width: Math.max(200, box.clientWidth), height, legend: { show: false }, cursor: { show: false }, padding: [14, 12, 0, 0],
    scales: { x: { time: true, range: () => [props().from / 1_000, props().to / 1_000] }, y: { range: (_, low, high) => span(low, high, props().target) } },
    axes: [{ ...axis(), grid: { show: false }, space: 90, values: (_, ticks) => ticks.map((at) => clock(new Date(at * 1_000).toISOString())) }, { ...axis(), size: 52 }],
    series: [{}, { stroke: () => colour('line-strong'), width: 1, points: { show: false } }],
    hooks: { draw: [(chart) => overlay(chart, props())] },
  }, data(), box);
  const resized = new ResizeObserver(() => { if (box.clientWidth > 0) plot.setSize({ width: box.clientWidth, height }); });
  resized.observe(box);
  const themed = new MutationObserver(() => plot.redraw(false));
  themed.observe(document.documentElement, { attributeFilter: ['data-theme'] });
  return {
    update: () => plot.setData(data()),
    destroy() {
      resized.disconnect();
      themed.disconnect();
      plot.destroy();
    },
  };
}

/** From nothing to a little over the highest value or the target: a chart that starts elsewhere exaggerates. */
function span(low: number | null, high: number | null, target: number | null): [number, number] {
  const values = [low, high, target].filter((value): value is number => value !== null && Number.isFinite(value));
  const top = Math.max(0, ...values);
  const bottom = Math.min(0, ...values);
  return top === bottom ? [0, 1] : [bottom * 1.15, top * 1.25];
}

function overlay(chart: UPlot, { points, target, comparator, mark }: ChartProps): void {
  const { ctx, bbox } = chart;
  const scale = devicePixelRatio;
  const text = (words: string, x: number, y: number, ink: string, align: CanvasTextAlign): void => {
    ctx.fillStyle = ink;
    ctx.font = `${11 * scale}px ${colour('mono')}`;
    ctx.textAlign = align;
    ctx.fillText(words, x, y);
  };
  ctx.save();
  ctx.lineWidth = scale;
  if (target !== null) {
    const y = chart.valToPos(target, 'y', true);
    line([4, 4], colour('bad'), bbox.left, y, bbox.left + bbox.width, y);
    text(`target ${comparator} ${target}`, bbox.left + bbox.width - 4 * scale, y - 6 * scale, colour('bad'), 'right');
  }
  if (mark !== undefined) {
    const x = chart.valToPos(mark.at / 1_000, 'x', true);
    line([2, 3], colour('accent'), x, bbox.top, x, bbox.top + bbox.height);
    text(mark.word, x + 5 * scale, bbox.top + 10 * scale, colour('ink-3'), 'left');
  }
  for (const { at, value, tone } of points) {
    ctx.fillStyle = colour(toneColour[tone] ?? 'unknown');
    ctx.beginPath();
    ctx.arc(chart.valToPos(at / 1_000, 'x', true), chart.valToPos(value, 'y', true), 2.6 * scale, 0, 2 * Math.PI);
    ctx.fill();
  }
  ctx.restore();

  function line(dash: number[], ink: string, x0: number, y0: number, x1: number, y1: number): void {
    ctx.setLineDash(dash.map((length) => length * scale));
    ctx.strokeStyle = ink;
    ctx.beginPath();
    ctx.moveTo(x0, y0);
    ctx.lineTo(x1, y1);
    ctx.stroke();
    ctx.setLineDash([]);
  }
}
