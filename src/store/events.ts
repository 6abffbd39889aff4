/** Events: written in the transaction of the state change they tell of, read as a mission's timeline. */
import { randomBytes } from 'node:crypto';
import { linksOf, type NewEvent, type StoredEvent } from '../domain/event.ts';
import { newSalt, saltedDigest } from '../ledger/canonical.ts';
import type { Query } from './database.ts';
import { storable, toJson } from './json.ts';

let lastMs = 0;
let counter = 0;

/**
 * UUID version 7 (RFC 9562, 6.2 method 1): time first, so that the index grows at its end, then a counter, so that events
 * of one millisecond keep the order in which they were written.
 */
export function uuidv7(now = Date.now()): string {
  const bytes = randomBytes(16);
  if (now > lastMs) {
    lastMs = now;
    counter = bytes.readUInt16BE(6) & 0x3ff;
  } else {
    counter += 1;
    if (counter > 0xfff) {
      lastMs += 1;
      counter = 0;
    }
  }
  bytes.writeUIntBE(lastMs, 0, 6);
  bytes.writeUInt16BE(0x7000 | counter, 6);
  bytes[8] = (bytes[8]! & 0x3f) | 0x80;
  const hex = bytes.toString('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}

/**
 * Writes events once each. An idempotency key that is there already makes its event a no-op.
 * @param query the transaction of the state change
 * @returns keys that were new
 */
export async function insertEvents(query: Query, events: readonly NewEvent[]): Promise<Set<string>> {
  if (events.length === 0) return new Set();
  const rows = events.map((event) => {
    const salt = newSalt();
    // Made storable before it is digested: the digest is of what can be read back.
    const payload = storable(event.payload);
    return {
      event_id: uuidv7(), type: event.type, actor: event.actor, ...event.subject,
      salt, payload, payload_digest: saltedDigest(salt, payload),
      idempotency_key: event.idempotency_key, links: linksOf(payload),
    };
  });
  // One statement for any number of events: the payload row follows only where the event row was new.
  const inserted = await query<{ idempotency_key: string }>(
    `WITH input AS (
       SELECT * FROM jsonb_to_recordset($1::jsonb) AS r(
         event_id uuid, type text, actor jsonb, mission_id text, workflow_id text, run_id text, stage text,
         attempt integer, salt text, payload jsonb, payload_digest text, idempotency_key text,
         links jsonb)
     ), fresh AS (
       INSERT INTO events (event_id, type, actor, mission_id, workflow_id, run_id, stage, attempt, payload_digest, idempotency_key, links)
       SELECT event_id, type, actor, mission_id, workflow_id, run_id, stage, attempt, payload_digest, idempotency_key, links FROM input
       ON CONFLICT (idempotency_key) DO NOTHING
       RETURNING event_id, idempotency_key
     ), payloads AS (
       INSERT INTO event_payloads (event_id, salt, payload)
       SELECT input.event_id, input.salt, input.payload FROM input JOIN fresh USING (event_id)
     )
     SELECT idempotency_key FROM fresh`,
    [toJson(rows)]);
  return new Set(inserted.map((row) => row.idempotency_key));
}

/** A mission's events in the order they were written. */
export async function timelineOf(query: Query, missionId: string, limit: number): Promise<StoredEvent[]> {
  const rows = await query<StoredEventRow>(
    `SELECT ${eventColumns}
       FROM events e JOIN event_payloads p USING (event_id)
      WHERE e.mission_id = $1 ORDER BY e.ts, e.event_id LIMIT $2`, [missionId, limit]);
  return rows.map(eventOf);
}

/** Columns of `events e` and `event_payloads p`; a payload that was redacted says only that. */
export const eventColumns = `e.event_id, e.ts, e.type, e.actor, e.mission_id, e.workflow_id, e.run_id, e.stage, e.attempt,
            e.payload_digest, e.idempotency_key, e.links, coalesce(p.payload, '{"redacted": true}') AS payload`;

export type StoredEventRow = Omit<StoredEvent, 'subject'> & StoredEvent['subject'];

export const eventOf = <Row extends StoredEventRow>({ mission_id, workflow_id, run_id, stage, attempt, ...event }: Row) =>
  ({ ...event, subject: { mission_id, workflow_id, run_id, stage, attempt } });
