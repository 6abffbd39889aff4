/** Verifies the export of one mission: no database, no server, only the file and a key that is known from elsewhere. */
import { sha256, saltedDigest } from './canonical.ts';
import { openEnvelope, type Envelope } from './dsse.ts';
import type { Fact, Problem } from './entries.ts';
import { judgeLives } from './grammar.ts';
import { digestOfLine, missionFormat, type ExportedEntry, type MissionExport } from './mission-export.ts';
import { openCheckpoint, parseVkey, type Verifier } from './note.ts';
import { recordHash } from './record.ts';
import { manifestType } from './statements.ts';
import { checkProof } from './tlog-proof.ts';
import type { Pin, Report } from './verify-ledger.ts';

/** @throws Error when the file is no such export */
export function verifyExport(file: unknown, known: readonly Verifier[], pins: readonly Pin[]): Report & { mission_id: string } {
  const given = file as Partial<MissionExport> | null;
  if (given?.format !== missionFormat || !Array.isArray(given.entries) || typeof given.checkpoint !== 'string' || typeof given.vkey !== 'string') {
    throw new Error(`not an export of a mission (${missionFormat})`);
  }
  given.entries.forEach((entry, i) => {
    if (!isReadable(entry)) throw new Error(`entry ${i + 1} is not a record with its payload and its proof`);
  });
  const { entries, checkpoint: note, vkey, mission_id, statements, manifest } = given as MissionExport;
  const problems: Problem[] = [];
  const bad = (kind: Problem['kind'], code: string, seq: number | null, detail: string, more: Partial<Problem> = {}): void => {
    problems.push({ kind, code, seq, detail, ...more });
  };
  // Without a key of the caller's own, the file is held against the one it names itself: whole, and of unknown origin.
  if (known.length === 0) bad('unverifiable', 'NO_TRUSTED_KEY', null, `no key of the log was given (--key); this file names ${vkey}`);
  const keys = known.length > 0 ? known : [parseVkey(vkey)];
  const checkpoint = openCheckpoint(note, keys);
  if (checkpoint === undefined) bad('integrity', 'SIGNATURE_INVALID', null, 'the checkpoint of this export was not signed by a trusted key');

  const facts: Fact[] = [];
  let previous = 0;
  let redacted = 0;
  for (const { record, salt, payload, proof } of entries) {
    const { seq } = record;
    if (seq <= previous) bad('integrity', 'OUT_OF_ORDER', seq, `record ${seq} comes after record ${previous}`);
    previous = seq;
    const proved = checkProof(proof, recordHash(record), seq - 1, keys);
    if (typeof proved === 'string') bad('integrity', 'NOT_IN_THE_LOG', seq, `record ${seq} (${record.type}): ${proved}`);
    if (record.subject.mission_id !== mission_id && record.type !== 'log_key.added') bad('integrity', 'FOREIGN_RECORD', seq, `record ${seq} is not of ${mission_id}`);
    if (salt === null || payload === null) {
      redacted += 1;
      // Who made a mission is in the record itself.
      if (record.type === 'mission.created') facts.push({ seq, type: record.type, mission_id, actor_id: record.actor.id, payload: {} });
      continue;
    }
    const digest = saltedDigest(salt, payload);
    if (digest !== record.payload_digest) {
      bad('integrity', 'PAYLOAD_CHANGED', seq, `the payload of record ${seq} (${record.type}) is not what was sealed`, { expected: record.payload_digest, found: digest });
    } else if (record.subject.mission_id !== null) {
      facts.push({ seq, type: record.type, mission_id, actor_id: record.actor.id, payload });
    }
  }
  checkManifest(manifest, { note, entries, statements }, keys, bad);
  checkPins(pins, keys, checkpoint, bad);
  const lives = judgeLives(facts);
  for (const problem of lives.problems) problems.push(problem);
  if (lives.missions.ended === 0) bad('completeness', 'NOT_ENDED', null, `${mission_id} has no terminal record: it was exported while it ran`);
  return {
    mission_id, log_id: checkpoint?.origin ?? null, records: entries.length, root: checkpoint?.root ?? '', signed_size: checkpoint?.size ?? 0,
    pins: pins.length, missions: lives.missions, landings: lives.landings, redacted, waiting: 0, problems,
  };
}

