import type { Approval } from '../../../domain/approval.ts';
import type { HealingPlan, PlannedStep, RiskClass } from '../../../domain/healing.ts';
import { Card } from '../../parts/card.tsx';
import { Chip } from '../../parts/chip.tsx';
import type { Tone } from '../../tone.ts';
import { Empty, Failed, Loading } from '../../parts/states.tsx';
import { plural } from '../../words.ts';
import { planOf, useEvidence } from './evidence.ts';

const riskTone: Readonly<Record<RiskClass, Tone>> = { low: 'good', medium: 'warn', high: 'bad', destructive: 'bad' };

/** A healing plan: each step as it would be carried out, and what it rests on. */
export function Plan({ approval }: { approval: Approval }) {
  const looked = useEvidence(approval, planOf);
  if (looked.state === 'loading') return <Card title="Plan"><Loading what="the plan" /></Card>;
  if (looked.state === 'failed') return <Card title="Plan"><Failed error={looked.error} /></Card>;
  const plan = looked.value;
  if (plan === null) return <Card title="Plan"><Empty title="This plan is not in the evidence">The mission may have planned anew since.</Empty></Card>;
  return (
    <>
      <Card title={<span class="mono">{plan.playbook_id} v{plan.playbook_version}</span>} aside={`on ${plan.resource_id} of ${plan.subsystem_id}`}>
        <div class="verdict">
          <Chip tone={riskTone[plan.risk]}>risk {plan.risk}</Chip>
          <Chip tone={plan.data_loss === 0 ? 'unknown' : 'bad'}>{plan.data_loss === 0 ? 'no data is lost' : `data may be lost: ${plan.data_loss}`}</Chip>
          <span class="sub">locks {plan.locks.join(', ') || 'nothing'}</span>
        </div>
        <ol class="steps">{plan.steps.map((step) => <Step key={step.id} step={step} />)}</ol>
      </Card>
      <Facts plan={plan} />
    </>
  );
}

const Step = ({ step }: { step: PlannedStep }) => (
  <li>
    <div><b>{step.effect}</b></div>
    <div class="sub">
      <span class="mono">{step.id}</span> · {step.reversibility} · {step.run === 'always' ? 'always' : 'only while the symptom is there'} · when it fails: {step.on_failure === 'stop' ? 'stop and undo' : 'the next step'} · at most {plural(step.timeout_seconds, 'second')}
    </div>
    <pre tabIndex={0} aria-label={`What step ${step.id} calls`}>{step.action}({JSON.stringify(step.with, null, 2)})</pre>
    {step.compensate !== null && <pre tabIndex={0} aria-label={`What takes step ${step.id} back`}>undone by {step.compensate.action}({JSON.stringify(step.compensate.with, null, 2)})</pre>}
  </li>
);

const Facts = ({ plan }: { plan: HealingPlan }) => (
  <Card title="What it rests on" aside="measured when it was planned">
    <pre class="facts" tabIndex={0} aria-label="Facts of the plan">{JSON.stringify(plan.facts, null, 2)}</pre>
  </Card>
);
