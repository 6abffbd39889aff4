import { capaId, type Capa, type CapaSource } from '../domain/capa.ts';
import type { Actor } from '../domain/actor.ts';
import { noSubject } from '../domain/event.ts';
import { nextNumber } from './counters.ts';
import type { Query } from './database.ts';
import { insertEvents } from './events.ts';
import { storable, toJson } from './json.ts';

const columns = `capa_id, state, source, fingerprint, occurrences, mission_id, subsystem_id, problem_statement,
  evidence, opened_by, opened_at`;

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
 * Opens a record, or counts an occurrence of the open one with the same fingerprint. Call it in a transaction.
 * @returns the record's id
 */
export async function openCapa(query: Query, input: OpenCapa): Promise<string> {
  const subject = { ...noSubject, mission_id: input.mission_id };
  // Two at once would both find nothing open; the second of them waits and counts.
  await query('SELECT pg_advisory_xact_lock(hashtextextended($1, 0))', [`capa:${input.fingerprint}`]);
  const [open] = await query<{ capa_id: string; occurrences: number }>(
    `UPDATE capas SET occurrences = occurrences + 1, evidence = evidence || $2::jsonb
      WHERE fingerprint = $1 AND state NOT IN ('REJECTED', 'CLOSED_EFFECTIVE', 'VOIDED')
      RETURNING capa_id, occurrences`, [input.fingerprint, toJson(input.evidence)]);
  if (open !== undefined) {
    await insertEvents(query, [{
      type: 'capa.recurred', actor: input.actor, subject, payload: { ...open },
      idempotency_key: `capa:${open.capa_id}:${open.occurrences}`,
    }]);
    return open.capa_id;
  }
  const year = new Date().getUTCFullYear();
  const id = capaId(year, await nextNumber(query, `capa:${year}`));
  await query(
    `INSERT INTO capas (capa_id, state, source, fingerprint, mission_id, subsystem_id, problem_statement, evidence, opened_by)
     VALUES ($1, 'OPENED', $2, $3, $4, $5, $6, $7, $8)`,
    [id, input.source, input.fingerprint, input.mission_id, input.subsystem_id, storable(input.problem_statement),
      toJson(input.evidence), input.actor.id]);
  await insertEvents(query, [{
    type: 'capa.opened', actor: input.actor, subject,
    payload: { capa_id: id, source: input.source, problem_statement: input.problem_statement },
    idempotency_key: `capa:${id}:1`,
  }]);
  return id;
}

export async function findCapa(query: Query, id: string): Promise<Capa | undefined> {
  const [row] = await query<Capa>(`SELECT ${columns} FROM capas WHERE capa_id = $1`, [id]);
  return row;
}

export async function listCapas(query: Query, limit: number): Promise<Capa[]> {
  return query<Capa>(`SELECT ${columns} FROM capas ORDER BY opened_at DESC, capa_id DESC LIMIT $1`, [limit]);
}
