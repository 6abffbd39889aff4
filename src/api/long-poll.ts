/** Requests that wait for something to happen. They count as clients of the stream, and hold no database connection meanwhile. */
import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import type { SealedEvent } from '../domain/event.ts';
import { signIn } from './auth.ts';
import type { ApiDeps } from './context.ts';
import { Problem } from './problem.ts';

const maxWaitSeconds = 25;
export const waitQuery = z.coerce.number().min(0).max(maxWaitSeconds).default(0).describe('seconds to wait when there is nothing yet');

type Deps = Pick<ApiDeps, 'config' | 'database' | 'pepper' | 'stream'>;

/** @throws Problem TOO_MANY_CONNECTIONS */
export function requireRoom({ config, stream }: Pick<Deps, 'config' | 'stream'>, { principal }: FastifyRequest): void {
  const full = stream.full(principal.id);
  if (full === null) return;
  const detail = full === 'stream' ? `all ${config.stream.connections} places are taken` : `${principal.id} has all of its ${config.stream.connectionsPerPrincipal} connections open`;
  throw new Problem(full === 'stream' ? 503 : 429, 'TOO_MANY_CONNECTIONS', detail, [], { 'retry-after': '5' });
}

/**
 * Waits no longer than asked, than the client does, and than this process lives; then checks the key again, which may have
 * been revoked meanwhile.
 * @param work is told when the wait is over by the signal
 */
export async function waiting<T>(
  deps: Deps, request: FastifyRequest, reply: FastifyReply, seconds: number, work: (over: AbortSignal) => Promise<T>,
): Promise<T> {
  requireRoom(deps, request);
  const release = deps.stream.hold(request.principal.id);
  const over = new AbortController();
  const end = (): void => over.abort();
  const timer = setTimeout(end, seconds * 1_000);
  reply.raw.once('close', end);
  const forget = deps.stream.onClosing(end);
  try {
    const result = await work(over.signal);
    await signIn(request, deps.database, deps.pepper);
    return result;
  } finally {
    clearTimeout(timer);
    forget();
    release();
  }
}

/**
 * Looks, and looks again whenever an event comes that may have changed the answer, until there is one or the wait is over.
 * @param look undefined while there is nothing
 * @param matters whether an event is a reason to look again
 */
export async function lookUntil<T>(
  deps: Deps, request: FastifyRequest, reply: FastifyReply, seconds: number, look: () => Promise<T | undefined>, matters: (event: SealedEvent) => boolean,
): Promise<T | undefined> {
  reply.header('cache-control', 'no-store');
  if (seconds === 0) return look();
  const { tail } = deps.stream;
  return waiting(deps, request, reply, seconds, async (over) => {
    for (;;) {
      // Taken before looking: what comes in between is seen either way.
      let seen = tail.seq() ?? 0;
      const found = await look();
      if (found !== undefined || over.aborted) return found;
      for (let news = false; !news && !over.aborted;) {
        await tail.movedPast(seen, over);
        news = tail.since(seen)?.some(({ event }) => matters(event)) ?? true;
        seen = tail.seq() ?? 0;
      }
    }
  });
}
