/**
 * The Merkle tree of RFC 6962 section 2 over sealed records. Hashes are lower-case hex; sizes count leaves; leaf indexes
 * count from 0 (a record's index is its seq − 1).
 */
import { createHash } from 'node:crypto';

const leafPrefix = Buffer.from([0]);
const nodePrefix = Buffer.from([1]);

/** MTH({d}) of one leaf. */
export const leafHash = (data: string | Uint8Array): string =>
  createHash('sha256').update(leafPrefix).update(data).digest('hex');

export const nodeHash = (left: string, right: string): string =>
  createHash('sha256').update(nodePrefix).update(left, 'hex').update(right, 'hex').digest('hex');

/** MTH({}): the root of the empty tree. */
export const emptyRoot = createHash('sha256').digest('hex');

/** A tree that only grows, kept as the roots of its complete subtrees: some twenty hashes for a million leaves. */
export interface Frontier {
  readonly size: number;
  /** @param onNode called for every subtree that this leaf completes: `height` 0 is the leaf itself */
  append(leaf: string, onNode?: (height: number, index: number, hash: string) => void): void;
  root(): string;
}

/** @param roots of the complete subtrees that make up `size` leaves, the largest first */
export function openFrontier(size = 0, roots: readonly string[] = []): Frontier {
  const stack = [...roots];
  let count = size;
  return {
    get size() { return count; },
    append(leaf, onNode) {
      let hash = leaf;
      onNode?.(0, count, hash);
      // As many subtrees are completed as the count of leaves before had one-bits at its end.
      let height = 0;
      for (let rest = count; rest % 2 === 1; rest = Math.floor(rest / 2)) {
        hash = nodeHash(stack.pop()!, hash);
        height += 1;
        onNode?.(height, Math.floor(rest / 2), hash);
      }
      stack.push(hash);
      count += 1;
    },
    root: () => (stack.length === 0 ? emptyRoot : stack.reduceRight((right, left) => nodeHash(left, right))),
  };
}

/** The complete subtrees that leaves `from` to `to` split into, in order. Both ends aligned as RFC 6962 splits them. */
export function completeSubtrees(from: number, to: number): { height: number; index: number }[] {
  const found: { height: number; index: number }[] = [];
  for (let at = from; at < to;) {
    const height = Math.floor(Math.log2(to - at));
    found.push({ height, index: at / 2 ** height });
    at += 2 ** height;
  }
  return found;
}

/** Largest power of two below n (n > 1). */
const splitOf = (n: number): number => 2 ** Math.floor(Math.log2(n - 1));

/** Ranges of leaves whose roots are the audit path of one leaf, PATH(m, D[n]) of RFC 6962 2.1.1, nearest first. */
export function inclusionRanges(index: number, size: number, from = 0): [number, number][] {
  if (size <= 1) return [];
  const k = splitOf(size);
  return index < k
    ? [...inclusionRanges(index, k, from), [from + k, from + size]]
    : [...inclusionRanges(index - k, size - k, from + k), [from, from + k]];
}

/** Ranges whose roots are PROOF(m, D[n]) of RFC 6962 2.1.2: the tree of the first m leaves is a prefix of that of n. */
export function consistencyRanges(old: number, size: number): [number, number][] {
  const sub = (m: number, n: number, from: number, whole: boolean): [number, number][] => {
    if (m === n) return whole ? [] : [[from, from + n]];
    const k = splitOf(n);
    return m <= k
      ? [...sub(m, k, from, whole), [from + k, from + n]]
      : [...sub(m - k, n - k, from + k, false), [from, from + k]];
  };
  return old <= 0 || old >= size ? [] : sub(old, size, 0, true);
}

/** The root that a leaf and its audit path lead to (RFC 9162 2.1.3.2); undefined when the path cannot belong to such a tree. */
export function rootFromInclusion(index: number, size: number, leaf: string, path: readonly string[]): string | undefined {
  if (index < 0 || index >= size) return undefined;
  let [fn, sn, hash] = [index, size - 1, leaf];
  for (const next of path) {
    if (sn === 0) return undefined;
    if (fn % 2 === 1 || fn === sn) {
      hash = nodeHash(next, hash);
      while (fn % 2 === 0 && fn !== 0) [fn, sn] = [Math.floor(fn / 2), Math.floor(sn / 2)];
    } else {
      hash = nodeHash(hash, next);
    }
    [fn, sn] = [Math.floor(fn / 2), Math.floor(sn / 2)];
  }
  return sn === 0 ? hash : undefined;
}

/** Whether a tree of `size` with `root` begins with the tree of `old` leaves with `oldRoot` (RFC 9162 2.1.4.2). */
export function isConsistent(old: number, oldRoot: string, size: number, root: string, proof: readonly string[]): boolean {
  if (old > size) return false;
  if (old === size) return proof.length === 0 && oldRoot === root;
  if (old === 0) return proof.length === 0 && oldRoot === emptyRoot;
  const path = Number.isInteger(Math.log2(old)) ? [oldRoot, ...proof] : [...proof];
  if (path.length === 0) return false;
  let [fn, sn] = [old - 1, size - 1];
  while (fn % 2 === 1) [fn, sn] = [Math.floor(fn / 2), Math.floor(sn / 2)];
  let [first, second] = [path[0]!, path[0]!];
  for (const next of path.slice(1)) {
    if (sn === 0) return false;
    if (fn % 2 === 1 || fn === sn) {
      first = nodeHash(next, first);
      second = nodeHash(next, second);
      while (fn % 2 === 0 && fn !== 0) [fn, sn] = [Math.floor(fn / 2), Math.floor(sn / 2)];
    } else {
      second = nodeHash(second, next);
    }
    [fn, sn] = [Math.floor(fn / 2), Math.floor(sn / 2)];
  }
  return sn === 0 && first === oldRoot && second === root;
}
