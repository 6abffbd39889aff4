/** Hashes of subtrees as the database has them: leaves in `ledger`, complete subtrees of 256^level leaves in `ledger_nodes`. */
import { completeSubtrees, consistencyRanges, inclusionRanges, nodeHash, openFrontier, type Frontier } from './merkle.ts';

/** Runs one parameterised statement and gives its rows. */
export type Query = <Row>(text: string, params?: readonly unknown[]) => Promise<Row[]>;

/** Levels of stored nodes lie this many heights apart: 256 leaves under one node of level 1. */
export const heightsPerLevel = 8;

/** Root of a complete subtree: at most 128 rows are read for it, however large it is. */
async function subtreeHash(query: Query, { height, index }: { height: number; index: number }): Promise<string> {
  const level = Math.floor(height / heightsPerLevel);
  const width = 2 ** (height - level * heightsPerLevel);
  const from = index * width;
  const rows = level === 0
    ? await query<{ hash: string }>('SELECT leaf_hash AS hash FROM ledger WHERE seq > $1 AND seq <= $2 ORDER BY seq', [from, from + width])
    : await query<{ hash: string }>('SELECT hash FROM ledger_nodes WHERE level = $1 AND index >= $2 AND index < $3 ORDER BY index', [level, from, from + width]);
  if (rows.length !== width) throw new Error(`the ledger lacks ${width - rows.length} hashes of level ${level} between ${from} and ${from + width}`);
  let hashes = rows.map((row) => row.hash);
  while (hashes.length > 1) hashes = hashes.flatMap((hash, i) => (i % 2 === 0 ? [nodeHash(hash, hashes[i + 1]!)] : []));
  return hashes[0]!;
}

/** One after the other: `query` may be a transaction, which is one connection. */
async function rootsBetween(query: Query, from: number, to: number): Promise<string[]> {
  const roots: string[] = [];
  for (const subtree of completeSubtrees(from, to)) roots.push(await subtreeHash(query, subtree));
  return roots;
}

async function rangeRoots(query: Query, ranges: readonly (readonly [number, number])[]): Promise<string[]> {
  const roots: string[] = [];
  for (const [from, to] of ranges) roots.push((await rootsBetween(query, from, to)).reduceRight((right, left) => nodeHash(left, right)));
  return roots;
}

/** The tree of the first `size` records, ready to grow. @throws Error when hashes are missing */
export const frontierAt = async (query: Query, size: number): Promise<Frontier> =>
  openFrontier(size, await rootsBetween(query, 0, size));

/** Audit path of a leaf in the tree of `size`. @param index from 0 */
export const inclusionProof = (query: Query, index: number, size: number): Promise<string[]> =>
  rangeRoots(query, inclusionRanges(index, size));

/** Proof that the tree of `old` leaves is the beginning of that of `size`. */
export const consistencyProof = (query: Query, old: number, size: number): Promise<string[]> =>
  rangeRoots(query, consistencyRanges(old, size));
