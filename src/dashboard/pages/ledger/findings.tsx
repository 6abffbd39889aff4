import { Chip } from '../../parts/chip.tsx';
import type { Tone } from '../../tone.ts';
import type { Verdict } from './note.ts';
import { worstOf, type Finding } from './verify.ts';

const tones: Readonly<Record<Verdict, Tone>> = { holds: 'good', broken: 'bad', unknown: 'warn' };
const words: Readonly<Record<Verdict, string>> = { holds: 'holds', broken: 'broken', unknown: 'not checked' };
const verdicts: Readonly<Record<Verdict, string>> = {
  holds: 'It holds.', broken: 'It does not hold. Do not trust it: compare with checkpoints that were kept elsewhere.', unknown: 'Not all of it could be checked here; that is not yet good.',
};

/** What was checked and how it came out; the worst of it first in words. */
export function Findings({ findings }: { findings: readonly Finding[] }) {
  const worst = worstOf(findings);
  return (
    <div class="findings">
      <p class={`verdict ${worst}`} role={worst === 'broken' ? 'alert' : undefined}>{verdicts[worst]}</p>
      <ul>
        {findings.map(({ what, verdict, detail }) => (
          <li key={what}><Chip tone={tones[verdict]}>{words[verdict]}</Chip><div class="wrap">{what}<div class="sub">{detail}</div></div></li>
        ))}
      </ul>
    </div>
  );
}
