/** The ledger as readers see it: sealed events in their one order. */
import type { SealedEvent } from '../domain/event.ts';
import type { Query } from './database.ts';
import { eventColumns, eventOf, type StoredEventRow } from './events.ts';

export interface EventFilter {
  mission_id?: string | undefined;
  types?: readonly string[] | undefined;
  subsystem_id?: string | undefined;
}

/** Events with `seq` above `after`, in order. No gaps: whatever has a lower seq was there when a higher one was read. */
export async function eventsAfter(query: Query, { after, limit, ...filter }: EventFilter & { after: number; limit: number }): Promise<SealedEvent[]> {
  const params: unknown[] = [after, limit];
  const where = ['l.seq > $1'];
  const add = (condition: (p: string) => string, value: unknown): void => {
    params.push(value);
    where.push(condition(`$${params.length}`));
  };
  if (filter.mission_id !== undefined) add((p) => `e.mission_id = ${p}`, filter.mission_id);
  if (filter.types !== undefined) add((p) => `e.type = ANY(${p})`, filter.types);
  if (filter.subsystem_id !== undefined) add((p) => `${subsystem} = ${p}`, filter.subsystem_id);
  const rows = await query<StoredEventRow & { seq: number; sealed_at: string; subsystem_id: string | null }>(
    `SELECT l.seq, l.sealed_at, ${subsystem} AS subsystem_id, ${eventColumns}
       FROM ledger l JOIN events e USING (event_id) JOIN event_payloads p USING (event_id) LEFT JOIN missions m ON m.mission_id = e.mission_id
      WHERE ${where.join(' AND ')} ORDER BY l.seq LIMIT $2`, params);
  return rows.map(eventOf);
}

const subsystem = `coalesce(p.payload->>'subsystem_id', m.subsystem_id)`;

/** The last seq; 0 while nothing is sealed. */
export async function latestSeq(query: Query): Promise<number> {
  const [row] = await query<{ seq: number }>('SELECT coalesce(max(seq), 0) AS seq FROM ledger');
  return row!.seq;
}

/** Events that wait for the sealer, and how long the oldest has. */
export async function backlog(query: Query): Promise<{ unsealed: number; waiting_ms: number | null }> {
  const [row] = await query<{ unsealed: number; waiting_ms: number | null }>(
    `SELECT count(*) AS unsealed, (extract(epoch FROM clock_timestamp() - min(e.ts)) * 1000)::float8 AS waiting_ms
       FROM unsealed JOIN events e USING (event_id)`);
  return row!;
}
