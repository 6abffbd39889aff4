/** Finds again what a run left behind, by the marker in its environment. */
import { failure } from '../../engine/failure.ts';
import { startedWith } from '../../processes.mjs';
import { markerName } from './environment.ts';

/** Kills every process that carries the marker; waits until they are gone. Without /proc the process group is all we can promise. @returns how many */
export async function sweepMarked(marker: string): Promise<number> {
  let killed = 0;
  for (let round = 0; round < 50; round += 1) {
    const pids = await startedWith(`${markerName}=${marker}`);
    if (pids.length === 0) return killed;
    for (const pid of pids) {
      try { process.kill(pid, 'SIGKILL'); killed += 1; } catch { /* gone by itself */ }
    }
    await new Promise((resolve) => { setTimeout(resolve, 20); });
  }
  throw failure('INTERNAL', `processes of ${marker} survive SIGKILL`);
}
