/** Results of effects by key: what makes an activity that runs twice act once. */
import type { Query } from './database.ts';
import { toJson } from './json.ts';

/**
 * The stored result of `key`, or that of `act`, stored.
 * Two runs at once may both act; the first stored result is the one that both return.
 */
export async function once<T>(query: Query, key: string, act: () => Promise<T>): Promise<T> {
  const [known] = await query<{ result: T }>('SELECT result FROM effects WHERE key = $1', [key]);
  if (known !== undefined) return known.result;
  const result = await act();
  await query('INSERT INTO effects (key, result) VALUES ($1, $2) ON CONFLICT (key) DO NOTHING',
    [key, toJson(result)]);
  const [stored] = await query<{ result: T }>('SELECT result FROM effects WHERE key = $1', [key]);
  return stored!.result;
}
