import { useSignal } from '@preact/signals';
import { useRef } from 'preact/hooks';
import { isStale, type CatalogMetric, type MetricState } from '../../../domain/metric.ts';
import { inPath, query } from '../../api.ts';
import { Age } from '../../parts/age.tsx';
import { Chip } from '../../parts/chip.tsx';
import type { Tone } from '../../tone.ts';
import { SeriesChart, type SeriesPoint } from '../../parts/series-chart.tsx';
import { Empty, Loaded } from '../../parts/states.tsx';
import { useResource } from '../../resource.ts';
import { now } from '../../time.ts';
import { lookEveryMs } from './wire.ts';

export interface Standing extends CatalogMetric {
  value: number | null;
  last_value: number | null;
  last_at: string | null;
  state: MetricState;
}

export const metricTone: Readonly<Record<MetricState, Tone>> = { ok: 'good', breached: 'bad', stale: 'unknown', no_data: 'unknown' };
const metricWord: Readonly<Record<MetricState, string>> = { ok: 'on target', breached: 'off target', stale: 'stale', no_data: 'no data' };

/** What it is by now: an answer grows old while it is looked at. */
export const stateNow = (metric: Standing, at: number): MetricState =>
  ((metric.state === 'ok' || metric.state === 'breached') && (metric.last_at === null || isStale(metric, Date.parse(metric.last_at), at)) ? 'stale' : metric.state);

const number = new Intl.NumberFormat('en-US', { maximumSignificantDigits: 5 });
export const figure = (value: number, unit: string): string => `${number.format(value)}${unit === '' ? '' : ` ${unit}`}`;

const spans: readonly [hours: number, word: string][] = [[1, '1 h'], [24, '24 h'], [24 * 7, '7 d']];

/** Metrics with their targets; each opens its chart. @param subsystem only those of one; null for all */
export function Metrics({ subsystem, opened = false }: { subsystem: string | null; opened?: boolean }) {
  const metrics = useResource<{ items: Standing[]; catalog_problem: string | null }>('/metrics', { every_ms: lookEveryMs });
  return (
    <Loaded of={metrics} what="metrics">
      {({ items, catalog_problem: problem }) => {
        const mine = items.filter((one) => subsystem === null || one.subsystem_id === subsystem);
        return (
          <>
            {problem !== null && <p class="stale" role="alert">The catalog file as it is now is not in force: {problem}</p>}
            {mine.length === 0 && <Empty title="No metric">{subsystem === null ? 'Metrics are declared' : 'None is declared for this subsystem; metrics are declared'} in <code>config/metrics_catalog.yaml</code>, or defined with <code>PUT /mission-control/metrics/…</code>.</Empty>}
            {mine.map((metric, i) => <MetricRow key={metric.metric_id} metric={metric} opened={opened && i < 4} />)}
          </>
        );
      }}
    </Loaded>
  );
}

function MetricRow({ metric, opened }: { metric: Standing; opened: boolean }) {
  const open = useSignal(opened);
  const state = stateNow(metric, now.value);
  const { metric_id: id, comparator, target, unit, description, value, last_value: last, last_at: lastAt, aggregation, rolling_window_minutes: rolling, subsystem_id } = metric;
  const live = (state === 'ok' || state === 'breached') && value !== null;
  return (
    <div class="row metric">
      <button type="button" class="plain wrap" aria-expanded={open.value} onClick={() => { open.value = !open.value; }}>
        <span class="mono">{id}</span>
        <span class="sub">{description !== null && `${description} · `}target {comparator} {figure(target, unit)}{aggregation !== 'last' && ` · ${aggregation}${rolling === null ? '' : ` of ${rolling} min`}`}{subsystem_id !== null && ` · ${subsystem_id}`}</span>
      </button>
      <div class="state">
        <span><b class={live ? 'num' : 'num faint'}>{live ? figure(value, unit) : '–'}</b> <Chip tone={metricTone[state]}>{metricWord[state]}</Chip></span>
        <small>{lastAt === null ? 'never measured' : <>{!live && last !== null && `last ${figure(last, unit)}, `}<Age at={lastAt} /></>}</small>
      </div>
      {open.value && <Series metric={metric} />}
    </div>
  );
}

function Series({ metric: { metric_id: id, unit, target, comparator } }: { metric: Standing }) {
  const hours = useSignal(1);
  // Whole minutes, so that the same chart is asked for under the same address for a while.
  const from = new Date(Math.floor(now.value / 60_000) * 60_000 - hours.value * 3_600_000).toISOString();
  const series = useResource<{ points: SeriesPoint[]; step_seconds: number; from: string; to: string }>(`/metrics/${inPath(id)}/series${query({ from })}`, { every_ms: lookEveryMs });
  // Each minute has its own address; until its answer is there, the last one stays.
  const before = useRef(series);
  if (series.data !== null || series.error !== null) before.current = series;
  return (
    <div class="series">
      <div class="bar" role="group" aria-label={`Time shown of ${id}`}>{spans.map(([span, word]) => <button type="button" key={span} aria-pressed={hours.value === span} onClick={() => { hours.value = span; }}>{word}</button>)}</div>
      <Loaded of={before.current} what="its series">
        {({ points, step_seconds: step, from: first, to }) => (points.length === 0
          ? <p class="sub">Nothing was measured in this time.</p>
          : <SeriesChart label={id} unit={unit} points={points} step_seconds={step} from={first} to={to} target={{ value: target, comparator }} />)}
      </Loaded>
    </div>
  );
}
