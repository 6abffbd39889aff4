/** Names of things as people read them, and the colour that stands beside each. */
import type { MissionLine } from '../domain/mission-view.ts';
import type { MissionOutcome, MissionStatus, Severity } from '../domain/mission.ts';
import type { StageName, StageStatus } from '../domain/stages.ts';
import type { HealthState } from '../domain/subsystem.ts';
import type { WaitingKind } from '../domain/waiting.ts';
import type { Tone } from './tone.ts';

/** `observation_window` → `Observation window`. */
export const inWords = (name: string): string => capital(name.replaceAll('_', ' '));
export const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);

/** The first characters of a commit, tree or digest. */
export const short = (id: string): string => id.slice(0, 8);

export const severityTone: Readonly<Record<Severity, Tone>> = { critical: 'bad', high: 'bad', medium: 'warn', low: 'unknown' };
export const healthTone: Readonly<Record<HealthState, Tone>> = { healthy: 'good', degraded: 'warn', unhealthy: 'bad', unknown: 'unknown' };
export const stageTone: Readonly<Record<StageStatus, Tone>> = { pending: 'unknown', running: 'run', waiting: 'wait', passed: 'good', failed: 'bad', skipped: 'unknown' };

const statusTone: Readonly<Record<MissionStatus, Tone>> = {
  open: 'unknown', in_progress: 'run', observing: 'run', resolved: 'good', escalated: 'bad', aborted: 'unknown',
};
export const statusWords: Readonly<Record<MissionStatus, string>> = {
  open: 'open', in_progress: 'in progress', observing: 'observing', resolved: 'resolved', escalated: 'escalated', aborted: 'aborted',
};
const outcomeWords: Readonly<Record<MissionOutcome, string>> = {
  landed: 'landed', rolled_back: 'rolled back', healed: 'healed', ineffective: 'ineffective', rejected: 'rejected',
  completed: 'completed', failed: 'failed', cancelled: 'cancelled',
};

/** Waits that a person ends. Others end by themselves. */
const forPeople: readonly WaitingKind[] = ['approval', 'operator', 'budget', 'observation'];
export const waitsForPerson = ({ waiting_on: on }: Pick<MissionLine, 'waiting_on'>): boolean => on !== null && forPeople.includes(on.kind);

/** Waits that a retry ends. */
const retried: readonly WaitingKind[] = ['operator', 'landing', 'agent', 'budget'];
export const canRetry = ({ waiting_on: on }: Pick<MissionLine, 'waiting_on'>): boolean => on !== null && retried.includes(on.kind);

const waitWords: Readonly<Record<WaitingKind, string>> = {
  approval: 'approval', operator: 'parked', agent: 'no agent', budget: 'budget', dependency: 'dependency', pause: 'paused', landing: 'queued',
  observation: 'undecided', resource: 'locked out',
};
export const waitWord = (kind: WaitingKind): string => waitWords[kind];

/** The one word that says how a mission stands now. */
export function stateOf(mission: Pick<MissionLine, 'status' | 'outcome' | 'paused' | 'waiting_on' | 'stage'>): { tone: Tone; word: string } {
  const { status, outcome, paused, waiting_on: on } = mission;
  if (outcome !== null) {
    // Ended well or not is the status; how, is the outcome.
    return { tone: statusTone[status], word: outcome === 'landed' || outcome === 'healed' || outcome === 'completed' ? statusWords[status] : outcomeWords[outcome] };
  }
  if (paused) return { tone: 'warn', word: 'paused' };
  if (on !== null) return { tone: on.kind === 'operator' || on.kind === 'budget' ? 'warn' : 'wait', word: waitWord(on.kind) };
  if (status === 'in_progress' && mission.stage !== null) return { tone: 'run', word: stageWord(mission.stage) };
  return { tone: statusTone[status], word: statusWords[status] };
}

export const stageWord = (stage: StageName): string => stage.replaceAll('_', ' ');

/** Micro-USD as dollars. */
export const dollars = (micro: number): string => {
  const value = micro / 1_000_000;
  return `$${value.toLocaleString('en-US', { minimumFractionDigits: 2, maximumFractionDigits: value !== 0 && value < 0.1 ? 4 : 2 })}`;
};

export const bytes = (size: number): string =>
  (size < 1_024 ? `${size} B` : size < 1_048_576 ? `${(size / 1_024).toFixed(1)} kB` : `${(size / 1_048_576).toFixed(1)} MB`);

export const plural = (n: number, one: string, many = `${one}s`): string => `${n.toLocaleString()} ${n === 1 ? one : many}`;
