/** Signals become findings, all of one message in one transaction: a message that failed may be sent again. */
import { evaluationOfSignal, ruleOfSignal, type Signal, type SignalSender } from '../domain/signal.ts';
import type { Dependency } from '../domain/subsystem-health.ts';
import { healthOf, inhibitedBy } from '../domain/subsystem-health.ts';
import type { Database, Query } from './database.ts';
import { evaluate, fingerprintOf } from './findings.ts';
import { activeSilences } from './silences.ts';
import { allHealth } from './subsystem-health.ts';

/** Signatures older than this are refused by their time, so that they need not be remembered. */
export const replayWindowSeconds = 300;

export interface TakenSignal { fingerprint: string; finding_id: string | null; state: string | null }

/** @returns undefined when this signature was taken before */
export async function takeSignals(
  database: Database, signals: readonly Signal[], sender: SignalSender, dependencies: readonly Dependency[], signatureDigest: string | null,
): Promise<TakenSignal[] | undefined> {
  return database.transaction(async (query) => {
    if (signatureDigest !== null && !(await isFresh(query, signatureDigest, sender.id))) return undefined;
    const silences = await activeSilences(query);
    const now = Date.now();
    const states = new Map((await allHealth(query)).map((row) => [row.subsystem_id, healthOf(row.probes, now).state]));
    const rules = signals.map((signal) => {
      const rule = ruleOfSignal(signal, sender);
      return { signal, rule, fingerprint: fingerprintOf(rule) };
    });
    const taken = new Map<string, TakenSignal>();
    // In the order of the fingerprints, and in that of the message for one fingerprint: two messages at once wait for each other in turn.
    for (const { signal, rule, fingerprint } of rules.sort((a, b) => (a.fingerprint < b.fingerprint ? -1 : a.fingerprint > b.fingerprint ? 1 : 0))) {
      const around = { inhibited_by: inhibitedBy(rule.subsystem_id, dependencies, states), silences };
      const { finding } = await evaluate(query, rule, evaluationOfSignal(signal, now), around, 'arrived');
      taken.set(fingerprint, { fingerprint, finding_id: finding?.finding_id ?? null, state: finding?.state ?? null });
    }
    return [...taken.values()];
  });
}

async function isFresh(query: Query, digest: string, source: string): Promise<boolean> {
  // Twice the window: a signature may be that much ahead of our clock.
  await query('DELETE FROM signal_receipts WHERE received_at < clock_timestamp() - make_interval(secs => $1)', [2 * replayWindowSeconds + 60]);
  const inserted = await query('INSERT INTO signal_receipts (signature_digest, source) VALUES ($1, $2) ON CONFLICT DO NOTHING RETURNING source', [digest, source]);
  return inserted.length > 0;
}
