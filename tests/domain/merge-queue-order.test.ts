import fc from 'fast-check';
import { expect, test } from 'vitest';
import { mergeQueueId, nextInQueue } from '../../src/domain/landing.ts';
import { severities, severityRank, type Severity } from '../../src/domain/mission.ts';

interface Item { kind: 'land' | 'revert'; severity: Severity; arrival: number }
const itemsArb = fc.array(fc.record({ kind: fc.constantFrom('land' as const, 'revert' as const), severity: fc.constantFrom(...severities) }), { maxLength: 15 })
  .map((items) => items.map((item, arrival): Item => ({ ...item, arrival })));

/** Takes one after the other, as the queue does. */
function drained(items: readonly Item[]): Item[] {
  const left = [...items];
  const order: Item[] = [];
  for (let next = nextInQueue(left, severityRank); next !== undefined; next = nextInQueue(left, severityRank)) {
    order.push(next);
    left.splice(left.indexOf(next), 1);
  }
  return order;
}

test('an empty queue has no next', () => {
  expect(nextInQueue([], severityRank)).toBeUndefined();
});

test('a revert goes before everything, even a low one before a critical landing', () => {
  const items: Item[] = [{ kind: 'land', severity: 'critical', arrival: 0 }, { kind: 'revert', severity: 'low', arrival: 1 }];
  expect(nextInQueue(items, severityRank)).toBe(items[1]);
});

test('whatever waits is taken once: reverts first, then by severity, then by arrival', () => {
  fc.assert(fc.property(itemsArb, (items) => {
    // More than 15 items never wait here, so one number holds all three parts.
    const key = ({ kind, severity, arrival }: Item): number => (kind === 'revert' ? 0 : 10_000) + severityRank(severity) * 100 + arrival;
    const wanted = [...items].sort((a, b) => key(a) - key(b));
    expect(drained(items)).toEqual(wanted);
  }));
});

test('each branch of each repository has a queue of its own', () => {
  expect(mergeQueueId('repo_1', 'main')).toBe('merge-queue:repo_1:main');
  expect(new Set([mergeQueueId('r', 'a'), mergeQueueId('r', 'b'), mergeQueueId('s', 'a')]).size).toBe(3);
});
