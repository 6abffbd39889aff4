import fc from 'fast-check';
import { expect, test } from 'vitest';
import { rootBlockers, type LockWait } from '../../src/domain/lock-graph.ts';

const waits = (...pairs: [number, number][]): LockWait[] => pairs.map(([waiter, blocker]) => ({ waiter, blocker }));

test.each<[string, LockWait[], [number, number][]]>([
  ['nobody waits', [], []],
  ['one waits for one', waits([2, 1]), [[1, 1]]],
  ['a queue has one root, and all of the queue counts', waits([2, 1], [3, 1], [3, 2], [4, 3]), [[1, 3]]],
  ['two roots share a waiter', waits([3, 1], [3, 2]), [[1, 1], [2, 1]]],
  ['a circle has no root', waits([1, 2], [2, 1]), []],
  ['a circle behind a root', waits([1, 2], [2, 1], [2, 9]), [[9, 2]]],
  ['a prepared transaction blocks as 0', waits([5, 0]), [[0, 1]]],
])('%s', (_name, edges, roots) => {
  expect([...rootBlockers(edges)].sort((a, b) => a[0] - b[0])).toEqual(roots);
});

const anyWaits = fc.array(fc.record({ waiter: fc.integer({ min: 1, max: 12 }), blocker: fc.integer({ min: 0, max: 12 }) }), { maxLength: 60 });

test('a root never waits, and blocks no more sessions than wait', () => {
  fc.assert(fc.property(anyWaits, (edges) => {
    const waiters = new Set(edges.map(({ waiter }) => waiter));
    for (const [root, blocks] of rootBlockers(edges)) {
      expect(waiters.has(root)).toBe(false);
      expect(blocks).toBeGreaterThan(0);
      expect(blocks).toBeLessThanOrEqual(waiters.size);
    }
  }));
});

test('whoever blocks and does not wait is a root', () => {
  fc.assert(fc.property(anyWaits, (edges) => {
    const waiters = new Set(edges.map(({ waiter }) => waiter));
    const expected = new Set(edges.map(({ blocker }) => blocker).filter((blocker) => !waiters.has(blocker)));
    expect(new Set(rootBlockers(edges).keys())).toEqual(expected);
  }));
});
