/** One connected client: sends within a bound, is asked whether it lives, and is let go with a code that says why. */
import type { WebSocket } from 'ws';
import type { Principal } from '../domain/actor.ts';
import { closeCodes } from '../domain/stream.ts';

export interface SignIn { principal: Principal; session_id: string | null }

export interface Peer {
  signIn: SignIn;
  isOpen(): boolean;
  /** Closes with 4008 instead when more than 1 MB waits to be taken. */
  send(frame: Buffer): void;
  /** Resolves when what was sent has been handed to the network, or the peer is gone. */
  taken(): Promise<void>;
  close(code: number, reason: string): void;
  /** Ends one that has not answered since the last time. */
  checkAlive(): void;
  /** At once, without a word. */
  terminate(): void;
}

/** Bytes that may wait for a client. */
export const sendBound = 1024 * 1024;
/** A client that reads nothing does not read the close either. */
const closeWithinMs = 5_000;

export function createPeer(socket: WebSocket, signIn: SignIn): Peer {
  let alive = true;
  socket.on('pong', () => { alive = true; });

  const isOpen = (): boolean => socket.readyState === socket.OPEN;
  function close(code: number, reason: string): void {
    if (!isOpen()) return;
    socket.close(code, reason);
    setTimeout(() => socket.terminate(), closeWithinMs).unref();
  }

  return {
    signIn, isOpen, close,
    send(frame) {
      if (!isOpen()) return;
      if (socket.bufferedAmount > sendBound) return close(closeCodes.tooSlow, 'too slow: more than 1 MB was not taken');
      socket.send(frame, { binary: false });
    },
    taken() {
      if (!isOpen()) return Promise.resolve();
      // An empty ping goes through the same queue as everything before it.
      return new Promise((resolve) => { socket.ping(undefined, false, () => resolve()); });
    },
    checkAlive() {
      if (!isOpen()) return;
      if (!alive) return socket.terminate();
      alive = false;
      socket.ping();
    },
    terminate: () => socket.terminate(),
  };
}
