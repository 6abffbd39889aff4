/** A connection that is told: it LISTENs on one channel and is made anew by itself when it breaks. */
import type pg from 'pg';
import type { Logger } from '../log.ts';
import { connectionTo, type Query } from './database.ts';

export interface Listener {
  /** Runs on the listening connection. @throws Error while there is none */
  query: Query;
  connected(): boolean;
  stop(): Promise<void>;
}

const againAfterMs = 200;
/** An answer that takes longer comes from a server that is gone without having said so. */
const answerWithinMs = 5_000;

/** @param wake called for every notification, and for every new connection: what was said in between is lost */
export function listen(url: string, channel: string, wake: () => void, logger: Logger): Listener {
  let client: pg.Client | undefined;
  let timer: NodeJS.Timeout | undefined;
  let stopped = false;
  let drop: () => void = () => undefined;

  async function hold(): Promise<void> {
    const next = connectionTo(url, `mission-control-${channel}`);
    let lost = false;
    const again = (): void => {
      if (lost) return;
      lost = true;
      if (client === next) client = undefined;
      void next.end().catch(() => undefined);
      if (!stopped) timer = setTimeout(() => { holding = hold(); }, againAfterMs);
    };
    drop = again;
    next.on('error', again);
    next.on('end', again);
    next.on('notification', wake);
    try {
      await next.connect();
      await next.query(`LISTEN ${channel}`);
      if (lost || stopped) return again();
      client = next;
      wake();
    } catch (error) {
      logger.debug({ event: 'listener.retry', channel, reason: (error as Error).message });
      again();
    }
  }
  let holding = hold();

  return {
    connected: () => client !== undefined,
    async query<Row>(text: string, params: readonly unknown[] = []) {
      if (client === undefined) throw Object.assign(new Error(`not connected to hear ${channel}`), { code: 'ECONNREFUSED' });
      const late = setTimeout(drop, answerWithinMs);
      try {
        return (await client.query(text, [...params])).rows as Row[];
      } finally {
        clearTimeout(late);
      }
    },
    async stop() {
      stopped = true;
      clearTimeout(timer);
      await holding;
      drop();
    },
  };
}
