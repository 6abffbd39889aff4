import { useSignal } from '@preact/signals';
import { useContext } from 'preact/hooks';
import { actorOf } from '../../../domain/actor.ts';
import type { CapaState } from '../../../domain/capa.ts';
import { capaMoves, needsReason, nextStates, refuseMove } from '../../../domain/capa-transitions.ts';
import type { CapaView } from '../../../domain/capa-view.ts';
import { inPath, post } from '../../api.ts';
import { ActionButton } from '../../parts/action-button.tsx';
import { Card } from '../../parts/card.tsx';
import { signedIn } from '../../session.ts';
import { now } from '../../time.ts';
import { Reread } from './section.tsx';
import { moveWord, stateWord } from './words.ts';

const effects: Partial<Record<CapaState, string>> = {
  PLAN_PROPOSED: 'From here the plan and what it rests on stand still, until somebody else approves it or sends it back.',
  PLAN_APPROVED: 'The actions may be implemented as they stand. You cannot review their effect later.',
  EFFECTIVENESS_DUE: 'The criterion is measured by itself at its date, over the window before it. If it is not met, the record is reopened.',
  CLOSED_EFFECTIVE: 'The record is closed for good: its effect was measured and found.',
  REJECTED: 'The record is closed for good, and nothing is done about it.',
  VOIDED: 'The record is closed for good; the one that it repeats stands.',
  REOPENED: 'The plan did not help: the record goes back to be investigated.',
  INVESTIGATING: 'The plan can be changed, and must be proposed and approved anew.',
};

const recordId = /^CAPA-\d{4}-\d{4,9}$/;
const named = 'CAPA-0000-0000';

/** Where the record can go: only moves that this person may make; what still lacks is named instead of refused later. */
export function Moves({ capa }: { capa: CapaView }) {
  const principal = signedIn()?.principal;
  const original = useSignal('');
  const reread = useContext(Reread);
  if (principal === undefined || nextStates(capa.state).length === 0) return null;
  const actor = actorOf(principal);
  const ways = nextStates(capa.state).map((to) => ({
    to, move: capaMoves[capa.state][to]!,
    refusal: refuseMove(capa, { to, actor, now: now.value, reason: 'given when asked', duplicate_of: to === 'VOIDED' ? named : null }),
  })).filter(({ refusal }) => refusal?.code !== 'FORBIDDEN');
  async function move(to: CapaState, reason: string): Promise<string> {
    await post(`/capa/${inPath(capa.capa_id)}/transitions`, {
      to, version: capa.version, ...(reason === '' ? {} : { reason }), ...(to === 'VOIDED' ? { duplicate_of: original.value.trim() } : {}),
    });
    await reread();
    return `${capa.capa_id} is ${stateWord(to).toLowerCase()}`;
  }
  return (
    <Card title="Next" class="capa-next">
      <div class="capa-part capa-moves">
        {ways.length === 0 && <p class="sub">Somebody else decides what comes next: {nextStates(capa.state).map((to) => stateWord(to).toLowerCase()).join(' or ')}.</p>}
        {ways.map(({ to, move: { direction }, refusal }) => (
          <div key={to}>
            <div class="bar">
              {to === 'VOIDED' && <label class="bar"><span class="sub">repeats</span><input value={original.value} placeholder="CAPA-2026-0001" size={16} onInput={(event) => { original.value = event.currentTarget.value; }} /></label>}
              <ActionButton
                tone={direction === 'forward' ? 'primary' : direction === 'end' ? 'danger' : undefined}
                disabled={refusal !== null || (to === 'VOIDED' && !recordId.test(original.value.trim()))}
                run={(reason) => move(to, reason)}
                ask={{
                  title: `${moveWord(capa.state, to)}: ${capa.capa_id}?`, verb: moveWord(capa.state, to), dangerous: direction === 'end',
                  effect: effects[to] ?? `The record is ${stateWord(to).toLowerCase()} from now on.`, reason: needsReason(capaMoves[capa.state][to]!) ? 'required' : 'optional',
                }}
              >{moveWord(capa.state, to)}</ActionButton>
            </div>
            {refusal !== null && (refusal.errors.length === 0
              ? <p class="sub">{refusal.detail}</p>
              : <ul class="missing">{refusal.errors.map(({ path, message }) => <li key={path}>{path.replaceAll(/[._]/g, ' ')}: {message}</li>)}</ul>)}
          </div>
        ))}
      </div>
    </Card>
  );
}
