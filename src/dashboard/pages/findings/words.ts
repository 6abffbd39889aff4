/** How a finding's state reads. */
import type { FindingState } from '../../../domain/finding.ts';
import type { Tone } from '../../tone.ts';

export const findingTone: Readonly<Record<FindingState, Tone>> = {
  PENDING: 'warn', FIRING: 'bad', RECOVERING: 'run', RESOLVED: 'good', NO_DATA: 'unknown', FLAPPING: 'warn', SILENCED: 'unknown', INHIBITED: 'unknown',
};
export const findingWord = (state: string): string => state.toLowerCase().replaceAll('_', ' ');
