/** CAPA records: a document each, with columns for lists; every change is an event in the same transaction. */
import { capaId, capaStates, emptyRecord, isClosed, type Capa, type CapaRecord, type CapaSource, type CapaState } from '../domain/capa.ts';
import { defaultDueDays, firstDueAt } from '../domain/capa-dates.ts';
import type { TrendInput } from '../domain/capa-trends.ts';
import type { CapaHistoryEntry } from '../domain/capa-view.ts';
import type { Actor } from '../domain/actor.ts';
import { noSubject, type EventSubject, type EventType } from '../domain/event.ts';
import { nextNumber } from './counters.ts';
import type { Query } from './database.ts';
import { insertEvents } from './events.ts';
import { storable, toJson } from './json.ts';

const columns = `capa_id, created_seq, state, version, source, fingerprint, occurrences, mission_id, subsystem_id, problem_statement,
  evidence, opened_by, opened_at, record`;

type CapaRow = Omit<Capa, keyof CapaRecord> & { created_seq: number; record: Partial<CapaRecord> };

const fromRow = ({ record, created_seq: _seq, ...row }: CapaRow): Capa => ({ ...emptyRecord, ...record, ...row });

const recordOf = (capa: Capa): CapaRecord =>
  Object.fromEntries(Object.keys(emptyRecord).map((name) => [name, capa[name as keyof CapaRecord]])) as unknown as CapaRecord;

/** A record's id is its workflow's, and so that of its events. */
export const capaSubject = (capa: Pick<Capa, 'capa_id' | 'mission_id'>): EventSubject =>
  ({ ...noSubject, mission_id: capa.mission_id, workflow_id: capa.capa_id });

export interface OpenCapa {
  source: CapaSource;
  fingerprint: string;
  mission_id: string | null;
  subsystem_id: string;
  problem_statement: string;
  evidence: string[];
  actor: Actor;
}

/**
 * Opens a record, or counts an occurrence of the open one with the same fingerprint. Call it in a transaction, and tell the
 * record's workflow (`tellCapa`) once that is committed; the reconciler tells it if nobody does.
 * @returns the record's id
 */
