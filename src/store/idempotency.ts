import type { Query } from './database.ts';

/**
 * Claims an Idempotency-Key inside the transaction that creates the mission.
 * A second claim waits for the first transaction, then finds its mission.
 * @returns the mission of an earlier claim, or undefined when the key is this transaction's
 */
export async function claimKey(
  query: Query, principalId: string, key: string, bodyDigest: string, missionId: string,
): Promise<{ mission_id: string; body_digest: string } | undefined> {
  const inserted = await query(
    `INSERT INTO idempotency_keys (principal_id, key, body_digest, mission_id) VALUES ($1, $2, $3, $4)
     ON CONFLICT DO NOTHING RETURNING mission_id`, [principalId, key, bodyDigest, missionId]);
  if (inserted.length > 0) return undefined;
  return (await findKey(query, principalId, key))!;
}

export async function findKey(
  query: Query, principalId: string, key: string,
): Promise<{ mission_id: string; body_digest: string } | undefined> {
  const [row] = await query<{ mission_id: string; body_digest: string }>(
    'SELECT mission_id, body_digest FROM idempotency_keys WHERE principal_id = $1 AND key = $2', [principalId, key]);
  return row;
}
