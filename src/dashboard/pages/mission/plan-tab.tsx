import type { StageRecord } from '../../../domain/stages.ts';
import { Chip } from '../../parts/chip.tsx';
import { Empty, Loading } from '../../parts/states.tsx';
import { inWords } from '../../words.ts';
import { evidenceOf, useJsonArtifact } from './artifact.ts';

interface Plan { playbook_id?: string; risk?: string; data_loss?: string; steps?: { id: string; action: string; effect: string; reversibility: string }[] }

/** What a healing mission means to do, step by step, and whether each can be taken back. */
export function PlanTab({ stages }: { stages: readonly StageRecord[] }) {
  const ref = evidenceOf(stages, 'healing_plan').at(-1);
  const { value: plan, error } = useJsonArtifact<Plan>(ref);
  if (ref === undefined) return <Empty title="No plan yet">A playbook is chosen and its steps are planned once the symptom has been seen.</Empty>;
  if (plan === undefined) return error === null ? <Loading what="the plan" /> : <Empty title="Not readable">{error}</Empty>;
  return (
    <>
      <p class="pad">{ref.summary}</p>
      <table>
        <thead><tr><th>Step</th><th>Effect</th><th>Can be taken back</th></tr></thead>
        <tbody>
          {(plan.steps ?? []).map((step) => (
            <tr key={step.id}><td><b>{step.id}</b> <span class="mono">{step.action}</span></td><td class="wrap">{step.effect}</td><td><Chip tone={step.reversibility === 'reversible' ? 'good' : 'warn'}>{inWords(step.reversibility)}</Chip></td></tr>
          ))}
        </tbody>
      </table>
    </>
  );
}
