/** How risks and outcomes of playbooks read. */
import type { RiskClass, RunOutcome } from '../../../domain/healing.ts';
import type { Tone } from '../../tone.ts';

export const riskTone: Readonly<Record<RiskClass, Tone>> = { low: 'unknown', medium: 'warn', high: 'bad', destructive: 'bad' };
export const outcomeTone: Readonly<Record<RunOutcome, Tone>> = {
  running: 'run', effective: 'good', ineffective: 'bad', failed: 'bad', refused: 'warn', aborted: 'unknown', dry_run: 'unknown', healthy: 'unknown',
};

/** What its risk means for who must agree, in a sentence. */
export const riskWords: Readonly<Record<RiskClass, string>> = {
  low: 'may run alone', medium: 'policy decides whether a person agrees first', high: 'a person agrees first', destructive: 'two people agree first',
};
