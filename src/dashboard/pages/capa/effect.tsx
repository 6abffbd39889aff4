import type { CapaView } from '../../../domain/capa-view.ts';
import { comparators } from '../../../domain/metric.ts';
import { aggregations } from '../../../domain/observation.ts';
import { Age } from '../../parts/age.tsx';
import { Chip } from '../../parts/chip.tsx';
import { Choice } from '../../parts/choice.tsx';
import { fieldOf } from '../../parts/form.ts';
import { useResource } from '../../resource.ts';
import { duration } from '../../time.ts';
import { plural } from '../../words.ts';
import { fromLocal, linesOf, localMoment, Long, Section } from './section.tsx';

/** When the actions count as effective: fixed before anything is implemented. */
export function Criterion({ capa }: { capa: CapaView }) {
  const { criterion } = capa;
  return (
    <Section capa={capa} title="Effectiveness criterion" fields={['criterion']} form={() => <CriterionFields capa={capa} />}
      read={(form) => ({
        criterion: {
          metric_id: fieldOf(form, 'metric_id'), aggregation: fieldOf(form, 'aggregation'), comparator: fieldOf(form, 'comparator'), target: Number(fieldOf(form, 'target')),
          window_minutes: Number(fieldOf(form, 'window_minutes')), min_samples: Number(fieldOf(form, 'min_samples')),
        },
      })}>
      <div class="capa-part">
        {criterion === null
          ? <p class="faint">Not fixed yet. It must be before the plan is proposed.</p>
          : <p>{criterion.aggregation} of <span class="mono">{criterion.metric_id}</span> {criterion.comparator} <b>{criterion.target}</b> over {duration(criterion.window_minutes * 60_000)}, of at least {plural(criterion.min_samples, 'sample')}</p>}
      </div>
    </Section>
  );
}

function CriterionFields({ capa: { criterion } }: { capa: CapaView }) {
  const metrics = useResource<{ items: { metric_id: string }[] }>('/metrics');
  return (
    <>
      <label><span>Metric, from the catalog</span><input name="metric_id" list="capa-metrics" required maxLength={200} autoComplete="off" defaultValue={criterion?.metric_id ?? ''} /></label>
      <datalist id="capa-metrics">{(metrics.data?.items ?? []).map(({ metric_id }) => <option key={metric_id} value={metric_id} />)}</datalist>
      <div class="beside">
        <label><span>Aggregation</span><Choice name="aggregation" options={aggregations} value={criterion?.aggregation ?? 'avg'} /></label>
        <label><span>Comparator</span><Choice name="comparator" options={comparators} value={criterion?.comparator ?? '<'} /></label>
        <label><span>Target</span><input name="target" type="number" step="any" required defaultValue={String(criterion?.target ?? '')} /></label>
        <label><span>Window, minutes</span><input name="window_minutes" type="number" step="any" min="0.001" required defaultValue={String(criterion?.window_minutes ?? 1_440)} /></label>
        <label><span>Samples at least</span><input name="min_samples" type="number" min={1} step={1} required defaultValue={String(criterion?.min_samples ?? 3)} /></label>
      </div>
    </>
  );
}

export const VerificationSection = ({ capa }: { capa: CapaView }) => (
  <Section capa={capa} title="Verification" fields={['verification']}
    form={() => (
      <>
        <label><span>How it was shown that the actions work</span><textarea name="description" rows={3} required maxLength={10_000} defaultValue={capa.verification?.description ?? ''} /></label>
        <label><span>How it was shown that they do no harm elsewhere</span><textarea name="no_adverse_effect" rows={3} required maxLength={10_000} defaultValue={capa.verification?.no_adverse_effect ?? ''} /></label>
        <label><span>Evidence: digests of artefacts, one a line</span><textarea name="evidence" class="mono" rows={2} defaultValue={(capa.verification?.evidence ?? []).join('\n')} /></label>
      </>
    )}
    read={(form) => ({ verification: { description: fieldOf(form, 'description'), no_adverse_effect: fieldOf(form, 'no_adverse_effect'), evidence: linesOf(fieldOf(form, 'evidence')) } })}>
    <div class="capa-part">
      <Long text={capa.verification?.description} none="Not verified yet." />
      {capa.verification !== null && <><b>No adverse effect</b><p class="capa-text">{capa.verification.no_adverse_effect}</p></>}
      {(capa.verification?.evidence ?? []).map((sha256) => <a class="link mono" key={sha256} href={`/mission-control/artifacts/${sha256}`} download>{sha256.slice(0, 16)}…</a>)}
    </div>
  </Section>
);

/** Its dates, and what the measurement said. */
export const Dates = ({ capa }: { capa: CapaView }) => (
  <Section capa={capa} title="Dates" fields={['due_at', 'effectiveness_due_at']} asksReason
    form={() => (
      <>
        <label><span>Record due</span><input name="due_at" type="datetime-local" defaultValue={localMoment(capa.due_at)} /></label>
        <label><span>Effect measured at</span><input name="effectiveness_due_at" type="datetime-local" defaultValue={localMoment(capa.effectiveness_due_at)} /></label>
      </>
    )}
    read={(form) => Object.fromEntries((['due_at', 'effectiveness_due_at'] as const).flatMap((name) => {
      const text = fieldOf(form, name);
      // Minutes are shown; a date that was not touched keeps its seconds.
      return text === '' || text === localMoment(capa[name]) ? [] : [[name, fromLocal(text)]];
    }))}>
    <dl>
      <dt>Record due</dt><dd>{capa.due_at === null ? 'no date' : <Age at={capa.due_at} />}</dd>
      <dt>Effect measured</dt><dd>{capa.effectiveness_due_at === null ? 'no date yet' : <Age at={capa.effectiveness_due_at} />}</dd>
      {capa.overdue.map(({ what, owner, due_at }) => <><dt key={`${what}?`}><Chip tone="bad">overdue</Chip></dt><dd key={what}>{what.replace(':', ' ')}{owner !== null && `, ${owner}`}, <Age at={due_at} /></dd></>)}
      {capa.result !== null && <><dt><Chip tone={capa.result.passed ? 'good' : 'bad'}>{capa.result.passed ? 'effective' : 'not effective'}</Chip></dt><dd>{capa.result.reason}</dd></>}
    </dl>
  </Section>
);
