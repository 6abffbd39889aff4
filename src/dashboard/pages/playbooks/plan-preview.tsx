import { useSignal } from '@preact/signals';
import type { HealingPlan, PlannedStep } from '../../../domain/healing.ts';
import { isTerminal } from '../../../domain/mission.ts';
import type { MissionDetail } from '../../../domain/mission-view.ts';
import { inPath } from '../../api.ts';
import { ActionButton } from '../../parts/action-button.tsx';
import { Chip } from '../../parts/chip.tsx';
import { Copyable } from '../../parts/copyable.tsx';
import { Loaded } from '../../parts/states.tsx';
import { useResource } from '../../resource.ts';
import { duration } from '../../time.ts';
import { plural } from '../../words.ts';
import { riskTone, riskWords } from './words.ts';

/** As the plan stage keeps it: what was asked of each playbook, and what it said. */
interface Considered { playbook_id: string; resource_id: string; chosen: boolean; reason: string }

/** How often a plan that is being made is looked at when no event says that it is there. */
const lookMs = 3_000;

/** What a playbook would do now: its steps, their effects, or why it would do nothing. Making it changes nothing. */
export function PlanPreview({ playbook, plan }: { playbook: string; plan: () => Promise<MissionDetail> }) {
  const made = useSignal<string | null>(null);
  return (
    <div class="plan stack">
      <div class="bar">
        <ActionButton run={async () => { made.value = (await plan()).mission_id; return null; }}>{made.value === null ? 'Show the plan' : 'Plan anew'}</ActionButton>
        <span class="sub">probes only, changes nothing</span>
      </div>
      {made.value !== null && <PlanOf key={made.value} mission={made.value} playbook={playbook} />}
    </div>
  );
}

function PlanOf({ mission: id, playbook }: { mission: string; playbook: string }) {
  const mission = useResource<MissionDetail>(`/missions/${inPath(id)}`, { on: (event) => event.subject.mission_id === id, every_ms: lookMs });
  return (
    <Loaded of={mission} what="the plan">
      {(one) => {
        const stage = one.stages.find(({ name }) => name === 'plan');
        if (!isTerminal(one.status)) return <p class="sub" role="status">{one.waiting_on?.reason ?? 'Probing and planning …'}</p>;
        const stored = (kind: string): string | undefined => stage?.evidence.find((item) => item.kind === kind)?.sha256;
        const [plan, considered] = [stored('healing_plan'), stored('candidates')];
        return (
          <>
            {plan === undefined
              ? <p><b>It would do nothing.</b> <span class="sub">{stage?.reason ?? one.ended_reason ?? 'no reason is recorded'}</span></p>
              : <Steps sha256={plan} />}
            {plan !== undefined && considered !== undefined && <ConsideredList sha256={considered} playbook={playbook} />}
            <p class="sub">Nothing was changed. The plan is kept with <a class="link mono" href={`/missions/${inPath(id)}`}>{id}</a>.</p>
          </>
        );
      }}
    </Loaded>
  );
}

function Steps({ sha256 }: { sha256: string }) {
  const plan = useResource<HealingPlan>(`/artifacts/${sha256}`);
  return (
    <Loaded of={plan} what="its steps">
      {({ steps, risk, data_loss: loss, locks, facts }) => (
        <div>
          <div class="bar">
            <b>{plural(steps.length, 'step')}</b>
            <Chip tone={riskTone[risk]}>{risk} risk</Chip>
            <Chip tone={loss > 0 ? 'bad' : 'unknown'}>{loss > 0 ? `loses ${loss}` : 'no data loss planned'}</Chip>
            <span class="sub">{loss > 0 ? 'a person agrees first: data is lost' : riskWords[risk]} · locks {locks.join(', ')} · <Copyable value={sha256} short={12} /></span>
          </div>
          {steps.map((step, i) => <Step key={step.id} step={step} number={i + 1} />)}
          <details><summary>What the plan rests on</summary><pre class="scroll" tabIndex={0}>{JSON.stringify(facts, null, 2)}</pre></details>
        </div>
      )}
    </Loaded>
  );
}

const Step = ({ step, number }: { step: PlannedStep; number: number }) => (
  <div class="row plan-step">
    <b>{number}</b>
    <div class="wrap">
      {step.effect}
      <div class="sub">
        <span class="mono">{step.action}</span> · {step.reversibility}{step.compensate === null ? '' : `, taken back by ${step.compensate.action}`}
        {step.run === 'while_symptom' && ' · skipped once the symptom is gone'} · if it fails: {step.on_failure === 'stop' ? 'stop and undo' : 'the next step'}
        {' '}· within {duration(step.timeout_seconds * 1_000)}{step.data_loss > 0 && <b> · loses {step.data_loss}</b>}
      </div>
      <pre>{JSON.stringify(step.with, null, 1)}</pre>
    </div>
  </div>
);

function ConsideredList({ sha256, playbook }: { sha256: string; playbook: string }) {
  const considered = useResource<Considered[]>(`/artifacts/${sha256}`);
  const refused = (considered.data ?? []).filter((one) => !one.chosen && one.playbook_id === playbook);
  return <>{refused.map((one) => <p class="sub" key={`${one.playbook_id} ${one.resource_id}`}>{one.playbook_id} on {one.resource_id}: {one.reason}</p>)}</>;
}