/** Whoever wrote the file may have put anything anywhere: what is hashed, compared and printed has the type that it should. */
function isReadable(entry: unknown): entry is ExportedEntry {
  const { record, salt, payload, proof } = (entry ?? {}) as Partial<Record<keyof ExportedEntry, unknown>>;
  if (!isObject(record) || !isObject(record['actor']) || !isObject(record['subject']) || !Array.isArray(record['links'])) return false;
  const texts = ['log_id', 'prev', 'ts', 'type', 'payload_digest', 'payload_type', 'idempotency_key'];
  return Number.isSafeInteger(record['seq']) && texts.every((name) => typeof record[name] === 'string') && typeof proof === 'string'
    && (salt === null || typeof salt === 'string') && (payload === null || isObject(payload));
}

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value);

type Bad = (kind: Problem['kind'], code: string, seq: number | null, detail: string) => void;

/** The export is complete when its manifest, signed, names exactly what is there. */
function checkManifest(manifest: Envelope, { note, entries, statements }: { note: string; entries: readonly unknown[]; statements: readonly Envelope[] }, keys: readonly Verifier[], bad: Bad): void {
  const signed = openEnvelope(manifest, keys) as { predicateType?: string; predicate?: { checkpoint?: string; entries?: string[]; statements?: string[] } } | undefined;
  // The same key signs statements whose predicate is a payload: only a manifest speaks of completeness.
  if (signed?.predicate === undefined || signed.predicateType !== manifestType) {
    bad('integrity', 'MANIFEST_UNSIGNED', null, 'the manifest was not signed by a trusted key');
    return;
  }
  const same = (said: readonly string[] | undefined, there: readonly unknown[]): boolean =>
    said !== undefined && said.length === there.length && there.every((line, i) => digestOfLine(line) === said[i]);
  if (signed.predicate.checkpoint !== sha256(note)) bad('integrity', 'MANIFEST_MISMATCH', null, 'the manifest is of another checkpoint');
  if (!same(signed.predicate.entries, entries)) bad('integrity', 'MANIFEST_MISMATCH', null, 'the records are not those that the manifest names: one was added, taken out or changed');
  if (!same(signed.predicate.statements, statements)) bad('integrity', 'MANIFEST_MISMATCH', null, 'the statements are not those that the manifest names');
  statements.forEach((statement, i) => {
    if (openEnvelope(statement, keys) === undefined) bad('integrity', 'STATEMENT_UNSIGNED', null, `statement ${i + 1} was not signed by a trusted key`);
  });
}

/** An export holds one checkpoint: a pin of the same size must say the same, and a later one shows that the export is older. */
function checkPins(pins: readonly Pin[], keys: readonly Verifier[], checkpoint: ReturnType<typeof openCheckpoint>, bad: Bad): void {
  for (const { where, note } of pins) {
    const pinned = openCheckpoint(note, keys);
    if (pinned === undefined) bad('unverifiable', 'PIN_UNSIGNED', null, `${where} was not signed by a trusted key`);
    else if (checkpoint !== undefined && pinned.origin !== checkpoint.origin) bad('integrity', 'OTHER_LOG', null, `${where} is of the log ${pinned.origin}`);
    else if (checkpoint !== undefined && pinned.size === checkpoint.size && pinned.root !== checkpoint.root) bad('integrity', 'ROOT_MISMATCH', null, `${where} has another root at ${pinned.size}`);
    else if (checkpoint !== undefined && pinned.size > checkpoint.size) bad('truncated', 'BEHIND_PIN', null, `${where} is at ${pinned.size}, this export at ${checkpoint.size}`);
  }
}
