import { useSignal } from '@preact/signals';
import type { Silence, SilenceMatchers } from '../../../domain/silence.ts';
import { call, inPath, post } from '../../api.ts';
import { ActionButton } from '../../parts/action-button.tsx';
import { Age } from '../../parts/age.tsx';
import { sayDone, sayRefused } from '../../parts/answers.tsx';
import { Card } from '../../parts/card.tsx';
import { fieldOf } from '../../parts/form.ts';
import { Empty, Loaded } from '../../parts/states.tsx';
import { useResource } from '../../resource.ts';
import { may } from '../../session.ts';
import { absolute, now } from '../../time.ts';
import { short } from '../../words.ts';

const lengths: readonly [hours: number, words: string][] = [[1, '1 hour'], [4, '4 hours'], [24, '1 day'], [24 * 7, '7 days'], [24 * 30, '30 days']];

const inWords = ({ subsystem_id, rule_id, fingerprint }: SilenceMatchers): string =>
  [subsystem_id && `subsystem ${subsystem_id}`, rule_id && `rule ${rule_id}`, fingerprint && `this finding (${short(fingerprint)})`].filter(Boolean).join(' and ');

/** Silences in force, and those to be added. */
export function Silences() {
  const silences = useResource<{ items: Silence[] }>('/silences?limit=200', { on: (event) => event.type.startsWith('silence.') });
  const adding = useSignal(false);
  const inForce = (silences.data?.items ?? []).filter((one) => one.removed_at === null && Date.parse(one.until) > now.value);
  return (
    <Card title="Silences" aside={`${inForce.length} in force`}>
      <Loaded of={silences} what="silences">
        {() => (
          <>
            {inForce.length === 0 && <Empty title="Nothing is silenced">A silence stops effects and words about findings that match, until a moment and for a reason.</Empty>}
            {inForce.map((silence) => <SilenceRow key={silence.silence_id} silence={silence} />)}
          </>
        )}
      </Loaded>
      {may('finding:silence') && (
        <div class="row">
          {adding.value
            ? <SilenceForm done={() => { adding.value = false; }} />
            : <div><button type="button" onClick={() => { adding.value = true; }}>Add a silence</button></div>}
        </div>
      )}
    </Card>
  );
}

const SilenceRow = ({ silence: { silence_id, matchers, reason, created_by, until } }: { silence: Silence }) => (
  <div class="row silence">
    <div class="wrap">
      {inWords(matchers)}
      <div class="sub">{reason} · by {created_by} · ends <Age at={until} /></div>
    </div>
    {may('finding:silence') && (
      <ActionButton run={async () => { await call('DELETE', `/silences/${inPath(silence_id)}`); return 'the silence has ended'; }}
        ask={{ title: 'End this silence now?', effect: `Findings of ${inWords(matchers)} have effects again, and people are told of them.`, verb: 'End silence' }}>End</ActionButton>
    )}
  </div>
);

/** @param fixed matchers that are given: the finding that is looked at */
export function SilenceForm({ fixed, done }: { fixed?: SilenceMatchers; done: () => void }) {
  const sending = useSignal(false);
  async function submit(event: SubmitEvent): Promise<void> {
    event.preventDefault();
    const form = event.target;
    const given = (name: string) => (fieldOf(form, name) === '' ? {} : { [name]: fieldOf(form, name) });
    const matchers = fixed ?? { ...given('subsystem_id'), ...given('rule_id') };
    const until = new Date(Date.now() + Number(fieldOf(form, 'hours')) * 3_600_000).toISOString();
    sending.value = true;
    try {
      await post('/silences', { matchers, reason: fieldOf(form, 'reason'), until });
      sayDone(`silenced until ${absolute(until).split(' · ')[0]}`);
      done();
    } catch (error) {
      sayRefused(error);
    } finally {
      sending.value = false;
    }
  }
  return (
    <form class="fields" onSubmit={(event) => { void submit(event); }}>
      {fixed === undefined && (
        <>
          <label><span>Subsystem</span><input name="subsystem_id" maxLength={200} autoComplete="off" /></label>
          <label><span>Rule (with a subsystem, both must match)</span><input name="rule_id" maxLength={500} autoComplete="off" /></label>
        </>
      )}
      <label><span>For</span><select name="hours">{lengths.map(([hours, words]) => <option key={hours} value={hours}>{words}</option>)}</select></label>
      <label><span>Reason, kept in the ledger</span><textarea name="reason" rows={2} required maxLength={2_000} /></label>
      <div class="buttons">
        <button type="button" onClick={done}>Cancel</button>
        <button type="submit" class="primary" aria-busy={sending.value} disabled={sending.value}>Silence</button>
      </div>
    </form>
  );
}
