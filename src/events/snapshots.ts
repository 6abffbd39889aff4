/** The overview as a starting point: one reading for all who ask while another one runs. */
import type { Overview } from '../domain/stream.ts';
import type { Query } from '../store/database.ts';
import { overviewLines, streamMetrics } from '../store/overview.ts';
import type { Tail } from './tail.ts';

/** Takes an overview that is read after the call, so that callers find what they have written. @throws Error when the database does not answer */
export type TakeSnapshot = () => Promise<Overview>;

export function createSnapshots(query: Query, tail: Tail): TakeSnapshot {
  let running: Promise<Overview> | undefined;
  let next: Promise<Overview> | undefined;

  async function read(): Promise<Overview> {
    // An event is written with the state that it tells of: what is read after this seq has at least all of it.
    if (tail.seq() === null) await tail.readNow();
    const seq = tail.seq() ?? 0;
    const [missions, metrics] = await Promise.all([overviewLines(query), streamMetrics(query)]);
    return { seq, missions, metrics };
  }

  // A thousand clients that come back at once cost two readings.
  return function take(): Promise<Overview> {
    if (running === undefined) {
      running = read().finally(() => { running = undefined; });
      return running;
    }
    const begin = (): Promise<Overview> => {
      next = undefined;
      return take();
    };
    next ??= running.then(begin, begin);
    return next;
  };
}
