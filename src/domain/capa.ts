/** Corrective and preventive action records: what one holds. Its moves stand in `capa-transitions`. */
import type { Role } from './actor.ts';
import type { Comparator } from './metric.ts';
import type { Aggregation } from './observation.ts';

export const capaStates = [
  'OPENED', 'TRIAGED', 'REJECTED', 'CONTAINED', 'INVESTIGATING', 'PLAN_PROPOSED', 'PLAN_APPROVED', 'IMPLEMENTING',
  'VERIFIED', 'EFFECTIVENESS_DUE', 'CLOSED_EFFECTIVE', 'REOPENED', 'VOIDED',
] as const;
export type CapaState = (typeof capaStates)[number];

/** A record in one of these is closed: it counts no occurrences and takes no edits. */
export const isClosed = (state: CapaState): boolean =>
  state === 'REJECTED' || state === 'CLOSED_EFFECTIVE' || state === 'VOIDED';

export const capaSources = [
  'escalation', 'rollback', 'revert_conflict', 'ledger_violation', 'landing_violation', 'quarantine', 'flapping',
  'healing_escalation', 'ineffective', 'manual',
] as const;
export type CapaSource = (typeof capaSources)[number];

export const capaTypes = ['corrective', 'preventive', 'both'] as const;
export const investigationMethods = ['five_whys', 'fault_tree', 'fishbone', 'other'] as const;

/** Each from 1 (harmless, rare, always noticed) to 10. */
export interface CapaRisk { severity: number; occurrence: number; detection: number }

/** The risk priority number, 1 to 1,000. */
export const riskScore = ({ severity, occurrence, detection }: CapaRisk): number => severity * occurrence * detection;

/** What stopped the harm at once, apart from the cause; or why nothing had to be stopped. */
export interface Containment { kind: 'done' | 'not_needed'; description: string }

export interface Hypothesis { statement: string; support: string[]; refute: string[] }

export interface Investigation {
  method: (typeof investigationMethods)[number];
  hypotheses: Hypothesis[];
  /** Null until the investigation has an answer; "undetermined" is one, with its rationale. */
  root_cause: { kind: 'found' | 'undetermined'; description: string } | null;
  /** Records of similar problems. */
  similar_records: string[];
}

export interface CapaAction {
  action_id: string;
  description: string;
  /** Principal id of who sees to it. */
  owner: string;
  due_at: string;
  /** Missions started for it, oldest first. */
  missions: string[];
  done: { by: string; at: string } | null;
}

export interface Verification {
  /** How it was shown that the actions work. */
  description: string;
  /** How it was shown that they do no harm elsewhere. */
  no_adverse_effect: string;
  evidence: string[];
}

/** When the actions count as effective. Part of the plan: fixed before anything is implemented. */
export interface EffectivenessCriterion {
  metric_id: string;
  aggregation: Aggregation;
  comparator: Comparator;
  target: number;
  window_minutes: number;
  min_samples: number;
}

export interface EffectivenessResult {
  passed: boolean;
  value: number | null;
  samples: number;
  reason: string;
  /** The measured window. */
  from: string;
  until: string;
}

/** One move: who decided it, when and why. */
export interface CapaDecision {
  from: CapaState;
  to: CapaState;
  by: string;
  role: Role | 'system';
  at: string;
  reason: string | null;
}

/** What people and agents fill in, and what came of it. Stored as one document. */
export interface CapaRecord {
  type: (typeof capaTypes)[number] | null;
  risk: CapaRisk | null;
  containment: Containment | null;
  investigation: Investigation | null;
  actions: CapaAction[];
  criterion: EffectivenessCriterion | null;
  /** Who wrote a part of the plan: none of them approves it. */
  plan_authors: string[];
  verification: Verification | null;
  /** When the record should be closed. */
  due_at: string | null;
  /** End of the window over which the criterion's metric is measured. */
  effectiveness_due_at: string | null;
  /** Of the measurement that this plan came to; null before it. */
  result: EffectivenessResult | null;
  duplicate_of: string | null;
  decisions: CapaDecision[];
}

export const emptyRecord: CapaRecord = {
  type: null, risk: null, containment: null, investigation: null, actions: [], criterion: null, plan_authors: [], verification: null,
  due_at: null, effectiveness_due_at: null, result: null, duplicate_of: null, decisions: [],
};

export interface Capa extends CapaRecord {
  capa_id: string;
  state: CapaState;
  /** Counts edits and moves from 1; who changes a record names the version they saw. */
  version: number;
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

/** Principals are the same whatever the case their id was typed in. */
export const samePrincipal = (a: string, b: string): boolean => a.toLowerCase() === b.toLowerCase();
