/** The overview as a starting point: read once for all who ask at about the same time. */
import type { Overview } from '../domain/stream.ts';
import type { Query } from '../store/database.ts';
import { overviewLines, streamMetrics } from '../store/overview.ts';
import type { Tail } from './tail.ts';

export interface Snapshots {
  /** An overview in which everything up to `least` is. @throws Error when the database does not answer */
  take(least: number): Promise<Overview>;
}

/** A thousand clients that come back at once cost one reading. */
const sharedForMs = 250;

export function createSnapshots(query: Query, tail: Tail): Snapshots {
  let latest: { seq: number; at: number; overview: Promise<Overview> } | undefined;

  async function read(seq: number): Promise<Overview> {
    const [missions, metrics] = await Promise.all([overviewLines(query), streamMetrics(query)]);
    return { seq, missions, metrics };
  }

  return {
    async take(least) {
      if (latest !== undefined && latest.seq >= least && performance.now() - latest.at < sharedForMs) return latest.overview;
      // An event is written with the state that it tells of: what is read after this seq has at least all of it.
      if (tail.seq() === null) await tail.readNow();
      const mine = { seq: tail.seq()!, at: performance.now(), overview: read(tail.seq()!) };
      latest = mine;
      mine.overview.catch(() => { if (latest === mine) latest = undefined; });
      return mine.overview;
    },
  };
}
