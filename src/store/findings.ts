/** Findings, and how evaluations move them. Any number of evaluators may work at once: the fingerprint is the lock. */
import { systemActor, type Actor } from '../domain/actor.ts';
import { noSubject, type EventType, type NewEvent } from '../domain/event.ts';
import { identityOf, shownState, stepFinding, type Evaluation, type FindingChange, type FindingProgress } from '../domain/finding.ts';
import type { Finding, WatchedRule } from '../domain/finding-record.ts';
import { silencedBy, type Silence } from '../domain/silence.ts';
import { digestOf } from '../ledger/canonical.ts';
import type { Query } from './database.ts';
import { insertEvents, uuidv7 } from './events.ts';
import { markRecurrence } from './healing-runs.ts';
import { storable, toJson } from './json.ts';
import { rememberEvaluation, type RuleState } from './rule-states.ts';

/** What is around a finding when it is evaluated. */
export interface Surroundings {
  inhibited_by: string | null;
  silences: readonly Silence[];
}

export const findingColumns = `finding_id, created_seq, fingerprint, rule_id, source, subsystem_id, resource_id, symptom, playbook_id,
  severity, title, attributes, condition, condition_since, state, state_since, reason, value, occurrences, no_data, inhibited_by,
  silence_id, healing_mission_id, healing_asked_at, first_seen_at, fired_at, last_seen_at, resolved_at, version`;

export interface Evaluated {
  fingerprint: string;
  /** The finding as it is now, open or just resolved; undefined when nothing is wrong. */
  finding: Finding | undefined;
  changes: FindingChange[];
  state: RuleState;
}

export const fingerprintOf = (rule: Pick<WatchedRule, 'rule_id' | 'attributes' | 'volatile'>): string =>
  digestOf(identityOf(rule.rule_id, storable(rule.attributes), rule.volatile));

/** Takes the lock of a fingerprint until the transaction ends: two evaluations of it happen one after the other. */
export const lockFinding = (query: Query, fingerprint: string): Promise<unknown[]> =>
  query('SELECT pg_advisory_xact_lock(hashtextextended($1, 0))', [`finding:${fingerprint}`]);

/**
 * One evaluation of a rule: its finding opened, moved or resolved, with an event for each change. Call it in a transaction.
 * @param order `measured`: an evaluation that is not newer than the last one changes nothing, so a repeat does no harm.
 *   `arrived`: each is newer than all before it, for signals that cannot be measured again.
 */
export async function evaluate(
  query: Query, rule: WatchedRule, evaluation: Evaluation, around: Surroundings, order: 'measured' | 'arrived' = 'measured',
): Promise<Evaluated> {
  const fingerprint = fingerprintOf(rule);
  await lockFinding(query, fingerprint);
  const before = await openFinding(query, fingerprint);
  const { state, isNew, at } = await rememberEvaluation(query, { ...rule, fingerprint }, evaluation, order);
  if (!isNew) return { fingerprint, finding: before, changes: [], state };
  const { finding: progress, changes } = stepFinding(before === undefined ? undefined : progressOf(before), { ...evaluation, at }, rule);
  if (progress === undefined) return { fingerprint, finding: undefined, changes, state };
  const silence = silencedBy({ ...rule, fingerprint }, around.silences, at);
  const suppression = { inhibited_by: around.inhibited_by, silence_id: silence?.silence_id ?? null, flapping: state.flapping };
  const shown = shownState(progress, suppression);
  const moved = before === undefined || shown !== before.state;
  const finding: Finding = {
    finding_id: uuidv7(), created_seq: 0, fingerprint, healing_mission_id: null, healing_asked_at: null, ...before,
    ...identityAndWords(rule), ...wordsOf(progress), inhibited_by: suppression.inhibited_by, silence_id: suppression.silence_id,
    // Once healing is asked for a symptom, the finding stays about that symptom.
    symptom: before === undefined || before.healing_asked_at === null ? rule.symptom : before.symptom,
    state: shown, state_since: moved ? timeOf(at) : before.state_since, version: (before?.version ?? 0) + 1,
  };
  await save(query, finding);
  await insertEvents(query, eventsOf(before, finding, suppression.flapping));
  if (changes.includes('fired') || changes.includes('fired_again')) await noteRecurrence(query, finding, at);
  return { fingerprint, finding, changes, state };
}

const identityAndWords = ({ rule_id, source, subsystem_id, resource_id, playbook_id, severity, title, attributes }: WatchedRule) =>
  ({ rule_id, source, subsystem_id, resource_id, playbook_id, severity, title, attributes });

const timeOf = (ms: number): string => new Date(ms).toISOString();
const timeOrNull = (ms: number | null): string | null => (ms === null ? null : timeOf(ms));

const wordsOf = (progress: FindingProgress) => ({
  condition: progress.condition, condition_since: timeOf(progress.condition_since), reason: progress.reason, value: progress.value,
  occurrences: progress.occurrences, no_data: progress.no_data, first_seen_at: timeOf(progress.first_seen_at),
  fired_at: timeOrNull(progress.fired_at), last_seen_at: timeOf(progress.last_seen_at), resolved_at: timeOrNull(progress.resolved_at),
});

const progressOf = (finding: Finding): FindingProgress => ({
  condition: finding.condition, condition_since: Date.parse(finding.condition_since), occurrences: finding.occurrences,
  fired_at: finding.fired_at === null ? null : Date.parse(finding.fired_at), first_seen_at: Date.parse(finding.first_seen_at),
  last_seen_at: Date.parse(finding.last_seen_at), resolved_at: null, no_data: finding.no_data, value: finding.value, reason: finding.reason,
});

