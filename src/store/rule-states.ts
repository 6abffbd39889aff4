/** How each rule has gone: its last outcomes, kept across its findings. */
import type { Evaluation } from '../domain/finding.ts';
import type { WatchedRule } from '../domain/finding-record.ts';
import { isFlapping, remember } from '../domain/flapping.ts';
import type { Query } from './database.ts';

export interface RuleState {
  fingerprint: string;
  /** Newest last, as in `domain/flapping.ts`. */
  evaluations: string;
  flapping: boolean;
  /** Evaluations in a row that could not measure. */
  no_data: number;
  last_at: string;
}

const columns = 'fingerprint, evaluations, flapping, no_data, last_at';

/**
 * Adds an evaluation. Call it under the lock of the fingerprint.
 * @returns whether it is newer than the last one, and the time it counts for
 */
export async function rememberEvaluation(
  query: Query, rule: WatchedRule & { fingerprint: string }, { outcome, at }: Evaluation, order: 'measured' | 'arrived',
): Promise<{ state: RuleState; isNew: boolean; at: number }> {
  const before = await findRuleState(query, rule.fingerprint);
  const lastAt = before === undefined ? -Infinity : Date.parse(before.last_at);
  const counted = order === 'arrived' ? Math.max(at, lastAt + 1) : at;
  if (before !== undefined && counted <= lastAt) return { state: before, isNew: false, at };
  const evaluations = outcome === 'no_data' ? before?.evaluations ?? '' : remember(before?.evaluations ?? '', outcome);
  const state: RuleState = {
    fingerprint: rule.fingerprint, evaluations, flapping: isFlapping(evaluations, before?.flapping ?? false),
    no_data: outcome === 'no_data' ? (before?.no_data ?? 0) + 1 : 0, last_at: new Date(counted).toISOString(),
  };
  await query(
    `INSERT INTO rule_states (fingerprint, rule_id, source, subsystem_id, evaluations, flapping, no_data, last_at)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
     ON CONFLICT (fingerprint) DO UPDATE SET evaluations = EXCLUDED.evaluations, flapping = EXCLUDED.flapping,
       no_data = EXCLUDED.no_data, last_at = EXCLUDED.last_at`,
    [state.fingerprint, rule.rule_id, rule.source, rule.subsystem_id, state.evaluations, state.flapping, state.no_data, state.last_at]);
  return { state, isNew: true, at: counted };
}

export async function findRuleState(query: Query, fingerprint: string): Promise<RuleState | undefined> {
  const [row] = await query<RuleState>(`SELECT ${columns} FROM rule_states WHERE fingerprint = $1`, [fingerprint]);
  return row;
}
