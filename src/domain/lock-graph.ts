/** Who waits for whom in a database, and who is at the root of it. */

export interface LockWait { waiter: number; blocker: number }

/**
 * The blockers that wait for nobody themselves, each with how many sessions wait for it, directly or behind others.
 * Sessions that wait in a circle have no root: the server's own deadlock detection ends that.
 */
export function rootBlockers(waits: readonly LockWait[]): Map<number, number> {
  const waitersOf = new Map<number, Set<number>>();
  const waiters = new Set<number>();
  for (const { waiter, blocker } of waits) {
    waiters.add(waiter);
    const known = waitersOf.get(blocker);
    if (known === undefined) waitersOf.set(blocker, new Set([waiter]));
    else known.add(waiter);
  }
  const roots = [...waitersOf.keys()].filter((blocker) => !waiters.has(blocker));
  return new Map(roots.map((root) => [root, reachable(root, waitersOf).size]));
}

function reachable(root: number, waitersOf: ReadonlyMap<number, ReadonlySet<number>>): Set<number> {
  const seen = new Set<number>();
  const open = [root];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    for (const waiter of waitersOf.get(next) ?? []) {
      if (seen.has(waiter)) continue;
      seen.add(waiter);
      open.push(waiter);
    }
  }
  return seen;
}
