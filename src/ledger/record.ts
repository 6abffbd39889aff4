/** The sealed record of an event, and its bytes: what is hashed, chained and proved. */
import { canonical } from './canonical.ts';
import { leafHash } from './merkle.ts';

export const recordVersion = 1;
/** What every payload is; a record says it, so that a reader in ten years need not guess. */
export const payloadType = 'application/json';
/** `prev` of the first record. */
export const firstPrev = '0'.repeat(64);

export interface LedgerRecord {
  v: number;
  log_id: string;
  /** Its place: 1, 2, 3, … */
  seq: number;
  /** Leaf hash of the record before it. */
  prev: string;
  /** When it was written, by our own clock: a claim. RFC 3339 UTC. */
  ts: string;
  actor: { id: string; kind: string; role: string; key_id: string | null };
  type: string;
  subject: { mission_id: string | null; workflow_id: string | null; run_id: string | null; stage: string | null; attempt: number | null };
  /** Salted: see `saltedDigest`. */
  payload_digest: string;
  payload_type: string;
  links: readonly string[];
  idempotency_key: string;
}

const text = JSON.stringify;

/**
 * RFC 8785 text of a record. Written out key by key, because sorting the same thirteen keys for every record of a log
 * costs four times as much as this (`node bench/ledger.mjs`); a property test holds it equal to the general form.
 */
export function recordText(record: LedgerRecord): string {
  const { subject } = record;
  return `{"actor":${canonical(record.actor)},"idempotency_key":${text(record.idempotency_key)},"links":${canonical(record.links)}`
    + `,"log_id":${text(record.log_id)},"payload_digest":${text(record.payload_digest)},"payload_type":${text(record.payload_type)}`
    + `,"prev":${text(record.prev)},"seq":${record.seq},"subject":{"attempt":${subject.attempt},"mission_id":${text(subject.mission_id)}`
    + `,"run_id":${text(subject.run_id)},"stage":${text(subject.stage)},"workflow_id":${text(subject.workflow_id)}}`
    + `,"ts":${text(record.ts)},"type":${text(record.type)},"v":${record.v}}`;
}

export const recordHash = (record: LedgerRecord): string => leafHash(recordText(record));

/** An event as the database or an export has it, without its place. */
export type Sealable = Pick<LedgerRecord, 'ts' | 'actor' | 'type' | 'subject' | 'payload_digest' | 'links' | 'idempotency_key'>;

/** Spelled out, so that whatever else a row carries stays outside. */
export const recordOf = (event: Sealable, place: { log_id: string; seq: number; prev: string }): LedgerRecord => ({
  v: recordVersion, log_id: place.log_id, seq: place.seq, prev: place.prev, ts: event.ts, actor: event.actor, type: event.type,
  subject: event.subject, payload_digest: event.payload_digest, payload_type: payloadType, links: event.links,
  idempotency_key: event.idempotency_key,
});
