/** Everything that proves a mission, in one file that is verified without us. */
import { sha256 } from './canonical.ts';
import { envelop, type Envelope } from './dsse.ts';
import { inclusionProof, type Query } from './nodes.ts';
import { readCheckpoint, type Signer } from './note.ts';
import { recordOf, type LedgerRecord, type Sealable } from './record.ts';
import { manifestType, statementsOf } from './statements.ts';
import { writeProof } from './tlog-proof.ts';

export const missionFormat = 'mission-control.mission/v1';

export interface ExportedEntry {
  record: LedgerRecord;
  /** Both null when the payload was redacted. */
  salt: string | null;
  payload: Record<string, unknown> | null;
  /** c2sp.org/tlog-proof text. */
  proof: string;
}

export interface MissionExport {
  format: typeof missionFormat;
  mission_id: string;
  log_id: string;
  /** The key as the log itself names it: compare it with one that you know from elsewhere. */
  vkey: string;
  checkpoint: string;
  entries: ExportedEntry[];
  /** In-toto statements in DSSE envelopes. */
  statements: Envelope[];
  /** A statement over the digests of everything above, so that none can be left out. */
  manifest: Envelope;
}

/** @param query reads one state of the database: a transaction with repeatable reads */
export async function exportMission(query: Query, missionId: string, signer: Signer): Promise<MissionExport | undefined> {
  const [head] = await query<{ note: string }>('SELECT note FROM ledger_checkpoints ORDER BY size DESC LIMIT 1');
  const checkpoint = readCheckpoint(head?.note ?? '');
  if (head === undefined || checkpoint === undefined) return undefined;
  // The registry of keys and redactions belong to every mission's story.
  const rows = await query<Omit<Sealable, 'subject'> & Sealable['subject'] & { seq: number; prev: string; salt: string | null; payload: Record<string, unknown> | null }>(
    `SELECT l.seq, l.prev, e.ts, e.type, e.actor, e.mission_id, e.workflow_id, e.run_id, e.stage, e.attempt, e.payload_digest, e.idempotency_key, e.links,
            p.salt, p.payload
       FROM ledger l JOIN events e USING (event_id) JOIN event_payloads p USING (event_id)
      WHERE e.mission_id = $1 OR e.type = 'log_key.added' ORDER BY l.seq`, [missionId]);
  const entries: ExportedEntry[] = [];
  for (const { seq, prev, salt, payload, mission_id, workflow_id, run_id, stage, attempt, ...event } of rows) {
    const record = recordOf({ ...event, subject: { mission_id, workflow_id, run_id, stage, attempt } }, { log_id: checkpoint.origin, seq, prev });
    entries.push({ record, salt, payload, proof: writeProof(seq - 1, await inclusionProof(query, seq - 1, checkpoint.size), head.note) });
  }
  const sign = (bytes: Buffer): Buffer => signer.signBytes(bytes);
  const statements = statementsOf(missionId, entries).map((statement) => envelop(statement, signer.key_id, sign));
  const manifest = envelop({
    _type: 'https://in-toto.io/Statement/v1', subject: [{ name: missionId, digest: { sha256: sha256(head.note) } }], predicateType: manifestType,
    predicate: { checkpoint: sha256(head.note), entries: entries.map(digestOfLine), statements: statements.map(digestOfLine) },
  }, signer.key_id, sign);
  return { format: missionFormat, mission_id: missionId, log_id: checkpoint.origin, vkey: signer.vkey, checkpoint: head.note, entries, statements, manifest };
}

/** Digest of a line of an export as it is written: its JSON text. */
export const digestOfLine = (line: unknown): string => sha256(JSON.stringify(line));
