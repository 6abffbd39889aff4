import type { Query } from './database.ts';

/** Next number of a named counter, from 1. Its row lock holds until the transaction ends, so numbers have no gaps. */
export async function nextNumber(query: Query, name: string): Promise<number> {
  const [row] = await query<{ last: number }>(
    `INSERT INTO counters (name, last) VALUES ($1, 1)
     ON CONFLICT (name) DO UPDATE SET last = counters.last + 1 RETURNING last`, [name]);
  return row!.last;
}
