/** What a check of a database's tables and indexes says about it as a whole. */

export type Examined = {
  kind: 'index' | 'table';
  schema: string;
  name: string;
  /** The table itself, or the one that the index belongs to. */
  table: string;
  state: 'ok' | 'damaged' | 'unchecked';
  /** What was found, or why it was not checked. */
  reason: string | null;
};

/** `index_only`: every damaged index belongs to a table that was checked whole, so that it can be made anew from it. */
export type DamageState = 'ok' | 'index_only' | 'damaged' | 'unknown';

/**
 * @param checksumFailures pages whose checksum was wrong since the server's counters began; null when it keeps no checksums
 * @returns `ok` only when there was something to check, all of it was checked, and no page ever failed
 */
export function classifyDamage(examined: readonly Examined[], checksumFailures: number | null): DamageState {
  if (examined.some(({ kind, state }) => kind === 'table' && state === 'damaged')) return 'damaged';
  const damaged = examined.filter(({ state }) => state === 'damaged');
  if (damaged.length > 0) {
    const sound = new Set(examined.filter(({ kind, state }) => kind === 'table' && state === 'ok').map(tableKey));
    return damaged.every((index) => sound.has(tableKey(index))) ? 'index_only' : 'unknown';
  }
  if (examined.length === 0 || examined.some(({ state }) => state === 'unchecked')) return 'unknown';
  return checksumFailures !== null && checksumFailures > 0 ? 'unknown' : 'ok';
}

/** Names may hold any character, so no separator keeps two of them apart. */
const tableKey = ({ schema, table }: Examined): string => JSON.stringify([schema, table]);
