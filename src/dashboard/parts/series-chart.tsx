import { effect } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import type uPlot from 'uplot';
import { theme } from '../theme.ts';
import { withGaps, type SeriesPoint } from './series.ts';

export type { SeriesPoint } from './series.ts';

interface Props {
  label: string;
  unit: string;
  points: readonly SeriesPoint[];
  step_seconds: number;
  /** RFC 3339: the time that is shown, measured or not. */
  from: string;
  to: string;
  target?: { value: number; comparator: string } | undefined;
}

const height = 170;
const shown = new Intl.NumberFormat('en-US', { maximumSignificantDigits: 4 });

/** A metric over time: the mean as a line, smallest to largest as a band, the target dashed. Where nothing was measured there is no line. */
export function SeriesChart(props: Props) {
  const { label, unit, points, target } = props;
  const box = useRef<HTMLDivElement>(null);
  const latest = useRef(props);
  latest.current = props;
  const chart = useRef<uPlot | null>(null);
  useEffect(() => {
    let gone = false;
    const stops: (() => void)[] = [];
    // Loaded with the first chart: most pages have none.
    void import('./series-plot.ts').then(({ plot }) => {
      if (gone || box.current === null) return;
      const holder = box.current;
      stops.push(effect(() => {
        // Colours are drawn into the picture, so another theme is another picture.
        void theme.value;
        chart.current?.destroy();
        chart.current = plot(holder, latest.current, height);
      }));
      const observer = new ResizeObserver(() => chart.current?.setSize({ width: holder.clientWidth, height }));
      observer.observe(holder);
      stops.push(() => observer.disconnect());
    });
    return () => {
      gone = true;
      for (const stop of stops) stop();
      chart.current?.destroy();
      chart.current = null;
    };
  }, []);
  useEffect(() => {
    chart.current?.setData(withGaps(props));
  }, [props.points]);
  const last = points.at(-1);
  const said = last === undefined ? `${label}: nothing measured` : `${label}: last ${shown.format(last.avg)} ${unit}, between ${shown.format(Math.min(...points.map((one) => one.min)))} and ${shown.format(Math.max(...points.map((one) => one.max)))}${target === undefined ? '' : `, target ${target.comparator} ${shown.format(target.value)}`}`;
  return <div class="series-chart" ref={box} role="img" aria-label={said} style={{ minHeight: `${height}px` }} />;
}