export async function openCapa(query: Query, input: OpenCapa): Promise<string> {
  // Two at once would both find nothing open; the second of them waits and counts.
  await query('SELECT pg_advisory_xact_lock(hashtextextended($1, 0))', [`capa:${input.fingerprint}`]);
  const [open] = await query<{ capa_id: string; occurrences: number }>(
    `UPDATE capas SET occurrences = occurrences + 1, evidence = evidence || $2::jsonb
      WHERE fingerprint = $1 AND state NOT IN ('REJECTED', 'CLOSED_EFFECTIVE', 'VOIDED')
      RETURNING capa_id, occurrences`, [input.fingerprint, toJson(input.evidence)]);
  if (open !== undefined) {
    await insertEvents(query, [{
      type: 'capa.recurred', actor: input.actor, subject: capaSubject({ capa_id: open.capa_id, mission_id: input.mission_id }), payload: { ...open },
      idempotency_key: `capa:${open.capa_id}:${open.occurrences}`,
    }]);
    return open.capa_id;
  }
  const now = new Date();
  const year = now.getUTCFullYear();
  const id = capaId(year, await nextNumber(query, `capa:${year}`));
  const due = new Date(now.getTime() + defaultDueDays * 86_400_000).toISOString();
  await query(
    `INSERT INTO capas (capa_id, state, source, fingerprint, mission_id, subsystem_id, problem_statement, evidence, opened_by,
       record, first_due_at)
     VALUES ($1, 'OPENED', $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
    [id, input.source, input.fingerprint, input.mission_id, input.subsystem_id, storable(input.problem_statement),
      toJson(input.evidence), input.actor.id, toJson({ ...emptyRecord, due_at: due }), due]);
  await insertEvents(query, [{
    type: 'capa.opened', actor: input.actor, subject: capaSubject({ capa_id: id, mission_id: input.mission_id }),
    payload: { capa_id: id, source: input.source, problem_statement: input.problem_statement },
    idempotency_key: `capa:${id}:1`,
  }]);
  return id;
}

export async function findCapa(query: Query, id: string): Promise<Capa | undefined> {
  const [row] = await query<CapaRow>(`SELECT ${columns} FROM capas WHERE capa_id = $1`, [id]);
  return row === undefined ? undefined : fromRow(row);
}

/** The record, which nobody else changes until the transaction ends. */
export async function lockCapa(query: Query, id: string): Promise<Capa | undefined> {
  const [row] = await query<CapaRow>(`SELECT ${columns} FROM capas WHERE capa_id = $1 FOR UPDATE`, [id]);
  return row === undefined ? undefined : fromRow(row);
}

/**
 * Writes the next version of a locked record, and the event that tells of it.
 * @throws Error when the record is not at the version before: it was not locked
 */
export async function saveCapa(
  query: Query, capa: Capa, event: { type: EventType; actor: Actor; payload: Record<string, unknown> },
): Promise<void> {
  const updated = await query(
    `UPDATE capas SET state = $3, problem_statement = $4, evidence = $5, record = $6, version = $2, first_due_at = $7,
            updated_at = clock_timestamp()
      WHERE capa_id = $1 AND version = $2 - 1 RETURNING capa_id`,
    [capa.capa_id, capa.version, capa.state, storable(capa.problem_statement), toJson(capa.evidence), toJson(recordOf(capa)),
      firstDueAt(capa)]);
  if (updated.length === 0) throw new Error(`${capa.capa_id} is not at version ${capa.version - 1}`);
  await insertEvents(query, [{
    type: event.type, actor: event.actor, subject: capaSubject(capa),
    payload: { capa_id: capa.capa_id, version: capa.version, ...event.payload }, idempotency_key: `capa:${capa.capa_id}:v${capa.version}`,
  }]);
}

export interface CapaFilter { state?: CapaState | undefined; subsystem_id?: string | undefined; overdue?: 'yes' | 'no' | undefined; open?: boolean | undefined }

/** Keyset on `created_seq`: page 1000 costs what page 1 does. */
export async function listCapas(
  query: Query, limit: number, filter: CapaFilter = {}, before: number | null = null,
): Promise<(Capa & { created_seq: number })[]> {
  const rows = await query<CapaRow>(
    `SELECT ${columns} FROM capas
      WHERE ($2::text IS NULL OR state = $2) AND ($3::text IS NULL OR subsystem_id = $3)
        AND ($4::text IS NULL OR (first_due_at IS NOT NULL AND first_due_at <= clock_timestamp()) = ($4 = 'yes'))
        AND ($5::bigint IS NULL OR created_seq < $5) AND ($6::boolean IS NULL OR (state <> ALL ($7)) = $6)
      ORDER BY created_seq DESC LIMIT $1`,
    [limit, filter.state ?? null, filter.subsystem_id ?? null, filter.overdue ?? null, before, filter.open ?? null, capaStates.filter(isClosed)]);
  return rows.map((row) => ({ ...fromRow(row), created_seq: row.created_seq }));
}

/** The latest `limit` events of a record, oldest first. */
export async function capaHistory(query: Query, id: string, limit: number): Promise<CapaHistoryEntry[]> {
  return (await query<CapaHistoryEntry>(
    `SELECT e.event_id, e.ts, e.type, e.actor, p.payload FROM events e JOIN event_payloads p USING (event_id)
      WHERE e.workflow_id = $1 AND e.workflow_id LIKE 'CAPA-%' ORDER BY e.ts DESC, e.event_id DESC LIMIT $2`, [id, limit])).reverse();
}

/** What trends are made of: every record that was opened in the period, or of one subsystem. */
export async function capasOpened(
  query: Query, from: string, until: string, subsystem: string | null, limit: number,
): Promise<TrendInput[]> {
  return query<TrendInput>(
    `SELECT state, source, subsystem_id, occurrences, opened_at, COALESCE(record->'decisions', '[]') AS decisions FROM capas
      WHERE opened_at >= $1 AND opened_at <= $2 AND ($3::text IS NULL OR subsystem_id = $3) LIMIT $4`, [from, until, subsystem, limit]);
}
