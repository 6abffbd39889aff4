/** A way through which a connection can be slowed, cut, or left hanging without anybody being told. */
import { createServer, connect, type AddressInfo, type Socket } from 'node:net';

export interface TcpProxy {
  port: number;
  /** Every piece waits this long, in both directions. */
  delay(ms: number): void;
  /** Nothing passes any more and nobody is told, as when a cable is pulled; new connections are taken and stay silent. */
  stall(): void;
  /** What was held passes again, for connections that are still there. */
  heal(): void;
  /** Every connection is reset. */
  reset(): void;
  /**
   * Waits for a transaction that ran the statement to be committed, and holds its connection there: `before` the COMMIT
   * reaches the server, or `after` the server carried it out and before the answer comes back.
   */
  holdCommitOf(statement: string, when: 'before' | 'after'): Promise<HeldConnection>;
  close(): Promise<void>;
}

export interface HeldConnection { reset(): void }

interface Pair { client: Socket; server: Socket; queue: (() => void)[]; held: boolean; seen: boolean; untilAnswer: boolean }

export async function tcpProxy(target: { host: string; port: number }): Promise<TcpProxy> {
  const pairs = new Set<Pair>();
  let delayMs = 0;
  let stalled = false;
  let wanted: { statement: string; when: 'before' | 'after'; caught: (pair: HeldConnection) => void } | undefined;

  const resetPair = (pair: Pair): void => {
    pairs.delete(pair);
    pair.client.resetAndDestroy();
    pair.server.resetAndDestroy();
  };
  function hold(pair: Pair): void {
    pair.held = true;
    const { caught } = wanted!;
    wanted = undefined;
    caught({ reset: () => resetPair(pair) });
  }
  /** Looks at what the client says; true when it is to be held back. */
  function watch(pair: Pair, chunk: Buffer): boolean {
    if (wanted === undefined) return false;
    const text = chunk.toString('latin1');
    if (text.includes(wanted.statement)) pair.seen = true;
    if (!pair.seen || !text.includes('COMMIT\0')) return false;
    if (wanted.when === 'after') pair.untilAnswer = true;
    else hold(pair);
    return wanted === undefined;
  }
  function pass(pair: Pair, to: Socket, chunk: Buffer): void {
    const send = (): void => { if (to.writable) to.write(chunk); };
    if (stalled || pair.held) pair.queue.push(send);
    else if (delayMs > 0) setTimeout(send, delayMs);
    else send();
  }

  const server = createServer((client) => {
    const upstream = connect(target);
    const pair: Pair = { client, server: upstream, queue: [], held: false, seen: false, untilAnswer: false };
    pairs.add(pair);
    client.setNoDelay(true);
    upstream.setNoDelay(true);
    client.on('data', (chunk: Buffer) => { if (!watch(pair, chunk)) pass(pair, upstream, chunk); });
    upstream.on('data', (chunk: Buffer) => {
      if (pair.untilAnswer && wanted !== undefined) hold(pair);
      pass(pair, client, chunk);
    });
    for (const [one, other] of [[client, upstream], [upstream, client]] as const) {
      one.on('error', () => undefined);
      one.on('close', () => {
        // A cut cable tells nobody that the other end is gone.
        const end = (): void => { other.destroy(); };
        if (stalled) pair.queue.push(end);
        else {
          pairs.delete(pair);
          end();
        }
      });
    }
  });
  await new Promise<void>((resolve) => { server.listen(0, '127.0.0.1', resolve); });
  return {
    port: (server.address() as AddressInfo).port,
    delay: (ms) => { delayMs = ms; },
    stall: () => { stalled = true; },
    heal() {
      stalled = false;
      for (const pair of pairs) for (const send of pair.queue.splice(0)) send();
    },
    reset: () => { for (const pair of pairs) resetPair(pair); },
    holdCommitOf: (statement, when) => new Promise((resolve) => { wanted = { statement, when, caught: resolve }; }),
    async close() {
      for (const pair of pairs) resetPair(pair);
      await new Promise((resolve) => { server.close(resolve); });
    },
  };
}
