import { useSignal } from '@preact/signals';
import { Age } from '../../parts/age.tsx';
import { ActionButton } from '../../parts/action-button.tsx';
import { Card } from '../../parts/card.tsx';
import { Copyable } from '../../parts/copyable.tsx';
import { fieldOf } from '../../parts/form.ts';
import { sayRefused } from '../../parts/answers.tsx';
import { Findings } from './findings.tsx';
import { seenCheckpoint, rememberCheckpoint, trustedKey } from './remembered.ts';
import { canHash } from './tree.ts';
import { verifyCheckpoint, verifyExport, worstOf, type Exported, type Finding } from './verify.ts';

export interface Head { checkpoint: string; log_id: string; size: number; root: string; sealed_at: string; vkey: string | null; unsealed: number }

interface Props {
  head: Head | null;
  consistency: (from: number, to: number) => Promise<string[]>;
  exported: (missionId: string) => Promise<Exported>;
}

export const cannotVerifyHere = 'A browser can hash only on https or on this very host (WebCrypto). Verify offline instead: missionctl verify.';

/** Verification by the browser itself, against a key of the reader's own where they have one. */
export function Verify({ head, consistency, exported }: Props) {
  const result = useSignal<{ of: string; at: string; findings: Finding[] } | null>(null);
  const vkey = trustedKey.value === '' ? head?.vkey ?? '' : trustedKey.value;
  const tell = (of: string, findings: Finding[]): null => {
    result.value = { of, at: new Date().toISOString(), findings };
    return null;
  };

  async function checkpoint(): Promise<null> {
    const findings = await verifyCheckpoint(head!.checkpoint, vkey, seenCheckpoint(), consistency);
    // What does not hold is no ground to stand on; nor what could not be checked.
    if (worstOf(findings) === 'holds') rememberCheckpoint(head!.checkpoint);
    return tell(`Checkpoint of ${head!.size.toLocaleString()} records`, findings);
  }
  async function mission(event: SubmitEvent): Promise<void> {
    event.preventDefault();
    const id = fieldOf(event.target, 'mission_id');
    try {
      tell(id, await verifyExport(await exported(id), vkey));
    } catch (error) {
      sayRefused(error);
    }
  }
  if (!canHash()) return <Card title="Verify in this browser"><p class="pad">{cannotVerifyHere}</p></Card>;
  return (
    <Card title="Verify in this browser" aside="computed here">
      <div class="verify">
        <label>
          <span>Key that you trust, from elsewhere</span>
          <input class="mono" value={trustedKey.value} placeholder="the key that the ledger names itself" spellcheck={false} onInput={(event) => { trustedKey.value = event.currentTarget.value.trim(); }} />
        </label>
        {trustedKey.value === '' && <p class="sub">Without one, everything is held against the key that this server names itself: whole, and of unproved origin.</p>}
        <div class="bar"><ActionButton disabled={head === null} run={checkpoint}>Verify the checkpoint</ActionButton></div>
        <form class="bar" onSubmit={(event) => { void mission(event); }}>
          <input name="mission_id" class="mono grow" required aria-label="Mission" placeholder="mission_…" spellcheck={false} />
          <button type="submit">Verify a mission</button>
        </form>
      </div>
      <div aria-live="polite">
        {result.value !== null && (
          <>
            <p class="of"><b class="wrap">{result.value.of}</b> <span class="sub">verified <Age at={result.value.at} /></span></p>
            <Findings findings={result.value.findings} />
          </>
        )}
      </div>
    </Card>
  );
}

export const Offline = ({ head }: { head: Head | null }) => (
  <Card title="Verify without us">
    <div class="pad">
      <p>Each record here offers its proof, and each mission its export: records, payloads, proofs and signed statements in one file. Neither needs this server:</p>
      <p><Copyable value={`missionctl verify mission.proof.json --key '${head?.vkey ?? '<key of the log>'}'`} /></p>
      <p>The whole ledger, on the host that keeps it:</p>
      <p><Copyable value="missionctl verify" /></p>
      <p>It says whole, not whole with the first bad record, incomplete, or truncated. Checkpoint and proofs are C2SP and RFC 6962: other tools read them, too.</p>
    </div>
  </Card>
);
