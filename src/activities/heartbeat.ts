import { Context } from '@temporalio/activity';

/** Well under the heartbeat timeout of `onHost` activities, and how long a cancellation may take to arrive. */
const intervalMs = 500;

/** Runs an activity's work with a heartbeat, handing it the signal that cancellation, timeout or shutdown sets off. */
export async function withHeartbeat<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const context = Context.current();
  const timer = setInterval(() => context.heartbeat(), intervalMs);
  try {
    return await work(context.cancellationSignal);
  } finally {
    clearInterval(timer);
  }
}
