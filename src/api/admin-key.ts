/** The first key: made at the first start, in a file of mode 0600 in the data directory. */
import { join } from 'node:path';
import { systemActor } from '../domain/actor.ts';
import { fileOnce } from '../home.ts';
import type { Database } from '../store/database.ts';
import { addKey, newKeyText, parseKey } from '../store/keys.ts';

/**
 * Makes sure that the key in `admin.key` is a registered admin key. File first, row second: whoever dies in between is
 * healed by the next start.
 */
export async function ensureAdminKey(home: string, database: Database, pepper: Buffer): Promise<void> {
  const path = join(home, 'admin.key');
  const text = await fileOnce(path, newKeyText);
  if (parseKey(text) === undefined) throw new Error(`${path} does not hold a key; remove it and start again to get a new one`);
  const key = { principal_id: 'admin', kind: 'person', role: 'admin', name: 'first admin key', expires_at: null } as const;
  await addKey(database, pepper, text, key, systemActor('api'));
}