const detector: Actor = systemActor('detector');

const eventOf = (type: EventType, finding: Finding, payload: Record<string, unknown> = {}): NewEvent => ({
  type, actor: detector, subject: { ...noSubject, mission_id: finding.healing_mission_id },
  payload: {
    finding_id: finding.finding_id, fingerprint: finding.fingerprint, rule_id: finding.rule_id, subsystem_id: finding.subsystem_id,
    severity: finding.severity, symptom: finding.symptom, title: finding.title, state: finding.state, reason: finding.reason, value: finding.value, ...payload,
  },
  idempotency_key: `finding:${finding.finding_id}:${finding.version}:${type}`,
});

function eventsOf(before: Finding | undefined, finding: Finding, flapping: boolean): NewEvent[] {
  if (before === undefined) return [eventOf('finding.opened', finding)];
  if (finding.resolved_at !== null) return [eventOf('finding.resolved', finding, { from: before.state })];
  if (finding.state === before.state) return [];
  return [eventOf('finding.state_changed', finding, { from: before.state, inhibited_by: finding.inhibited_by, silence_id: finding.silence_id, flapping })];
}

/** It fires again after it was healed: what healed it then did not help for good. */
async function noteRecurrence(query: Query, finding: Finding, now: number): Promise<void> {
  const [healed] = await query<{ finding_id: string; healing_mission_id: string }>(
    `SELECT finding_id, healing_mission_id FROM findings
      WHERE fingerprint = $1 AND healing_mission_id IS NOT NULL ORDER BY created_seq DESC LIMIT 1`, [finding.fingerprint]);
  if (healed === undefined) return;
  await markRecurrence(query, finding.fingerprint, new Date(now));
  await insertEvents(query, [eventOf('finding.recurred', finding, { earlier: healed.finding_id, healing_mission_id: healed.healing_mission_id })]);
}

async function save(query: Query, finding: Finding): Promise<void> {
  const row = storable({ ...finding, reason: finding.reason.slice(0, 2_000) });
  await query(
    `INSERT INTO findings (finding_id, fingerprint, rule_id, source, subsystem_id, resource_id, symptom, playbook_id, severity, title,
       attributes, condition, condition_since, state, state_since, reason, value, occurrences, no_data, inhibited_by, silence_id,
       first_seen_at, fired_at, last_seen_at, resolved_at, version)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25, $26)
     ON CONFLICT (finding_id) DO UPDATE SET
       resource_id = EXCLUDED.resource_id, symptom = EXCLUDED.symptom, playbook_id = EXCLUDED.playbook_id, severity = EXCLUDED.severity,
       title = EXCLUDED.title, attributes = EXCLUDED.attributes, condition = EXCLUDED.condition, condition_since = EXCLUDED.condition_since,
       state = EXCLUDED.state, state_since = EXCLUDED.state_since, reason = EXCLUDED.reason, value = EXCLUDED.value,
       occurrences = EXCLUDED.occurrences, no_data = EXCLUDED.no_data, inhibited_by = EXCLUDED.inhibited_by, silence_id = EXCLUDED.silence_id,
       fired_at = EXCLUDED.fired_at, last_seen_at = EXCLUDED.last_seen_at, resolved_at = EXCLUDED.resolved_at, version = EXCLUDED.version`,
    [row.finding_id, row.fingerprint, row.rule_id, row.source, row.subsystem_id, row.resource_id, row.symptom, row.playbook_id, row.severity,
      row.title, toJson(row.attributes), row.condition, row.condition_since, row.state, row.state_since, row.reason, row.value, row.occurrences,
      row.no_data, row.inhibited_by, row.silence_id, row.first_seen_at, row.fired_at, row.last_seen_at, row.resolved_at, row.version]);
}

export async function openFinding(query: Query, fingerprint: string): Promise<Finding | undefined> {
  const [row] = await query<Finding>(`SELECT ${findingColumns} FROM findings WHERE fingerprint = $1 AND resolved_at IS NULL`, [fingerprint]);
  return row;
}

/**
 * The shown state of an open finding after something around it changed. Call it in a transaction.
 * @returns whether it changed
 */
export async function resuppress(query: Query, fingerprint: string, flapping: boolean, around: Surroundings, now: number): Promise<boolean> {
  await lockFinding(query, fingerprint);
  const before = await openFinding(query, fingerprint);
  if (before === undefined) return false;
  const silence_id = silencedBy(before, around.silences, now)?.silence_id ?? null;
  const suppression = { inhibited_by: around.inhibited_by, silence_id, flapping };
  const state = shownState(before, suppression);
  if (state === before.state && silence_id === before.silence_id && around.inhibited_by === before.inhibited_by) return false;
  const finding: Finding = {
    ...before, ...suppression, state, state_since: state === before.state ? before.state_since : timeOf(now), version: before.version + 1,
  };
  await save(query, finding);
  await insertEvents(query, eventsOf(before, finding, flapping));
  return true;
}

/** Resolves the open finding of a rule that is no longer watched: nobody would ever say that it is over. Call it in a transaction. */
export async function retire(query: Query, fingerprint: string, now: number): Promise<void> {
  await lockFinding(query, fingerprint);
  const before = await openFinding(query, fingerprint);
  if (before === undefined) return;
  const at = timeOf(now);
  const finding: Finding = {
    ...before, condition: 'RESOLVED', condition_since: at, state: 'RESOLVED', state_since: at, resolved_at: at, reason: 'no longer watched', version: before.version + 1,
  };
  await save(query, finding);
  await insertEvents(query, eventsOf(before, finding, false));
}
