import { get, inPath } from '../api.ts';
import { Age } from '../parts/age.tsx';
import { Card } from '../parts/card.tsx';
import { Chip } from '../parts/chip.tsx';
import { Copyable } from '../parts/copyable.tsx';
import { PageHeader } from '../parts/page-header.tsx';
import { Loaded } from '../parts/states.tsx';
import { useResource } from '../resource.ts';
import { place } from '../route.ts';
import { Events } from './ledger/events.tsx';
import { OneRecord } from './ledger/one-record.tsx';
import { Offline, Verify, type Head } from './ledger/verify-card.tsx';
import './ledger.css';

/** Sealed often; asked for that often while somebody looks. */
const everyMs = 3_000;

/** What happened, in the one order that was sealed; and the means not to take our word for it. */
export function LedgerPage() {
  const head = useResource<Head>('/ledger/checkpoint', { every_ms: everyMs });
  const seq = Number(place.value.query.get('seq') ?? '0');
  const { unsealed } = head.data ?? { unsealed: 0 };
  return (
    <>
      <PageHeader title="Ledger" chips={head.data !== null && <Chip tone={unsealed === 0 ? 'good' : 'warn'}>{head.data.size.toLocaleString()} sealed{unsealed > 0 && `, ${unsealed} not yet`}</Chip>} />
      <div class="cols ledger">
        <div class="stack">
          {Number.isSafeInteger(seq) && seq > 0 && <OneRecord key={seq} seq={seq} vkey={head.data?.vkey ?? null} />}
          <Events />
        </div>
        <div class="stack">
          <Card title="Newest checkpoint" aside={head.data !== null && <>sealed <Age at={head.data.sealed_at} /></>}>
            <Loaded of={head} what="the checkpoint">{(one) => <Newest head={one} />}</Loaded>
          </Card>
          <Verify head={head.data} consistency={async (from, to) => (await get<{ proof: string[] }>(`/ledger/consistency?from=${from}&to=${to}`)).proof} exported={(id) => get(`/missions/${inPath(id)}/export`)} />
          <Offline head={head.data} />
        </div>
      </div>
    </>
  );
}

const Newest = ({ head }: { head: Head }) => (
  <>
    <dl class="whole">
      <dt>Records</dt><dd class="num">{head.size.toLocaleString()}</dd>
      <dt>Root</dt><dd><Copyable value={head.root} /></dd>
      <dt>Log</dt><dd><Copyable value={head.log_id} /></dd>
      <dt>Key</dt><dd>{head.vkey === null ? 'the ledger names no key' : <Copyable value={head.vkey} />}</dd>
    </dl>
    <details class="note">
      <summary>Signed note</summary>
      <pre tabIndex={0} aria-label="Signed note of the newest checkpoint">{head.checkpoint}</pre>
    </details>
  </>
);
