import { actorOf, type Principal } from '../domain/actor.ts';
import { noSubject } from '../domain/event.ts';
import type { Silence, SilenceMatchers } from '../domain/silence.ts';
import type { Database, Query } from './database.ts';
import { insertEvents, uuidv7 } from './events.ts';
import { toJson } from './json.ts';

const columns = 'silence_id, matchers, reason, created_by, created_at, until, removed_at';

/** Silences in force now. */
export const activeSilences = (query: Query): Promise<Silence[]> =>
  query<Silence>(`SELECT ${columns} FROM silences WHERE removed_at IS NULL AND until > clock_timestamp() ORDER BY until`);

/** Newest first, those that are over included. */
export const listSilences = (query: Query, limit: number): Promise<Silence[]> =>
  query<Silence>(`SELECT ${columns} FROM silences ORDER BY created_at DESC, silence_id DESC LIMIT $1`, [limit]);

export async function addSilence(
  database: Database, input: { matchers: SilenceMatchers; reason: string; until: string }, by: Principal,
): Promise<Silence> {
  return database.transaction(async (query) => {
    const id = uuidv7();
    const [silence] = await query<Silence>(
      `INSERT INTO silences (silence_id, matchers, reason, created_by, until) VALUES ($1, $2, $3, $4, $5) RETURNING ${columns}`,
      [id, toJson(input.matchers), input.reason, by.id, input.until]);
    await insertEvents(query, [{
      type: 'silence.added', actor: actorOf(by), subject: noSubject, payload: { silence_id: id, ...input }, idempotency_key: `silence:${id}:added`,
    }]);
    return silence!;
  });
}

/** Ends a silence; ending it twice keeps the first time. @returns undefined when there is none of that id */
export async function removeSilence(database: Database, id: string, by: Principal): Promise<Silence | undefined> {
  return database.transaction(async (query) => {
    const [silence] = await query<Silence>(
      `UPDATE silences SET removed_at = COALESCE(removed_at, clock_timestamp()) WHERE silence_id = $1 RETURNING ${columns}`, [id]);
    if (silence === undefined) return undefined;
    await insertEvents(query, [{
      type: 'silence.removed', actor: actorOf(by), subject: noSubject, payload: { silence_id: id }, idempotency_key: `silence:${id}:removed`,
    }]);
    return silence;
  });
}
