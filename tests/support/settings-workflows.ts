import { proxyActivities, sleep } from '@temporalio/workflow';

const { nothing } = proxyActivities<{ nothing(): Promise<void> }>({ startToCloseTimeout: '10s' });

/** Milliseconds that a 50 ms timer took. */
export async function shortSleep(): Promise<number> {
  const started = Date.now();
  await sleep('50ms');
  return Date.now() - started;
}

/** Milliseconds that five activities took, one after the other. */
export async function fiveActivities(): Promise<number> {
  const started = Date.now();
  for (let i = 0; i < 5; i += 1) await nothing();
  return Date.now() - started;
}
