/** Findings as they are stored and shown, and the rules that they come from. */
import type { FindingCondition, FindingRule, FindingState } from './finding.ts';
import type { Severity } from './mission.ts';

export const findingSources = ['probe', 'metric', 'signal', 'detector', 'storm'] as const;
export type FindingSource = (typeof findingSources)[number];

/** A rule and what a finding of it would be. */
export interface WatchedRule extends FindingRule {
  rule_id: string;
  source: FindingSource;
  subsystem_id: string;
  resource_id: string | null;
  symptom: string | null;
  /** Only this playbook may heal it; null for whichever matches the symptom. */
  playbook_id: string | null;
  title: string;
  /** What it is about; those that tell two sightings of one problem apart are named in `volatile`. */
  attributes: Record<string, string>;
  volatile?: readonly string[];
}

/** A finding as stored. Times are RFC 3339 UTC. */
export interface Finding {
  finding_id: string;
  created_seq: number;
  fingerprint: string;
  rule_id: string;
  source: FindingSource;
  subsystem_id: string;
  resource_id: string | null;
  symptom: string | null;
  playbook_id: string | null;
  severity: Severity;
  title: string;
  attributes: Record<string, string>;
  condition: FindingCondition;
  condition_since: string;
  state: FindingState;
  state_since: string;
  reason: string;
  value: number | null;
  occurrences: number;
  no_data: number;
  inhibited_by: string | null;
  silence_id: string | null;
  healing_mission_id: string | null;
  healing_asked_at: string | null;
  first_seen_at: string;
  fired_at: string | null;
  last_seen_at: string;
  resolved_at: string | null;
  version: number;
}
