/** Corrective and preventive action records. */
export const capaStates = [
  'OPENED', 'TRIAGED', 'REJECTED', 'CONTAINED', 'INVESTIGATING', 'PLAN_PROPOSED', 'PLAN_APPROVED', 'IMPLEMENTING',
  'VERIFIED', 'EFFECTIVENESS_DUE', 'CLOSED_EFFECTIVE', 'REOPENED', 'VOIDED',
] as const;
export type CapaState = (typeof capaStates)[number];

export const capaSources = ['escalation', 'rollback', 'revert_conflict', 'ledger_violation', 'landing_violation', 'manual',
  'healing_escalation', 'quarantine', 'flapping'] as const;
export type CapaSource = (typeof capaSources)[number];

export interface Capa {
  capa_id: string;
  state: CapaState;
  source: CapaSource;
  /** Same fingerprint, same open record: a repeat is an occurrence, not another record. */
  fingerprint: string;
  occurrences: number;
  mission_id: string | null;
  subsystem_id: string;
  problem_statement: string;
  /** Digests of the artefacts that show the problem. */
  evidence: string[];
  opened_by: string;
  opened_at: string;
}

export const capaId = (year: number, number: number): string => `CAPA-${year}-${String(number).padStart(4, '0')}`;
