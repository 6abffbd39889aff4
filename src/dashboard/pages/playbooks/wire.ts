/** Playbooks as `GET /playbooks` and their runs as `GET /playbooks/:id/runs` give them. */
import type { Binding } from '../../../domain/binding.ts';
import type { RiskClass, RunOutcome, RunRuling } from '../../../domain/healing.ts';

export interface BoundPlaybook extends Omit<Binding, 'playbook_id' | 'observe'> {
  /** Why it is in quarantine here; null when it is not. */
  quarantined: string | null;
  ruling: RunRuling;
}

export interface PlaybookView {
  playbook_id: string;
  version: number;
  title: string;
  risk: RiskClass;
  symptoms: string[];
  resources: string[];
  next_rung: string | null;
  advice: string;
  bindings: BoundPlaybook[];
  /** Of the last 30 days. */
  runs: { outcome: RunOutcome; runs: number; last_started_at: string }[];
}

export interface PlaybookRun {
  mission_id: string;
  attempt: number;
  playbook_id: string;
  playbook_version: number;
  subsystem_id: string;
  resource_id: string;
  fingerprint: string;
  plan_digest: string | null;
  outcome: RunOutcome;
  reason: string | null;
  started_at: string;
  ended_at: string | null;
}

const countOf = (playbook: Pick<PlaybookView, 'runs'>, ...outcomes: RunOutcome[]): number =>
  playbook.runs.filter(({ outcome }) => outcomes.includes(outcome)).reduce((sum, { runs }) => sum + runs, 0);

/** How often acting helped. Null: it never acted, so nothing is known of it. Runs that changed nothing do not count. */
export function effectiveness(playbook: Pick<PlaybookView, 'runs'>): { effective: number; acted: number } | null {
  const effective = countOf(playbook, 'effective');
  const acted = effective + countOf(playbook, 'ineffective', 'failed');
  return acted === 0 ? null : { effective, acted };
}

/** Events after which what is shown of playbooks may be old. */
export const aboutPlaybooks = ({ type }: { type: string }): boolean => type.startsWith('healing.') || type.startsWith('playbook.');
