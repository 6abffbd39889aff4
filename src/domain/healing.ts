/** Healing: what a playbook plans, what limits it, and how a run ended. */
import type { Severity } from './mission.ts';

/** `low` may run alone; `medium` by policy; `high` and any data loss need a person; `destructive` needs two. */
export const riskClasses = ['low', 'medium', 'high', 'destructive'] as const;
export type RiskClass = (typeof riskClasses)[number];

/** Anything that goes through Temporal and into a digest unchanged. */
export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

/** One concrete effect, as an approver reads it: argv, SQL or signal, its target, and what it is expected to do. */
export interface PlannedStep {
  /** Unique in its plan. */
  id: string;
  /** A registered action, and exactly what it is called with. */
  action: string;
  with: Record<string, Json>;
  /** What it is expected to do, in a sentence. */
  effect: string;
  reversibility: 'reversible' | 'compensable' | 'irreversible';
  /** `while_symptom`: a rung of a ladder, skipped once the symptom is gone. */
  run: 'always' | 'while_symptom';
  /** What a failure of this step means: the run stops and what was done is undone, or the next rung has its turn. */
  on_failure: 'stop' | 'next';
  /** What takes the effect back; run in reverse order when the run fails or did not help. */
  compensate: { action: string; with: Record<string, Json> } | null;
  /** Rows or files that are lost by it, as far as known when planning. More than 0 always needs a person. */
  data_loss: number;
  timeout_seconds: number;
}

/** Why a playbook does not act, as a value. */
export interface Decline {
  decline:
    /** Acting would be unsafe: unknown lock holder, backup that fails its check, undeclared package. */
    | 'refused'
    /** The facts are not those this playbook is for. */
    | 'not_applicable'
    /** The symptom is no longer there. */
    | 'healthy'
    /** Not a matter of operations: a change of code is proposed. */
    | 'mission';
  /** Stable and readable by programs, such as `LOCK_HOLDER_UNKNOWN`. */
  code: string;
  reason: string;
  facts?: Json;
}

export const isDecline = (value: unknown): value is Decline =>
  typeof value === 'object' && value !== null && 'decline' in value;

/** One thing that was measured to tell whether healing helped. */
export interface Check {
  ok: boolean;
  /** What was measured and found, in a sentence. */
  found: string;
  measured: Json;
}

/** What is approved, by its digest, and carried out. */
export interface HealingPlan {
  playbook_id: string;
  playbook_version: number;
  subsystem_id: string;
  resource_id: string;
  /** Digest of the resource's declaration when it was planned: another one at execution is drift. */
  resource_digest: string;
  /** Names of every resource that is locked for the run, sorted. */
  locks: string[];
  params: Json;
  facts: Json;
  steps: PlannedStep[];
  risk: RiskClass;
  data_loss: number;
}

export type StepOutcome = 'done' | 'skipped' | 'failed' | 'compensated' | 'compensation_failed';

export interface StepResult {
  id: string;
  action: string;
  outcome: StepOutcome;
  reason: string | null;
  result: Json;
  started_at: string;
  ended_at: string;
}

/** What of a run is still there although it should have been taken back, in words; null when nothing is. */
export function notUndone(steps: readonly StepResult[]): string | null {
  const stuck = steps.filter((step) => step.outcome === 'compensation_failed').map((step) => `${step.id}: ${step.reason}`);
  return stuck.length === 0 ? null : `it could not be undone: ${stuck.join('; ')}`;
}

/** How the effects of a plan ended, before anything is verified. */
export type EffectsResult =
  | { kind: 'done'; steps: StepResult[] }
  /** The world is no longer what the plan rests on; nothing after this point was done. */
  | { kind: 'drift'; reason: string; steps: StepResult[] }
  | { kind: 'failed'; reason: string; steps: StepResult[] };

/** What a healing mission was asked to heal. */
export interface HealingRequest {
  subsystem_id: string;
  /** Class of the symptom; playbooks match it. */
  symptom: string;
  resource_id: string | null;
  finding_id: string | null;
  /** Same symptom, same fingerprint: what recurrence, cooldown and quarantine count by. */
  fingerprint: string;
  /** Only this playbook; otherwise whichever is bound and matches. */
  playbook_id: string | null;
  /** Ends with the plan. */
  dry_run: boolean;
  severity: Severity;
  /** What was seen, for people and for the plan. */
  details: Record<string, Json>;
}

