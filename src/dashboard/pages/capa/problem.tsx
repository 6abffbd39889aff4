import { capaTypes, investigationMethods } from '../../../domain/capa.ts';
import type { CapaView } from '../../../domain/capa-view.ts';
import { inPath } from '../../api.ts';
import { Choice } from '../../parts/choice.tsx';
import { fieldOf } from '../../parts/form.ts';
import { inWords } from '../../words.ts';
import { linesOf, Long, Section } from './section.tsx';

const ratings = [['severity', 'Severity, 1 – 10'], ['occurrence', 'Occurrence, 1 – 10'], ['detection', 'Detection, 1 – 10']] as const;

export const Problem = ({ capa }: { capa: CapaView }) => (
  <Section capa={capa} title="Problem" fields={['problem_statement']}
    form={() => <label><span>What is wrong, where, since when</span><textarea name="problem_statement" rows={5} required maxLength={10_000} defaultValue={capa.problem_statement} /></label>}
    read={(form) => ({ problem_statement: fieldOf(form, 'problem_statement') })}>
    <div class="capa-part"><Long text={capa.problem_statement} none="empty" /></div>
  </Section>
);

export const Rating = ({ capa }: { capa: CapaView }) => (
  <Section capa={capa} title="Type and risk" fields={['type', 'risk']}
    form={() => (
      <div class="beside">
        <label><span>Type</span><Choice name="type" options={capaTypes} value={capa.type ?? 'corrective'} /></label>
        {ratings.map(([name, words]) => (
          <label key={name}><span>{words}</span><input name={name} type="number" min={1} max={10} step={1} required defaultValue={String(capa.risk?.[name] ?? '')} /></label>
        ))}
        <p class="sub">1 is harmless, rare, always noticed; 10 the opposite.</p>
      </div>
    )}
    read={(form) => ({ type: fieldOf(form, 'type'), risk: Object.fromEntries(ratings.map(([name]) => [name, Number(fieldOf(form, name))])) })}>
    <div class="capa-part">
      {capa.type === null && capa.risk === null ? <p class="faint">Not triaged yet.</p> : (
        <p>{capa.type ?? 'no type'} · {capa.risk === null ? 'risk not rated' : <>risk <b>{capa.risk_score}</b> of 1,000 <span class="faint">(severity {capa.risk.severity} × occurrence {capa.risk.occurrence} × detection {capa.risk.detection})</span></>}</p>
      )}
    </div>
  </Section>
);

export const Containment = ({ capa }: { capa: CapaView }) => (
  <Section capa={capa} title="Containment" fields={['containment']}
    form={() => (
      <>
        <label><span>Was anything done at once?</span><Choice name="kind" options={['done', 'not_needed']} value={capa.containment?.kind ?? 'done'} word={inWords} /></label>
        <label><span>What stopped the harm, or why nothing had to be stopped</span><textarea name="description" rows={3} required maxLength={10_000} defaultValue={capa.containment?.description ?? ''} /></label>
      </>
    )}
    read={(form) => ({ containment: { kind: fieldOf(form, 'kind'), description: fieldOf(form, 'description') } })}>
    <div class="capa-part">
      {capa.containment !== null && <b>{capa.containment.kind === 'done' ? 'Done' : 'Not needed'}</b>}
      <Long text={capa.containment?.description} none="Not said yet: what stopped the harm at once." />
    </div>
  </Section>
);

/** The investigation. A hypothesis that keeps its words keeps what speaks for and against it. */
export function InvestigationSection({ capa }: { capa: CapaView }) {
  const found = capa.investigation;
  const before = new Map((found?.hypotheses ?? []).map((one) => [one.statement, one]));
  return (
    <Section capa={capa} title="Investigation" fields={['investigation']}
      form={() => (
        <>
          <div class="beside">
            <label><span>Method</span><Choice name="method" options={investigationMethods} value={found?.method ?? 'five_whys'} word={inWords} /></label>
            <label><span>Root cause</span><Choice name="kind" options={['', 'found', 'undetermined']} value={found?.root_cause?.kind ?? ''} word={(kind) => (kind === '' ? 'not yet' : kind)} /></label>
          </div>
          <label><span>The root cause, or why it cannot be determined</span><textarea name="cause" rows={3} maxLength={10_000} defaultValue={found?.root_cause?.description ?? ''} /></label>
          <label><span>Hypotheses, one a line</span><textarea name="hypotheses" rows={3} defaultValue={(found?.hypotheses ?? []).map((one) => one.statement).join('\n')} /></label>
          <label><span>Similar records, one a line</span><textarea name="similar" rows={2} placeholder="CAPA-2026-0001" defaultValue={(found?.similar_records ?? []).join('\n')} /></label>
        </>
      )}
      read={(form) => {
        const kind = fieldOf(form, 'kind');
        return {
          investigation: {
            method: fieldOf(form, 'method'), root_cause: kind === '' ? null : { kind, description: fieldOf(form, 'cause') },
            hypotheses: linesOf(fieldOf(form, 'hypotheses')).map((statement) => before.get(statement) ?? { statement, support: [], refute: [] }),
            similar_records: linesOf(fieldOf(form, 'similar')),
          },
        };
      }}>
      <div class="capa-part">
        {found === null ? <p class="faint">Not begun.</p> : (
          <>
            <p>{inWords(found.method)} · root cause {found.root_cause === null ? 'not known yet' : found.root_cause.kind}</p>
            {found.root_cause !== null && <p class="capa-text">{found.root_cause.description}</p>}
            {found.hypotheses.map((one) => <p key={one.statement} class="sub">{one.statement}{one.support.length > 0 && ` · for: ${one.support.join('; ')}`}{one.refute.length > 0 && ` · against: ${one.refute.join('; ')}`}</p>)}
            {found.similar_records.length > 0 && <p class="sub">similar: {found.similar_records.map((id) => <><a class="link" key={id} href={`/capa/${inPath(id)}`}>{id}</a> </>)}</p>}
          </>
        )}
      </div>
    </Section>
  );
}
