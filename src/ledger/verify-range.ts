/** Checks one range of a database's ledger: in this thread, or as a worker thread of `verify-ledger`. */
import { parentPort, workerData } from 'node:worker_threads';
import { connectLedger, entriesBetween } from './database-source.ts';
import { checkRange, type Checked } from './entries.ts';

export interface Range { url: string; log_id: string; from: number; to: number }

export async function checkDatabaseRange({ url, log_id, from, to }: Range): Promise<Checked> {
  const client = await connectLedger(url);
  try {
    const check = checkRange(log_id, from);
    for await (const page of entriesBetween(client, from, to)) for (const entry of page) check.take(entry);
    return check.found;
  } finally {
    await client.end();
  }
}

const range = workerData as Partial<Range> | null;
// oxlint-disable-next-line unicorn/require-post-message-target-origin -- a worker thread's port has no origin
if (parentPort !== null && range?.log_id !== undefined) parentPort.postMessage(await checkDatabaseRange(range as Range));
