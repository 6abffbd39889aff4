/** Whether what is on the screen is live, and how old the last of it is. Stale data never looks live. */
import { Age, Span } from '../parts/age.tsx';
import { connection, metrics, seq } from '../store.ts';
import { now } from '../time.ts';

/** The ledger seals within milliseconds; so long without sealing what is written is worth a word. */
const sealerLateMs = 5_000;

export function ConnectionState() {
  const { state, since } = connection.value;
  const { sealed_at: sealedAt = null, unsealed = 0 } = metrics.value ?? {};
  const late = unsealed > 0 && sealedAt !== null && now.value - Date.parse(sealedAt) > sealerLateMs;
  return (
    <div class="connection">
      {state === 'live' && <span class="live">live · seq {(seq.value ?? 0).toLocaleString()}</span>}
      {state === 'connecting' && <span class="waiting">connecting …</span>}
      {state === 'reconnecting' && <span class="lost">reconnecting since <Span at={since} /></span>}
      {sealedAt !== null && <span class={late ? 'late' : ''}>{late && `${unsealed} unsealed, last `}sealed <Age at={sealedAt} /></span>}
    </div>
  );
}

/** Over the page while the connection is lost; said aloud when it comes and goes. */
export function ConnectionBanner() {
  const { state, since, reason } = connection.value;
  return (
    <div aria-live="polite" class="connection-banner">
      {state === 'reconnecting' && (
        <p class="stale">Not live: what you see is from <Age at={since} />{reason !== null && `, ${reason}`}. Reconnecting by itself.</p>
      )}
    </div>
  );
}
