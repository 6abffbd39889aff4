/** The overview's figures for everybody who listens: read at most twice a second, and only when something may have changed them. */
import type { StreamMetrics } from '../domain/stream.ts';
import type { Logger } from '../log.ts';
import type { Query } from '../store/database.ts';
import { streamMetrics } from '../store/overview.ts';
import type { Groups } from './groups.ts';
import { frameOf } from './messages.ts';
import type { Peer } from './peer.ts';
import type { Tail } from './tail.ts';

export interface MetricsUpdates {
  /** Something happened. */
  due(): void;
  /** For one who comes without a snapshot. */
  want(peer: Peer): void;
  stop(): void;
}

const everyMs = 500;
/** A reading that has become slow is made less often: a tenth of one connection's time at most. */
const restPerReading = 10;
/** Days end and windows move on without any event. */
const againAfterMs = 15_000;

export function createMetricsUpdates(query: Query, tail: Tail, groups: Groups, logger: Logger): MetricsUpdates {
  let dirty = false;
  let reading = false;
  let readAt = -againAfterMs;
  let pauseMs = everyMs;
  let sent: string | undefined;
  const asking = new Set<Peer>();

  async function look(): Promise<void> {
    const seq = tail.seq();
    const since = performance.now() - readAt;
    if (reading || seq === null) return;
    if (listeners().next().done && asking.size === 0) return;
    if (!(dirty || asking.size > 0 || since > againAfterMs) || since < pauseMs) return;
    reading = true;
    dirty = false;
    readAt = performance.now();
    const askers = [...asking];
    asking.clear();
    try {
      const metrics = await streamMetrics(query);
      tell(seq, metrics, askers);
    } catch (error) {
      logger.warn({ event: 'stream.metrics_unread', reason: (error as Error).message });
      dirty = true;
      for (const peer of askers) if (peer.isOpen()) asking.add(peer);
    } finally {
      pauseMs = Math.max(everyMs, restPerReading * (performance.now() - readAt));
      reading = false;
    }
  }

  function* listeners(): Generator<Peer> {
    for (const { peers } of groups.all()) yield* peers;
  }

  function tell(seq: number, metrics: StreamMetrics, askers: readonly Peer[]): void {
    const text = JSON.stringify(metrics);
    const frame = frameOf({ type: 'metrics_update', seq, metrics });
    for (const peer of new Set([...askers, ...(text === sent ? [] : listeners())])) peer.send(frame);
    sent = text;
  }

  // Looks also between events: what came within the half second after the last reading is not forgotten.
  const timer = setInterval(() => { void look(); }, 100);
  return {
    due() { dirty = true; },
    want(peer) { asking.add(peer); },
    stop() { clearInterval(timer); },
  };
}
