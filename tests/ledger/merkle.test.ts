/** The tree, against the vectors of RFC 6962's reference implementation (certificate-transparency, merkletree tests). */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  completeSubtrees, consistencyRanges, emptyRoot, inclusionRanges, isConsistent, leafHash, nodeHash, openFrontier, rootFromInclusion,
} from '../../src/ledger/merkle.ts';

const inputs = ['', '00', '10', '2021', '3031', '40414243', '5051525354555657', '606162636465666768696a6b6c6d6e6f'];
const roots = [
  '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d',
  'fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125',
  'aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77',
  'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7',
  '4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4',
  '76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef',
  'ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c',
  '5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328',
];
const known = inputs.map((hex) => leafHash(Buffer.from(hex, 'hex')));

/** MTH as the RFC writes it, with nothing shared with the code under test but the two hash functions. */
function mth(leaves: readonly string[]): string {
  if (leaves.length === 0) return emptyRoot;
  if (leaves.length === 1) return leaves[0]!;
  let k = 1;
  while (k * 2 < leaves.length) k *= 2;
  return nodeHash(mth(leaves.slice(0, k)), mth(leaves.slice(k)));
}
const leavesOf = (n: number): string[] => Array.from({ length: n }, (_, i) => leafHash(`leaf ${i}`));
const sizes = fc.integer({ min: 1, max: 300 });

describe('known answers', () => {
  test('the root of nothing', () => expect(emptyRoot).toBe('e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'));

  test.each(roots.map((root, i) => [i + 1, root] as const))('the root over %i leaves', (size, root) => {
    const tree = openFrontier();
    for (const leaf of known.slice(0, size)) tree.append(leaf);
    expect(tree.root()).toBe(root);
  });

  // RFC 6962 2.1.3: PATH(0, D[7]), PATH(3, D[7]), PATH(4, D[7]), PATH(6, D[7]) as ranges of leaves.
  test.each([
    [0, [[1, 2], [2, 4], [4, 7]]], [3, [[2, 3], [0, 2], [4, 7]]], [4, [[5, 6], [6, 7], [0, 4]]], [6, [[4, 6], [0, 4]]],
  ] as const)('the path of leaf %i of seven', (index, ranges) => expect(inclusionRanges(index, 7)).toEqual(ranges));

  // RFC 6962 2.1.3: PROOF(3, D[7]) = [c, d, g, l], PROOF(4, D[7]) = [l], PROOF(6, D[7]) = [i, j, k].
  test.each([
    [3, [[2, 3], [3, 4], [0, 2], [4, 7]]], [4, [[4, 7]]], [6, [[4, 6], [6, 7], [0, 4]]],
  ] as const)('the proof that %i leaves begin a tree of seven', (old, ranges) => expect(consistencyRanges(old, 7)).toEqual(ranges));
});

describe('for any size', () => {
  test('a growing tree has the root of the definition, and tells every complete subtree once', () => fc.assert(fc.property(sizes, (size) => {
    const leaves = leavesOf(size);
    const tree = openFrontier();
    const told = new Map<string, string>();
    for (const leaf of leaves) tree.append(leaf, (height, index, hash) => told.set(`${height}:${index}`, hash));
    expect(tree.root()).toBe(mth(leaves));
    for (const { height, index } of completeSubtrees(0, size)) {
      expect(told.get(`${height}:${index}`)).toBe(mth(leaves.slice(index * 2 ** height, (index + 1) * 2 ** height)));
    }
    const reopened = openFrontier(size, completeSubtrees(0, size).map(({ height, index }) => told.get(`${height}:${index}`)!));
    reopened.append(leafHash('more'));
    expect(reopened.root()).toBe(mth([...leaves, leafHash('more')]));
  })));

  test('an audit path leads to the root, and no other leaf, place or path does', () => fc.assert(fc.property(sizes, fc.nat(), (size, n) => {
    const leaves = leavesOf(size);
    const index = n % size;
    const path = inclusionRanges(index, size).map(([from, to]) => mth(leaves.slice(from, to)));
    const root = mth(leaves);
    expect(rootFromInclusion(index, size, leaves[index]!, path)).toBe(root);
    expect(rootFromInclusion(index, size, leafHash('forged'), path)).not.toBe(root);
    expect(rootFromInclusion(index, size, leaves[index]!, [...path, root])).toBeUndefined();
    if (size > 1) {
      expect(rootFromInclusion(index, size, leaves[index]!, path.slice(0, -1))).not.toBe(root);
      expect(rootFromInclusion((index + 1) % size, size, leaves[index]!, path)).not.toBe(root);
    }
    expect(rootFromInclusion(size, size, leaves[index]!, path)).toBeUndefined();
  })));

  test('a consistency proof holds for a prefix and for nothing else', () => fc.assert(fc.property(sizes, sizes, (a, b) => {
    const [old, size] = [Math.min(a, b), Math.max(a, b)];
    const leaves = leavesOf(size);
    const proof = consistencyRanges(old, size).map(([from, to]) => mth(leaves.slice(from, to)));
    const [before, now] = [mth(leaves.slice(0, old)), mth(leaves)];
    expect(isConsistent(old, before, size, now, proof)).toBe(true);
    const rewritten = mth([leafHash('rewritten'), ...leaves.slice(1, old)]);
    expect(isConsistent(old, rewritten, size, now, proof)).toBe(false);
    expect(isConsistent(old, before, size, leafHash('other'), proof)).toBe(false);
    if (old < size) expect(isConsistent(size, now, old, before, proof)).toBe(false);
    if (proof.length > 0) expect(isConsistent(old, before, size, now, proof.slice(1))).toBe(false);
  })));
});
