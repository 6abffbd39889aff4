/** What a mission's events prove, as in-toto statements about commits and trees that other tools read. */
import type { LedgerRecord } from './record.ts';

export interface Statement {
  _type: 'https://in-toto.io/Statement/v1';
  subject: { name: string; digest: Record<string, string> }[];
  predicateType: string;
  predicate: Record<string, unknown>;
}

const testResult = 'https://in-toto.io/attestation/test-result/v0.1';
/** Predicates of our own; the version is the last part. */
const ours = (name: string): string => `urn:mission-control:attestation:${name}:v1`;
export const manifestType = ours('manifest');

export interface Told { record: LedgerRecord; payload: Record<string, unknown> | null }

const gitDigest = (commit: unknown, tree: unknown): Record<string, string> => ({
  ...(typeof commit === 'string' ? { gitCommit: commit } : {}), ...(typeof tree === 'string' ? { gitTree: tree } : {}),
});

/** One statement for each event that proves something; payloads that were redacted prove nothing any more. */
export function statementsOf(missionId: string, told: readonly Told[]): Statement[] {
  return told.flatMap(({ record, payload }) => {
    const made = payload === null ? undefined : predicateOf(record, payload);
    if (made === undefined) return [];
    return [{
      _type: 'https://in-toto.io/Statement/v1' as const,
      subject: [{ name: missionId, digest: Object.keys(made.digest).length > 0 ? made.digest : { sha256: record.payload_digest } }],
      predicateType: made.type,
      predicate: { ...made.predicate, ledger: { log_id: record.log_id, seq: record.seq, at: record.ts } },
    }];
  });
}

function predicateOf({ type, actor, links }: LedgerRecord, payload: Record<string, unknown>): { type: string; digest: Record<string, string>; predicate: Record<string, unknown> } | undefined {
  const digests = (payload['digests'] ?? {}) as Record<string, unknown>;
  switch (type) {
    case 'tests.passed': return {
      type: testResult, digest: gitDigest(payload['commit'], payload['tree']),
      predicate: { result: 'PASSED', configuration: links.filter((link) => link.startsWith('sha256:')).map((link) => ({ digest: { sha256: link.slice(7) } })) },
    };
    case 'approval.decided': return {
      type: ours('approval'), digest: gitDigest(undefined, digests['git_tree']),
      predicate: { by: actor.id, role: actor.role, decision: payload['decision'], reason: payload['reason'], status: payload['status'], digests },
    };
    case 'approval.automatic': return {
      type: ours('approval'), digest: gitDigest(undefined, digests['git_tree']), predicate: { automatic: true, rules: payload['rules'], digests },
    };
    case 'merge.landed': return { type: ours('landing'), digest: gitDigest(payload['commit'], payload['tree']), predicate: { parents: payload['parents'], carried: payload['carried'] } };
    case 'merge.reverted': return { type: ours('rollback'), digest: gitDigest(payload['commit'], payload['tree']), predicate: { reverts: payload['reverts'] } };
    case 'observation.ended': return { type: ours('observation'), digest: {}, predicate: { verdict: payload['verdict'], reason: payload['reason'], window: payload['window'] } };
    case 'healing.ended': return { type: ours('remediation'), digest: {}, predicate: payload };
    default: return undefined;
  }
}
