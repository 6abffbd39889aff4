import { useSignal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import type { SealedEvent } from '../../../domain/event.ts';
import { get, inPath } from '../../api.ts';
import { ActionButton } from '../../parts/action-button.tsx';
import { Age } from '../../parts/age.tsx';
import { Copyable } from '../../parts/copyable.tsx';
import { Loaded } from '../../parts/states.tsx';
import { Told } from '../../parts/told.tsx';
import { useResource } from '../../resource.ts';
import { setQuery } from '../../route.ts';
import { absolute } from '../../time.ts';
import { Findings } from './findings.tsx';
import { trustedKey } from './remembered.ts';
import { canHash } from './tree.ts';
import { cannotVerifyHere } from './verify-card.tsx';
import { verifyRecord, type Finding, type Proved } from './verify.ts';

/** One record in full: what was sealed, what it was about, its proof, and a button that checks it here. */
export function OneRecord({ seq, vkey }: { seq: number; vkey: string | null }) {
  const proof = useResource<Proved>(`/ledger/proof/${seq}`);
  const events = useResource<{ items: SealedEvent[] }>(`/events?after=${seq - 1}&limit=1`);
  const event = events.data?.items.find((one) => one.seq === seq);
  const box = useRef<HTMLElement>(null);
  useEffect(() => { box.current?.focus(); }, []);
  return (
    <section class="card record" ref={box} tabIndex={-1} aria-label={`Record ${seq}`}>
      <h2><span class="title">Record {seq.toLocaleString()}</span><button type="button" class="link" onClick={() => setQuery({ seq: null })}>close</button></h2>
      {event !== undefined && <p class="told"><Told event={event} /> <span class="sub"><Age at={event.ts} /></span></p>}
      <Loaded of={proof} what="the proof">{(proved) => <Sealed proved={proved} event={event} vkey={vkey} />}</Loaded>
    </section>
  );
}

/** A record as it is sealed, flat: `subject.stage` and its like. */
const flat = (record: object, prefix = ''): [string, unknown][] =>
  Object.entries(record).flatMap(([name, value]) => (typeof value === 'object' && value !== null && !Array.isArray(value) ? flat(value as object, `${prefix}${name}.`) : [[prefix + name, value] as [string, unknown]]));

function Sealed({ proved, event, vkey }: { proved: Proved; event: SealedEvent | undefined; vkey: string | null }) {
  const findings = useSignal<Finding[] | null>(null);
  const { seq, subject: { mission_id: mission } } = proved.record;
  async function verify(): Promise<null> {
    // Fetched anew: what is on the screen may have been shown for hours.
    const [now, before] = await Promise.all([get<Proved>(`/ledger/proof/${seq}`), seq === 1 ? null : get<Proved>(`/ledger/proof/${seq - 1}`)]);
    findings.value = await verifyRecord(now, trustedKey.value === '' ? vkey ?? '' : trustedKey.value, before);
    return null;
  }
  return (
    <>
      <dl class="whole fields">
        {flat(proved.record).map(([name, value]) => [<dt key={name} class="mono">{name}</dt>, <dd key={`${name}=`}><Field name={name} value={value} /></dd>])}
        <dt class="mono">leaf hash</dt><dd><Copyable value={proved.leaf_hash} /></dd>
      </dl>
      <h3>Payload</h3>
      {event === undefined ? <p class="pad faint">Not at hand: it was redacted, or its event could not be read.</p> : <pre tabIndex={0} aria-label="Payload">{JSON.stringify(event.payload, null, 2)}</pre>}
      <details class="note"><summary>Proof</summary><pre tabIndex={0} aria-label="Proof">{proved.proof}</pre></details>
      <div class="bar pad">
        {canHash() ? <ActionButton tone="primary" run={verify}>Verify here</ActionButton> : <p>{cannotVerifyHere}</p>}
        <a class="button" href={`/mission-control/ledger/proof/${seq}`} download={`record-${seq}.proof.json`}>Download proof</a>
        {mission !== null && <a class="button" href={`/mission-control/missions/${inPath(mission)}/export`} download={`${mission}.proof.json`}>Download the mission's proof</a>}
      </div>
      <div aria-live="polite">{findings.value !== null && <Findings findings={findings.value} />}</div>
    </>
  );
}

function Field({ name, value }: { name: string; value: unknown }) {
  if (value === null || (Array.isArray(value) && value.length === 0)) return <span class="faint">none</span>;
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  if (name === 'subject.mission_id') return <a class="mono" href={`/missions/${inPath(text)}`}>{text}</a>;
  if (name === 'ts') return <time class="mono" dateTime={text} title={absolute(text)}>{text}</time>;
  return <Copyable value={text} />;
}
