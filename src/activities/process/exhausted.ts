/** A host without a free descriptor, process or page: that passes, so it is waited for a little, and then said. */
import { setTimeout as sleep } from 'node:timers/promises';
import { failure } from '../../engine/failure.ts';
import { isExhausted } from '../../fork-server/start.ts';

const waitsMs = [100, 300, 1_000, 3_000];

/** @throws HOST_EXHAUSTED after a few seconds of trying */
export async function whenThereIsRoom<T>(what: string, start: () => Promise<T>, signal?: AbortSignal): Promise<T> {
  for (const waitMs of waitsMs) {
    try {
      return await start();
    } catch (error) {
      if (!isExhausted(error)) throw error;
      await sleep(waitMs, undefined, signal === undefined ? {} : { signal });
    }
  }
  try {
    return await start();
  } catch (error) {
    if (!isExhausted(error)) throw error;
    const { code, message } = error as NodeJS.ErrnoException;
    throw failure('HOST_EXHAUSTED', `${what} cannot be started, this host has no more to give (${code}): ${message}; raise the worker's limits of processes and open files, or run less at once`);
  }
}
