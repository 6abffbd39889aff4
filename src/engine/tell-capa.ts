/** A CAPA record's workflow: started by the first message, its id is the record's. */
import type { Client } from '@temporalio/client';
import { markTold, untoldVersion } from '../store/capa-workflows.ts';
import type { Query } from '../store/database.ts';
import { taskQueue } from './client.ts';

/** Whoever tells has something better to do than to wait for the engine. */
const patienceMs = 3_000;

/**
 * Tells the record's workflow that the record is new or has changed. Call it after the commit; safe to repeat.
 * What is not told for whatever reason is told by the reconciler.
 */
export async function tellCapa(temporal: Client, query: Query, id: string): Promise<void> {
  const version = await untoldVersion(query, id);
  if (version === undefined) return;
  await temporal.withDeadline(Date.now() + patienceMs, () => temporal.workflow.signalWithStart('capa', {
    workflowId: id, taskQueue, workflowTaskTimeout: '3s', args: [{ capa_id: id }], signal: 'capaChanged', signalArgs: [],
    staticSummary: `CAPA record ${id}`,
  }));
  await markTold(query, id, version);
}
