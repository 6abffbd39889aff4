/** Results of effects by key: what makes an activity that runs twice act once. */
import type { Query } from './database.ts';
import { toJson } from './json.ts';

/**
 * The stored result of `key`, or that of `act`, stored.
 * Two runs at once may both act; the first stored result is the one that both return.
 */
export async function once<T>(query: Query, key: string, act: () => Promise<T>): Promise<T> {
  const known = await stored<T>(query, key);
  return known === undefined ? keep(query, key, await act()) : known.result;
}

/** What was stored under `key`, if anything was: of the type that was stored, as the caller knows it. */
// oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- the type of a stored value is known to whoever stored it, as with `query<Row>`
export async function stored<T>(query: Query, key: string): Promise<{ result: T } | undefined> {
  const [known] = await query<{ result: T }>('SELECT result FROM effects WHERE key = $1', [key]);
  return known;
}

/** Stores a result, unless there is one. @returns the one that is stored */
export async function keep<T>(query: Query, key: string, result: T): Promise<T> {
  await query('INSERT INTO effects (key, result) VALUES ($1, $2) ON CONFLICT (key) DO NOTHING', [key, toJson(result)]);
  return (await stored<T>(query, key))!.result;
}
