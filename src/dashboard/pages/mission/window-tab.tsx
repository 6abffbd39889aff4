import type { SampleKind } from '../../../domain/judge.ts';
import type { ObservationView, WindowView } from '../../../domain/observation-view.ts';
import { Clock } from '../../parts/age.tsx';
import { Chart } from '../../parts/chart.tsx';
import { Chip } from '../../parts/chip.tsx';
import type { Tone } from '../../tone.ts';
import { Empty, Loaded } from '../../parts/states.tsx';
import type { Resource } from '../../resource.ts';
import { inWords, plural } from '../../words.ts';

export const sampleTone: Readonly<Record<SampleKind, Tone>> = {
  PASS: 'good', FAIL: 'bad', INCONCLUSIVE: 'warn', ERROR: 'bad', NO_DATA: 'unknown', STALE: 'warn', WRONG_REVISION: 'warn', MISSED: 'unknown',
};

const shownSamples = 40;

/** Every observation window: each metric as a chart with its target, and each sample with its verdict. */
export const WindowTab = ({ observation }: { observation: Resource<ObservationView> }) => (
  <Loaded of={observation} what="the window">
    {({ windows }) => (windows.length === 0
      ? <Empty title="Not watched yet">The window opens when the change has landed. Until then its terms are in the mission package.</Empty>
      : windows.toReversed().map((window) => <Window key={window.window} window={window} of={windows.length} />))}
  </Loaded>
);

function Window({ window, of }: { window: WindowView; of: number }) {
  const { metrics } = window.spec;
  return (
    <div class="window">
      {of > 1 && <h3>Window {window.window} of {of}</h3>}
      {window.verdict !== null && <p class="pad"><Chip tone={window.verdict.verdict === 'PASSED' ? 'good' : window.verdict.verdict === 'FAILED' ? 'bad' : 'warn'}>{window.verdict.verdict.toLowerCase()}</Chip> {window.verdict.reason}</p>}
      {metrics === 'none' && <Empty title="Unobserved">{window.spec.reason ?? 'No metric was asked for'}. It passes when its time is over, and proves nothing about production.</Empty>}
      {metrics !== 'none' && metrics.map((metric) => <Metric key={metric.metric_id} metric={metric} window={window} />)}
      {window.confounders.length > 0 && <p class="pad sub">Also changed meanwhile: {window.confounders.map((one) => one.summary).join('; ')}</p>}
    </div>
  );
}

type WindowMetric = Exclude<WindowView['spec']['metrics'], 'none'>[number];

function Metric({ metric, window }: { metric: WindowMetric; window: WindowView }) {
  const samples = window.samples.filter((sample) => sample.metric_id === metric.metric_id).sort((a, b) => a.tick - b.tick);
  const count = (...kinds: SampleKind[]): number => samples.filter((sample) => kinds.includes(sample.kind)).length;
  const [pass, fail] = [count('PASS'), count('FAIL')];
  const rest = samples.length - pass - fail;
  const goal = metric.target === null ? 'its baseline' : `${metric.comparator} ${metric.target}`;
  const rolling = metric.rolling_window_minutes === null ? '' : `, rolling ${metric.rolling_window_minutes} min`;
  return (
    <section aria-label={metric.metric_id}>
      <div class="metric-head">
        <span><b>{metric.metric_id}</b> <span class="sub">{metric.aggregation}{rolling}, {metric.role}, must be {goal}</span></span>
        <Chip tone={fail > 0 ? 'bad' : rest > 0 ? 'warn' : pass > 0 ? 'good' : 'unknown'}>{pass} pass · {fail} fail · {rest} other</Chip>
      </div>
      <Chart label={`${metric.metric_id} during window ${window.window}`} target={metric.target} comparator={metric.comparator} mark={{ at: Date.parse(window.landed_at), word: 'landed' }}
        points={samples.filter((sample) => sample.value !== null).map((sample) => ({ at: Date.parse(sample.at), value: sample.value!, tone: sampleTone[sample.kind] }))}
        from={Math.min(Date.parse(window.landed_at), Date.parse(window.t0))} to={Date.parse(window.t0) + window.spec.duration_minutes * 60_000} />
      <table>
        <thead class="said"><tr><th>Verdict</th><th>Value</th><th>Why</th><th>Time</th></tr></thead>
        <tbody>
          {samples.slice(-shownSamples).reverse().map((sample) => (
            <tr key={sample.tick}>
              <td><Chip tone={sampleTone[sample.kind]}>{inWords(sample.kind.toLowerCase())}</Chip></td>
              <td class="num">{sample.value === null ? '–' : sample.value.toLocaleString(undefined, { maximumSignificantDigits: 6 })} <span class="faint">{goal}</span></td>
              <td class="wrap">{sample.reason ?? (window.revision === null ? '' : <>revision <span class="mono">{window.revision.slice(0, 8)}</span></>)}</td>
              <td><Clock at={sample.at} /></td>
            </tr>
          ))}
        </tbody>
      </table>
      {samples.length > shownSamples && <p class="pad sub">and {plural(samples.length - shownSamples, 'earlier sample')}, all in the chart</p>}
    </section>
  );
}