/** Why a healing run may not start now, or needs a person. Times in seconds. */
export interface HealingLimits {
  cooldown_success_seconds: number;
  cooldown_failure_seconds: number;
  max_runs: number;
  max_runs_per_seconds: number;
  run_timeout_seconds: number;
  /** For this long a resolved run is provisional: the same symptom again makes it ineffective. */
  recurrence_window_seconds: number;
  /** UTC, `HH:MM-HH:MM`: an effect in these hours needs a person. */
  quiet_hours: string[];
  /** How many resources this playbook may be working on at once. */
  max_targets: number;
}

export const runOutcomes = ['running', 'effective', 'ineffective', 'failed', 'refused', 'aborted', 'dry_run', 'healthy'] as const;
export type RunOutcome = (typeof runOutcomes)[number];

/** One run of a playbook on a resource, as history remembers it. Times are milliseconds since the epoch. */
export interface PastRun {
  mission_id: string;
  outcome: RunOutcome;
  started_at: number;
  ended_at: number | null;
}

export interface RunHistory {
  runs: PastRun[];
  /** Resources that this playbook is working on now, this one not counted. */
  busy_targets: number;
  quarantined: string | null;
}

export type RunRuling =
  | { kind: 'allowed'; needs_person: string[] }
  | { kind: 'refused'; code: string; reason: string; next_rung: boolean };

const dayMs = 24 * 3_600_000;

/**
 * Whether a playbook may run on a resource now. No history at all (`null`: it could not be read) fails closed: a person decides.
 * Two ineffective runs within 24 h: the next rung of the ladder has its turn, if there is one. Three: quarantine.
 * @param nextRung the playbook that follows this one here, if it is bound
 */
export function ruleOnRun(limits: HealingLimits, history: RunHistory | null, now: number, nextRung: string | null): RunRuling {
  if (history === null) return { kind: 'allowed', needs_person: ['the history of this playbook is not available'] };
  const refused = (code: string, reason: string, next_rung = false): RunRuling => ({ kind: 'refused', code, reason, next_rung });
  if (history.quarantined !== null) return refused('QUARANTINED', `quarantined: ${history.quarantined}`, true);
  const ineffective = history.runs.filter((run) => run.outcome === 'ineffective' && (run.ended_at ?? run.started_at) > now - dayMs).length;
  if (ineffective >= 2 && nextRung !== null) return refused('INEFFECTIVE', `did not help ${ineffective} times in 24 h: ${nextRung} has its turn`, true);
  const acted = history.runs.filter((run) => ['running', 'effective', 'ineffective', 'failed'].includes(run.outcome));
  const recent = acted.filter((run) => run.started_at > now - limits.max_runs_per_seconds * 1_000);
  if (recent.length >= limits.max_runs) {
    return refused('MAX_RUNS', `ran ${recent.length} times in ${limits.max_runs_per_seconds} s, ${limits.max_runs} allowed`);
  }
  const last = acted.filter((run) => run.ended_at !== null).sort((a, b) => b.ended_at! - a.ended_at!)[0];
  if (last !== undefined) {
    const seconds = last.outcome === 'effective' ? limits.cooldown_success_seconds : limits.cooldown_failure_seconds;
    const until = last.ended_at! + seconds * 1_000;
    if (now < until) return refused('COOLDOWN', `cools down until ${new Date(until).toISOString()} after a run that was ${last.outcome}`);
  }
  if (history.busy_targets >= limits.max_targets) {
    return refused('MAX_TARGETS', `is working on ${history.busy_targets} other resources, ${limits.max_targets} allowed`);
  }
  const quiet = limits.quiet_hours.find((hours) => isWithin(hours, now));
  return { kind: 'allowed', needs_person: quiet === undefined ? [] : [`quiet hours ${quiet} UTC`] };
}

/** After this many ineffective runs within 24 h, a playbook is quarantined for its target. */
export const quarantineAfter = 3;

/** @param hours `HH:MM-HH:MM` in UTC, possibly over midnight */
function isWithin(hours: string, now: number): boolean {
  const [from = 0, to = 0] = hours.split('-').map((time) => {
    const [h = 0, m = 0] = time.split(':').map(Number);
    return h * 60 + m;
  });
  const at = new Date(now);
  const minute = at.getUTCHours() * 60 + at.getUTCMinutes();
  return from <= to ? minute >= from && minute < to : minute >= from || minute < to;
}
