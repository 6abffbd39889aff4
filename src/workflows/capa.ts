/**
 * The life of one CAPA record: waits for its next date or its next change, and has done what is due then. The record itself
 * is a row; this workflow is its clock, and ends when the record is closed.
 */
import { condition, continueAsNew, setHandler, workflowInfo } from '@temporalio/workflow';
import { main } from './activities.ts';
import * as messages from './messages.ts';

export interface CapaInput { capa_id: string }

const roundsPerRun = 200;
/** A timer longer than this is set again, so that no date is too far away for one. */
const longestWaitMs = 30 * 86_400_000;
/** The clock of the host that reads the dates may be a little behind the timer's. */
const shortestWaitMs = 50;

export async function capa({ capa_id }: CapaInput): Promise<void> {
  let changes = 0;
  setHandler(messages.capaChanged, () => { changes += 1; });

  for (let round = 1; ; round += 1) {
    // Counted before looking: a change that comes in between is looked at in the next round.
    const before = changes;
    const { closed, next } = await main.attendCapa(capa_id);
    if (closed) return;
    if (round >= roundsPerRun || workflowInfo().continueAsNewSuggested) await continueAsNew<typeof capa>({ capa_id });
    const wait = next === null ? longestWaitMs : Math.min(longestWaitMs, Math.max(shortestWaitMs, next - Date.now()));
    await condition(() => changes > before, wait);
  }
}
